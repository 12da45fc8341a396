"""A fleet's bus: Apache Kafka through kafka-python."""

from collections.abc import Iterator, Sequence
from typing import Self

from guard.bus import Consumer, Follower, Message, Outgoing, Position, Topic
from guard.bus.kafka_client import server_list
from guard.bus.kafka_publisher import KafkaPublisher
from guard.bus.kafka_settings import KafkaSettings

_POLL_WITHIN = 60.0


class KafkaBus:
    """A bus on the brokers at ``address``, ``HOST:PORT,…``. Threads may share it for publishing.

    Nothing is connected until it is needed, and a producer alone loads little.

    Args:
        address: some of the brokers.
        settings: how to connect.
        prefix: put before the names of topics and groups: several installations on one cluster.
        poll_within: seconds between two polls after which a member gives its partitions away.

    Raises:
        BusError: not such an address.
    """

    def __init__(
        self,
        address: str,
        settings: KafkaSettings = KafkaSettings(),  # noqa: B008  (frozen)
        *,
        prefix: str = "",
        poll_within: float = _POLL_WITHIN,
    ) -> None:
        self._servers = server_list(address)
        self._settings, self._prefix, self._poll_within = settings, prefix, poll_within
        self._publisher = KafkaPublisher(self._servers, settings, prefix)

    def publish(self, records: Sequence[Outgoing], timeout: float) -> list[Position]:
        """Append all records, each acknowledged by all replicas in sync."""
        return self._publisher.publish(records, timeout)

    def consume(self, topics: Sequence[Topic], group: str) -> Consumer:
        """Join a group; see the protocol."""
        from guard.bus.kafka_member import KafkaMember  # noqa: PLC0415  (an agent does not read)

        return KafkaMember(
            self._servers, self._settings, topics, group, prefix=self._prefix, poll_within=self._poll_within
        )

    def follow(self, topics: Sequence[Topic], *, since: float | None = None) -> Follower:
        """Read topics on and on; see the protocol."""
        from guard.bus.kafka_reader import KafkaFollower  # noqa: PLC0415

        return KafkaFollower(self._servers, self._settings, topics, self._prefix, since)

    def scan(self, topic: Topic, *, partition: int | None = None, since: float = 0.0) -> Iterator[Message]:
        """What the topic holds now; see the protocol.

        Raises:
            BusUnavailableError: the bus is away, or the topic is not there or not ours to read.
        """
        from guard.bus.kafka_scan import scan  # noqa: PLC0415

        return scan(self._servers, self._settings, self._prefix, topic, partition=partition, since=since)

    def taken(self, topics: Sequence[Topic], since: float) -> frozenset[Topic]:
        """Which topics took something of late; see the protocol."""
        from guard.bus.kafka_scan import taken  # noqa: PLC0415

        return taken(self._servers, self._settings, self._prefix, topics, since)

    def partitions(self, topic: Topic) -> int:
        """How many partitions a topic has."""
        from guard.bus.kafka_scan import partitions  # noqa: PLC0415

        return partitions(self._servers, self._settings, self._prefix + topic)

    def close(self) -> None:
        """Close the producer. Readers close their own."""
        self._publisher.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
