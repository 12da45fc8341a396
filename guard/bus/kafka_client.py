"""How a connection to Kafka is made from the settings, and what becomes of kafka-python's errors.

kafka-python says little when it cannot connect, and says why in its log alone: the last words of that log go into
our errors, and nothing of it into the log of the process.
"""

import logging
import re
import threading
import time
from collections.abc import Iterable, Sequence
from typing import Any

from kafka.errors import (
    AuthorizationError,
    KafkaConnectionError,
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
_HANDSHAKE, _WATCH = 4.0, 0.5
"""Seconds for TCP, TLS and SASL together, and between looks at them."""
_REFUSAL = re.compile(r"[A-Za-z]+AuthorizationFailed\w*")
_LONGEST = 200
"""Characters of kafka-python's last words that an error quotes."""


_REASONS = ("AuthenticationFailed", "Handshake failed", "requires the")
"""What tells why nobody lets us in; a broker that has refused hangs up, too, which tells nothing."""
_EMPTY = ("Bootstrap failed", "Bootstrap bootstrap-", "Closing")


class _LastWords(logging.Handler):
    """Keeps the most telling warning of kafka-python, which nobody else hears."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep its first line, unless one that tells more was heard before."""
        text = " ".join(record.getMessage().split("\n", 1)[0].split())
        found = [text.index(reason) for reason in _REASONS if reason in text]
        if found:
            self.text = text[min(found) :][:_LONGEST]
        elif not text.startswith(_EMPTY) and not self.text.startswith(_REASONS):
            self.text = text[:_LONGEST]


_last = _LastWords()
_logger = logging.getLogger("kafka")
_logger.addHandler(_last)
_logger.propagate = False
_logger.setLevel(logging.WARNING)


class _Client:
    """Makes a client of kafka-python, and can close it where the one who asked for it failed.

    kafka-python waits for ever for a TLS handshake, and for a cluster behind one: both have a deadline here.
    """

    def __init__(self, within: float) -> None:
        self.made: KafkaNetClient | None = None
        self._within = within
        self._begun: dict[Any, float] = {}

    def __call__(self, **options: Any) -> KafkaNetClient:
        client = self.made = KafkaNetClient(**options)
        # The option of this name does not get here, and asking for a topic would make it, as the brokers like.
        client.cluster.config["allow_auto_create_topics"] = False
        self._watch(client)
        found = client._manager.bootstrap_async(self._within * 1000)  # noqa: SLF001
        client.poll(timeout_ms=self._within * 1000, future=found)
        if not found.is_done:
            raise KafkaTimeoutError
        if found.exception is not None:
            raise found.exception
        return client

    def _watch(self, client: KafkaNetClient) -> None:
        """Close what has tried to connect for too long, again and again, on the thread that connects."""
        manager, now = client._manager, time.monotonic()  # noqa: SLF001
        trying = [conn for conn in manager._conns.values() if conn.initializing]  # noqa: SLF001
        self._begun = {conn: self._begun.get(conn, now) for conn in trying}
        for conn, begun in self._begun.items():
            if now - begun > _HANDSHAKE:
                conn.close(KafkaConnectionError(f"no handshake within {_HANDSHAKE:g} s"))
        if not manager.closed:
            manager._net.call_later(_WATCH, lambda: self._watch(client))  # noqa: SLF001


def connected(
    kind: Any, servers: Sequence[str], credentials: Credentials, within: float, **options: Any
) -> tuple[Any, Any]:
    """A producer, consumer or administrator that has found the cluster, and what it knows of the cluster.

    Args:
        kind: its class.
        servers: some of the brokers.
        credentials: how to connect.
        within: seconds to find the cluster.
        options: of this kind.

    Raises:
        BusUnavailableError: no broker let us in.
    """
    within = max(within, 0.1)
    client, access = _Client(within), credentials.options()
    _last.text = ""
    made: Any = None
    failure: BusError | None = None
    try:
        made = kind(
            kafka_client=client,
            bootstrap_servers=list(servers),
            bootstrap_timeout_ms=int(within * 1000),
            client_id="guard",
            metadata_max_age_ms=_METADATA,
            reconnect_backoff_max_ms=_RECONNECT,
            **options,
            **access,
        )
    except KafkaTimeoutError:
        failure = no_connection(",".join(servers), within)
    except KafkaError as error:
        failure = translated(error, ",".join(servers), "connecting")
    finally:
        if made is None and client.made is not None:
            client.made.close()
    if failure is not None:
        raise failure  # not within `except`: kafka-python's error would keep sockets that it has not closed
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
    if "AuthenticationFailed" in _last.text:
        return _not_accepted(f"kafka {servers}, connecting: ")
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
        return _not_accepted(text)
    refusal = _REFUSAL.search(f"{type(error).__name__} {error}")  # some come wrapped, as text
    if refusal:
        return BusUnavailableError(
            f"{text}not allowed ({refusal[0]}); `guard topics acls` prints what each role needs"
        )
    if isinstance(error, UnknownTopicOrPartitionError):
        return BusUnavailableError(f"{text}no such topic; `guard topics apply` makes them")
    kind = type(error).__name__
    why = " ".join(str(error).split()).removeprefix(kind).lstrip(": ")[:_LONGEST]
    return BusUnavailableError(f"{text}{kind}{': ' if why else ''}{why}")


def _not_accepted(text: str) -> BusUnavailableError:
    return BusUnavailableError(
        f"{text}the brokers do not accept the user name and the password of `kafka` (AuthenticationFailed): see "
        "kafka.username, the file of the password, and the brokers' users"
    )


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
