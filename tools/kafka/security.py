"""Who may talk to a secure test cluster: an authority, users with passwords, and the options of their clients."""

import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tools.kafka.certificates import Authority, Identity

ADMINISTRATOR = "administrator"
"""May do everything, by certificate and by password."""
ROLES = ("agent", "detector", "remediator", "pager", "reader", "operator")


class Security:
    """The credentials of one cluster, in files below ``directory``.

    Every user has a certificate and a password, and no rights until a test gives some: the principals are
    ``User:CN=<user>`` at the door for certificates, and ``User:<user>`` at that for passwords.
    """

    def __init__(self, directory: Path, users: Iterable[str] = ROLES) -> None:
        self.authority = Authority(directory / "authority")
        self.stranger = Authority(directory / "stranger", "an authority nobody trusts")
        names = (ADMINISTRATOR, *users)
        self.identities: Mapping[str, Identity] = {name: self.authority.issue(name) for name in names}
        self.passwords: Mapping[str, str] = {name: secrets.token_urlsafe(12) for name in names}
        self._broker: Identity | None = None

    def broker(self, hosts: Iterable[str]) -> Identity:
        """The certificate that every broker of the cluster shows."""
        if self._broker is None:
            self._broker = self.authority.issue("broker", hosts=tuple(hosts))
        return self._broker

    @property
    def super_users(self) -> tuple[str, ...]:
        """The principals that need no ACL."""
        return "User:CN=broker", self.identities[ADMINISTRATOR].principal, f"User:{ADMINISTRATOR}"

    @property
    def scram(self) -> tuple[str, ...]:
        """The passwords as Kafka's storage tool takes them."""
        return tuple(f"SCRAM-SHA-512=[name={user},password={word}]" for user, word in self.passwords.items())

    def with_password(self, user: str, password: str | None = None) -> dict[str, Any]:
        """Options of a kafka-python client at ``Listener.SCRAM``; ``password`` if not the right one."""
        return self.anonymous() | {
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_plain_username": user,
            "sasl_plain_password": self.passwords[user] if password is None else password,
        }

    def with_certificate(self, who: str | Identity) -> dict[str, Any]:
        """Options of a kafka-python client at ``Listener.MUTUAL``."""
        identity = self.identities[who] if isinstance(who, str) else who
        return self.anonymous() | {"ssl_certfile": str(identity.certificate), "ssl_keyfile": str(identity.key)}

    def anonymous(self) -> dict[str, Any]:
        """Options of a kafka-python client at ``Listener.TLS``."""
        return {"security_protocol": "SSL", "ssl_cafile": str(self.authority.certificate)}
