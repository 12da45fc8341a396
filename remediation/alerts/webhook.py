"""A webhook of the user's: the notice as JSON, signed as standardwebhooks.com says.

The message's id is the notice's: the same notice twice has the same, and is to be taken once.
"""

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping

import msgspec

from remediation.alerts.answer import hidden, place
from remediation.alerts.credentials import Secret
from remediation.alerts.http import Sender, checked
from remediation.alerts.notice import Notice
from remediation.alerts.protocol import SetupError, UnavailableError
from remediation.alerts.settings import Webhook

_PREFIX = "whsec_"
_SHORTEST, _LONGEST = 24, 64
"""Bytes of a key, as the specification has it."""


class WebhookChannel:
    """Implements `remediation.alerts.protocol.Channel`."""

    interval = 0.0
    repeat = None

    def __init__(
        self, name: str, choice: Webhook, environment: Mapping[str, str], clock: Callable[[], float] = time.time
    ) -> None:
        """See `remediation.alerts.opening`; `clock` gives Unix seconds.

        Raises:
            SetupError: a file is missing, or holds no URL or no key.
        """
        self._clock = clock
        self._key = Secret(choice.secret_file, environment)
        self._url = checked(choice.url, f"page.channels.{name}.url", plain=True) if choice.url else ""
        self._url_file = Secret(choice.url_file, environment) if choice.url_file else None
        self._updates = choice.updates
        self._sender = Sender(f"webhook {name} ({place(choice.url)})" if choice.url else f"webhook {name}")
        _decoded(self._key)
        if self._url_file is not None:
            checked(self._url_file.read(), str(self._url_file.path))

    @property
    def wants_updates(self) -> bool:
        """As the configuration says."""
        return self._updates

    def send(self, notice: Notice, timeout: float) -> None:
        """See the protocol. Every 2xx is taken; a receiver that is gone (410) or finds fault (4xx) refuses."""
        body = msgspec.json.encode(notice)
        stamp = str(int(self._clock()))
        try:
            key = _decoded(self._key)
            url, secrets = self._where()
        except SetupError as error:
            raise UnavailableError(str(error)) from None
        headers = {
            "webhook-id": notice.id,
            "webhook-timestamp": stamp,
            "webhook-signature": signature(key, notice.id, stamp, body),
        }
        self._sender.post(url, body, headers, timeout, secrets=secrets)

    def close(self) -> None:
        """See the protocol."""
        self._sender.close()

    def _where(self) -> tuple[str, tuple[str, ...]]:
        if self._url_file is None:
            return self._url, ()
        url = checked(self._url_file.read(), str(self._url_file.path))
        return url, hidden(url)


def signature(key: bytes, message: str, stamp: str, body: bytes) -> str:
    """Version 1 of the specification: HMAC-SHA256 of id, time and body."""
    signed = b".".join((message.encode(), stamp.encode(), body))
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def _decoded(secret: Secret) -> bytes:
    text = secret.read()
    try:
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not text.startswith(_PREFIX) or not _SHORTEST <= len(key) <= _LONGEST:
        raise SetupError(
            f"{secret.path}: expected whsec_ and the base64 of {_SHORTEST} to {_LONGEST} bytes, as "
            "`printf whsec_; openssl rand -base64 32` makes them"
        )
    return key
