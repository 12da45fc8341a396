"""How a connection to Kafka is made from the settings, and what becomes of kafka-python's errors.

kafka-python says little when it cannot connect, and says why in its log alone: the last words of that log go into
our errors, and nothing of it into the log of the process.
"""

import importlib.util
import logging
import os
import ssl
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from kafka.errors import (
    AuthorizationError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    SaslAuthenticationFailedError,
    UnknownTopicOrPartitionError,
)
from kafka.net.compat import KafkaNetClient

from guard.bus import BusError, BusUnavailableError
from guard.bus.kafka_settings import KafkaSettings, Mechanism, Security

_METADATA = 60_000
"""Milliseconds after which topics and leaders are asked for again, if nothing went wrong."""
_RECONNECT = 1_000
_LONGEST = 200
"""Characters of kafka-python's last words that an error quotes."""

_MECHANISMS = {Mechanism.SCRAM_SHA_512: "SCRAM-SHA-512", Mechanism.AWS_MSK_IAM: "AWS_MSK_IAM"}

Stamp = tuple[tuple[str, int, int, int], ...]
"""Names of files with inode, time of change and size: another one where a file was renewed."""


class _LastWords(logging.Handler):
    """Keeps the last warning of kafka-python, which nobody else hears."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep its first line, unless it only says that what failed has failed."""
        text = " ".join(record.getMessage().split("\n", 1)[0].split())[:_LONGEST]
        if not text.startswith("Bootstrap failed"):
            self.text = text


_last = _LastWords()
_logger = logging.getLogger("kafka")
_logger.addHandler(_last)
_logger.propagate = False
_logger.setLevel(logging.WARNING)


