"""A fleet's bus: Apache Kafka through kafka-python."""

import time
from collections.abc import Iterator, Sequence
from typing import Self

from kafka.errors import KafkaError

from guard.bus import BusUnavailableError, Consumer, Follower, Message, Outgoing, Position, Topic
from guard.bus.kafka_client import Credentials, server_list, translated
from guard.bus.kafka_publisher import KafkaPublisher
from guard.bus.kafka_settings import KafkaSettings

_STUCK = 30.0
"""Seconds without a record after which a scan that has not come to the end gives up."""
_POLL_WITHIN = 300.0


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
        from guard.bus.kafka_consumer import KafkaMember  # noqa: PLC0415  (an agent does not read)

        return KafkaMember(
            self._servers, self._settings, topics, group, prefix=self._prefix, poll_within=self._poll_within
        )

    def follow(self, topics: Sequence[Topic], *, since: float | None = None) -> Follower:
        """Read topics on and on; see the protocol."""
        from guard.bus.kafka_consumer import KafkaFollower  # noqa: PLC0415

        return KafkaFollower(self._servers, self._settings, topics, self._prefix, since)

    def scan(self, topic: Topic, *, partition: int | None = None, since: float = 0.0) -> Iterator[Message]:
        """What the topic holds now; see the protocol.

        Raises:
            BusUnavailableError: the bus is away.
        """
        from guard.bus.kafka_consumer import make_consumer, places_of, starts  # noqa: PLC0415

        name, servers = self._prefix + topic, ",".join(self._servers)
        consumer = make_consumer(self._servers, Credentials(self._settings))
        try:
            places = places_of(consumer, name, servers)
            places = [place for place in places if partition in (None, place.partition)]
            consumer.assign(places)
            ends = consumer.end_offsets(places)
            for place, offset in starts(consumer, places, since).items():
                consumer.seek(place, offset)
            left = {place for place in places if consumer.position(place) < ends[place]}
            heard = time.monotonic()
            while left:
                found = consumer.poll(500)
                for place, records in found.items():
                    for record in records:
                        if record.offset < ends[place]:
                            yield Message(
                                Position(topic, place.partition, record.offset),
                                (record.key or b"").decode(errors="replace"),
                                record.value,
                                record.timestamp / 1000,
                            )
                heard = time.monotonic() if found else heard
                # The end may lie behind the last record: compaction leaves holes.
                left = {place for place in left if consumer.position(place) < ends[place]}
                if time.monotonic() - heard > _STUCK:
                    raise BusUnavailableError(f"kafka {servers}: {name} gives nothing for {_STUCK:g} s")
        except KafkaError as error:
            raise translated(error, servers, f"reading {name}") from error
        finally:
            consumer.close(autocommit=False, timeout_ms=1000)

    def partitions(self, topic: Topic) -> int:
        """How many partitions a topic has."""
        from guard.bus.kafka_consumer import make_consumer, places_of  # noqa: PLC0415

        consumer = make_consumer(self._servers, Credentials(self._settings))
        try:
            return len(places_of(consumer, self._prefix + topic, ",".join(self._servers)))
        except KafkaError as error:
            raise translated(error, ",".join(self._servers), f"asking for {topic}") from error
        finally:
            consumer.close(autocommit=False, timeout_ms=1000)

    def close(self) -> None:
        """Close the producer. Readers close their own."""
        self._publisher.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
