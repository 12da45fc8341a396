"""How a connection to Kafka is made from the settings, and what becomes of kafka-python's errors.

kafka-python says little when it cannot connect, and says why in its log alone: the last words of that log go into
our errors, and nothing of it into the log of the process.
"""

import logging
import threading
from collections.abc import Iterable, Sequence
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
from guard.bus.kafka_credentials import Credentials

_METADATA = 60_000
"""Milliseconds after which topics and leaders are asked for again, if nothing went wrong."""
_RECONNECT = 1_000
_LONGEST = 200
"""Characters of kafka-python's last words that an error quotes."""


class _LastWords(logging.Handler):
    """Keeps the last warning of kafka-python, which nobody else hears."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep its first line, unless it only says that what failed has failed, or will be tried again."""
        text = " ".join(record.getMessage().split("\n", 1)[0].split())[:_LONGEST]
        if not text.startswith("Bootstrap failed") and "not ready; waiting" not in text:
            self.text = text


_last = _LastWords()
_logger = logging.getLogger("kafka")
_logger.addHandler(_last)
_logger.propagate = False
_logger.setLevel(logging.WARNING)


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
    """Whether a broker tells about the cluster within so many seconds, if only that a topic is not for us."""
    done = threading.Event()
    future = cluster.request_update()
    future.add_both(lambda _: done.set())
    done.wait(max(within, 0.0))
    return bool(
        future.is_done and isinstance(future.exception, UnknownTopicOrPartitionError | AuthorizationError | None)
    )


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
        shown = f"***@{address.rpartition('@')[2]}" if "@" in address else address  # it may be a password
        raise BusError(f"bus kafka://{shown}: expected kafka://HOST:PORT,HOST:PORT,…")
    return servers


def _is_server(server: str) -> bool:
    host, _, port = server.rpartition(":")
    return bool(host) and "@" not in host and port.isdigit() and 0 < int(port) < 65536


def named(topics: Iterable[str]) -> str:
    """Topics, for an error."""
    return ", ".join(sorted(topics))
