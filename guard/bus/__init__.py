"""The bus: topics of keyed records that several processes write and follow.

Two implementations pass one contract test: ``file:PATH`` (``guard.bus.file``, the embedded default) and
``kafka://HOST:PORT,…`` (``guard.bus.kafka``, a fleet's). Delivery is at least once; order holds within a key.
``guard.bus.open_bus`` is the door.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol, Self

from guard.bus.kafka_settings import KafkaSettings


class Topic(StrEnum):
    """Every topic there is."""

    TELEMETRY = "guard.telemetry"
    VERDICTS = "guard.verdicts"
    STATE = "guard.state"
    SNAPSHOTS = "guard.snapshots"
    LEDGER = "guard.ledger"
    CONTROL = "guard.control"
    DEADLETTER = "guard.deadletter"


COMPACTED = frozenset({Topic.STATE, Topic.SNAPSHOTS})
"""Topics that keep the newest record of a key only. A ``None`` value deletes the key."""


class BusError(Exception):
    """The bus said no: wrong address, a record it will never take, a format it does not know."""


class BusUnavailableError(BusError):
    """The bus did not answer in time. Trying again later may work; nothing was lost by asking."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record to publish.

    ``value`` is at most 1,000,000 bytes; ``None`` deletes a compacted key. ``partition`` is for those few records
    that must lie beside another topic's (snapshots, beside the telemetry they stand for); else the key decides.
    """

    topic: Topic
    key: str
    value: bytes | None
    partition: int | None = None


Place = tuple[Topic, int]
"""A topic and one of its partitions."""


class Position(NamedTuple):
    """Where a record stands. Offsets grow within a partition and never come back.

    A tuple, as is the message: a fleet makes thousands a second, at a quarter of a frozen dataclass's cost.
    """

    topic: Topic
    partition: int
    offset: int


class Message(NamedTuple):
    """A record that was read. ``time`` is when the bus took it, Unix seconds."""

    position: Position
    key: str
    value: bytes | None
    time: float


class Follower(Protocol):
    """Reads all partitions of some topics from a point on, then whatever comes. Belongs to no group."""

    def poll(self, timeout: float, limit: int = 500) -> Sequence[Message]:
        """Wait up to ``timeout`` seconds for records.

        Raises:
            BusUnavailableError: the bus is away; poll again later.
        """
        ...

    def close(self) -> None:
        """Stop."""
        ...


class Consumer(Protocol):
    """A member of a group: the group's members share the partitions, one member each at a time."""

    def poll(self, timeout: float, limit: int = 500) -> Sequence[Message]:
        """Wait up to ``timeout`` seconds for records of the partitions that this member holds.

        Raises:
            BusUnavailableError: the bus is away; poll again later.
        """
        ...

    def commit(self, upto: Mapping[Place, int] | None = None) -> None:
        """Say that the effects of all records polled so far are on the bus.

        Args:
            upto: of each partition the first offset whose effects are not; without it, all that was polled. A
                partition that was lost since it was polled is left out.
        """
        ...

    def pause(self) -> None:
        """Let polls give nothing for now, but keep the membership: what was polled is still being worked on."""
        ...

    def resume(self) -> None:
        """Let polls give records again."""
        ...

    def assigned(self) -> frozenset[Place]:
        """The partitions that this member held at its last poll."""
        ...

    def claims(self) -> Mapping[Place, int]:
        """The same partitions, each with a number that is another one if it was lost and got back in between."""
        ...

    def lag(self) -> Mapping[Place, int]:
        """Records of each held partition that the bus has and this member has not polled, as last heard."""
        ...

    def close(self) -> None:
        """Leave the group at once, without committing."""
        ...


class Bus(Protocol):
    """Topics of keyed records."""

    def publish(self, records: Sequence[Outgoing], timeout: float) -> list[Position]:
        """Append all records in order, and return where they stand once they are safe.

        Raises:
            BusUnavailableError: some may not have been taken; publish all of them again (at least once).
            BusError: a record is too large, or the bus will never take it.
        """
        ...

    def consume(self, topics: Sequence[Topic], group: str) -> Consumer:
        """Join a group. A group that has never committed starts at the oldest record kept."""
        ...

    def follow(self, topics: Sequence[Topic], *, since: float | None = None) -> Follower:
        """Read topics on and on.

        Args:
            topics: which.
            since: Unix seconds; the first record taken at or after it is the first read. 0 is the oldest kept,
                None starts with what comes from now on.
        """
        ...

    def scan(self, topic: Topic, *, partition: int | None = None, since: float = 0.0) -> Iterator[Message]:
        """Every record that the topic (or one partition of it) holds now, then stop. Belongs to no group.

        The order is that of each partition. With ``since``, Unix seconds, those that were taken from then on.
        """
        ...

    def taken(self, topics: Sequence[Topic], since: float) -> frozenset[Topic]:
        """Which of these topics took a record at ``since`` (Unix seconds, of the bus) or later. Reads no record.

        Raises:
            BusUnavailableError: the bus is away, or a topic is not there or not ours to read.
        """
        ...

    def partitions(self, topic: Topic) -> int:
        """How many partitions a topic has.

        Raises:
            BusError: the topic is not there.
        """
        ...

    def close(self) -> None:
        """Give back files and connections."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def open_bus(address: str, settings: KafkaSettings = KafkaSettings()) -> Bus:  # noqa: B008
    """Open ``file:PATH`` or ``kafka://HOST:PORT,…``.

    Args:
        address: which bus.
        settings: how to speak with Kafka; nothing to the file.

    Raises:
        BusError: no such kind of bus, or a path that cannot hold one.
        BusUnavailableError: the bus does not answer now.
    """
    kind, _, rest = address.partition(":")
    if kind == "file" and rest:
        from guard.bus.file import FileBus  # noqa: PLC0415  (sqlite3 is loaded only where this bus is used)

        return FileBus(rest)
    if kind == "kafka" and rest.startswith("//"):
        from guard.bus.lean import lean  # noqa: PLC0415

        lean("kafka")
        lean("kafka.protocol.admin", ListGroupsRequest="groups")
        lean("kafka.protocol.consumer", OffsetFetchRequest="group")
        from guard.bus.kafka import KafkaBus  # noqa: PLC0415  (kafka-python is loaded only where this bus is used)

        return KafkaBus(rest.removeprefix("//"), settings, prefix=settings.prefix)
    raise BusError(
        f"bus {address!r}: expected file:PATH, for example file:/var/lib/guard/bus.sqlite, or kafka://HOST:PORT,…"
    )