class Credentials:
    """The files that the settings name, as they are now.

    Args:
        settings: the section ``kafka`` of the configuration.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._stamp = self._look()

    def renewed(self) -> bool:
        """Whether a file has changed since the connection options were made last."""
        return self._look() != self._stamp

    def options(self) -> dict[str, Any]:
        """Connection options in kafka-python's names.

        Raises:
            BusUnavailableError: a file cannot be read or used; it may be in the middle of a rotation.
        """
        settings = self._settings
        self._stamp = self._look()
        if settings.security is Security.PLAINTEXT:
            return {"security_protocol": "PLAINTEXT"}
        options: dict[str, Any] = {"security_protocol": "SSL", "ssl_context": self._context()}
        if settings.security is Security.SASL_TLS:
            options["security_protocol"] = "SASL_SSL"
            options["sasl_mechanism"] = _MECHANISMS[settings.mechanism]
            if settings.mechanism is Mechanism.SCRAM_SHA_512:
                options["sasl_plain_username"] = settings.username
                options["sasl_plain_password"] = _password(self._password_file())
            else:
                require("botocore", "kafka.mechanism is aws-msk-iam")
                if settings.region is not None:  # kafka-python asks botocore, which asks the environment
                    os.environ["AWS_DEFAULT_REGION"] = settings.region
        return options

    def _context(self) -> ssl.SSLContext:
        settings = self._settings
        try:
            context = ssl.create_default_context(cafile=settings.ca)
            if settings.certificate is not None:
                context.load_cert_chain(settings.certificate, settings.key)
        except (OSError, ssl.SSLError) as error:
            files = ", ".join(file for file in (settings.ca, settings.certificate, settings.key) if file)
            raise BusUnavailableError(f"kafka: cannot use {files}: {error}") from error
        return context

    def _password_file(self) -> Path:
        name = self._settings.password_file or os.environ.get("GUARD_KAFKA_PASSWORD_FILE")
        if not name:
            raise BusError("kafka: no password; name its file in kafka.password_file or GUARD_KAFKA_PASSWORD_FILE")
        return Path(name)

    def _look(self) -> Stamp:
        settings = self._settings
        password = settings.password_file or os.environ.get("GUARD_KAFKA_PASSWORD_FILE")
        names = (settings.ca, settings.certificate, settings.key, password)
        return tuple(_stamp(name) for name in names if name)


def _stamp(name: str) -> tuple[str, int, int, int]:
    try:
        found = Path(name).stat()
    except OSError:
        return (name, 0, 0, 0)
    return (name, found.st_ino, found.st_mtime_ns, found.st_size)


def _password(file: Path) -> str:
    try:
        password = file.read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not text"
        raise BusUnavailableError(f"kafka: cannot read the password in {file}: {why}") from error
    if not password or "\n" in password:
        raise BusUnavailableError(f"kafka: {file} must hold the password in one line")
    return password


_EXTRAS = {"botocore": "msk", "lz4": "lz4"}


def require(package: str, wanted: str) -> None:
    """Refuse what needs a package that is not here.

    Raises:
        BusError: says which extra brings it.
    """
    if importlib.util.find_spec(package) is None:
        raise BusError(f"{wanted}, which needs {package}: pip install 'trn-guard[{_EXTRAS[package]}]'")


class _Client:
    """Makes a client of kafka-python, and can close it where the one who asked for it failed."""

    def __init__(self) -> None:
        self.made: KafkaNetClient | None = None

    def __call__(self, **options: Any) -> KafkaNetClient:
        self.made = KafkaNetClient(**options)
        # The option of this name does not get here, and asking for a topic would make it, as the brokers like.
        self.made.cluster.config["allow_auto_create_topics"] = False
        return self.made


def connected(
    kind: Any, servers: Sequence[str], credentials: Credentials, within: float, **options: Any
) -> tuple[Any, Any]:
    """A producer or consumer of kafka-python's that has found the cluster, and what it knows of the cluster.

    Args:
        kind: its class.
        servers: some of the brokers.
        credentials: how to connect.
        within: seconds to find the cluster.
        options: of this kind.

    Raises:
        BusUnavailableError: no broker let us in.
    """
    client, within = _Client(), max(within, 0.1)
    access = credentials.options()
    _last.text = ""
    try:
        made = kind(
            kafka_client=client,
            bootstrap_servers=list(servers),
            bootstrap_timeout_ms=int(within * 1000),
            client_id="guard",
            allow_auto_create_topics=False,
            metadata_max_age_ms=_METADATA,
            reconnect_backoff_max_ms=_RECONNECT,
            metrics_enabled=False,
            **options,
            **access,
        )
    except BaseException as error:
        if client.made is not None:
            client.made.close()
        if isinstance(error, KafkaTimeoutError):
            raise no_connection(",".join(servers), within) from error
        if isinstance(error, KafkaError):
            raise translated(error, ",".join(servers), "connecting") from error
        raise
    return made, client.made.cluster  # type: ignore[union-attr]  # kind asked for it


def answers(cluster: Any, within: float) -> bool:
    """Whether a broker says within so many seconds what the cluster is like, if only that a topic is not there."""
    done = threading.Event()
    future = cluster.request_update()
    future.add_both(lambda _: done.set())
    done.wait(max(within, 0.0))
    return bool(future.is_done and isinstance(future.exception, UnknownTopicOrPartitionError | None))


def no_connection(servers: str, seconds: float) -> BusUnavailableError:
    """Nobody let us in."""
    why = f" (kafka: {_last.text})" if _last.text else ""
    return BusUnavailableError(
        f"no broker of {servers} let us in within {seconds:.1f} s{why}: is it up, and are security, certificates "
        "and password in `kafka` those that it wants?"
    )


def translated(error: KafkaError, servers: str, what: str) -> BusError:
    """Our error for kafka-python's: which brokers, what was tried, and what to do.

    Lacking rights and topics are no record's fault: somebody sees to them, and what waits is sent then.
    """
    text = f"kafka {servers}, {what}: "
    if isinstance(error, MessageSizeTooLargeError | RecordListTooLargeError):
        return BusError(f"{text}the record is larger than the brokers take")
    if isinstance(error, SaslAuthenticationFailedError):
        return BusUnavailableError(
            f"{text}the brokers do not accept the user name and the password, or the role, of `kafka`"
        )
    if isinstance(error, AuthorizationError):
        return BusUnavailableError(
            f"{text}not allowed ({type(error).__name__}); `guard topics acls` prints what each role needs"
        )
    if isinstance(error, UnknownTopicOrPartitionError):
        return BusUnavailableError(f"{text}no such topic; `guard topics apply` makes them")
    kind = type(error).__name__
    why = " ".join(str(error).split()).removeprefix(kind).lstrip(": ")[:_LONGEST]
    return BusUnavailableError(f"{text}{kind}{': ' if why else ''}{why}")


def server_list(address: str) -> list[str]:
    """The servers of ``HOST:PORT,…``.

    Raises:
        BusError: not such a text.
    """
    servers = [server.strip() for server in address.split(",")]
    if not all(_is_server(server) for server in servers):
        raise BusError(f"bus kafka://{address}: expected kafka://HOST:PORT,HOST:PORT,…")
    return servers


def _is_server(server: str) -> bool:
    host, _, port = server.rpartition(":")
    return bool(host) and "@" not in host and port.isdigit() and 0 < int(port) < 65536


def named(topics: Iterable[str]) -> str:
    """Topics, for an error."""
    return ", ".join(sorted(topics))
