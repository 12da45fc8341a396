"""Reading from Kafka: connecting, polling, noticing that nobody answers, and connecting anew."""

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from kafka.consumer import KafkaConsumer
from kafka.errors import (
    KafkaError,
    KafkaTimeoutError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)
from kafka.structs import TopicPartition

from guard.bus import BusError, BusUnavailableError, Message, Position, Topic
from guard.bus.kafka_batches import passed_over, unpack_within_bounds
from guard.bus.kafka_client import answers, connected, named, translated
from guard.bus.kafka_credentials import Credentials
from guard.bus.kafka_records import PartitionRecords, Record
from guard.bus.kafka_settings import KafkaSettings

_log = logging.getLogger(__name__)
_CONNECT = 10.0
_REQUEST = 6_000
_CLOSE = 1_000
_FETCH, _FETCH_PARTITION = 16 << 20, 2 << 20
"""Bytes at once from a broker, and of a partition: the memory of a reader. A batch has 1 MB at most."""

_IDLE, _BUSY = 500, 10
"""Milliseconds that a broker may wait for records before it answers. kafka-python has one request at a broker, and
while that waits for quiet partitions a busy one gives nothing: half a second would pass for every 2 MB of it."""

_LOOK = 2.0
"""Seconds without a record after which the brokers are asked whether there is any: else a broker that is away and
a topic that is quiet look the same."""
_SOON = 0.3
"""The same while a topic is not known: kafka-python forgets what it wanted to ask while it asks something else."""
_DEAF = 20.0
"""Seconds without an answer after which the bus counts as away. A leader that moves takes half of it."""
_MISSING = 1.0
"""Seconds after which a topic that a broker does not know is not there."""
_NEW_TOPIC = 10.0
"""The same for a member, which may wait: a topic that was just made becomes known to all brokers by then."""


def make_consumer(
    servers: Sequence[str], credentials: Credentials, *, session_timeout: float = 10.0, **more: Any
) -> tuple[KafkaConsumer, Any]:
    """A consumer of kafka-python's, and what it knows of the cluster.

    Raises:
        BusUnavailableError: nobody let us in.
    """
    unpack_within_bounds()
    consumer, cluster = connected(
        KafkaConsumer,
        servers,
        credentials,
        _CONNECT,
        metrics_enabled=False,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_bytes=_FETCH,
        max_partition_fetch_bytes=_FETCH_PARTITION,
        request_timeout_ms=max(_REQUEST, int(session_timeout * 1000) + 1000),
        **more,
    )
    consumer._fetcher.PartitionRecords = PartitionRecords  # noqa: SLF001  (kafka-python has no other place for this)
    return consumer, cluster


class Reader(ABC):
    """What a member and a follower share. One thread uses it at a time.

    A connection that failed for good, or whose credentials were renewed, is closed; the next poll makes another.
    """

    def __init__(
        self, servers: Sequence[str], settings: KafkaSettings, topics: Sequence[Topic], prefix: str
    ) -> None:
        self._servers, self._name = servers, ",".join(servers)
        self._settings, self._credentials = settings, Credentials(settings)
        self._prefix = prefix
        self._topics = {prefix + topic: topic for topic in topics}
        self._consumer: KafkaConsumer | None = None
        self._cluster: Any = None
        self._newest: dict[TopicPartition, int] = {}
        self._answered = self._asked = self._known = time.monotonic()

    @abstractmethod
    def _connect(self) -> tuple[KafkaConsumer, Any]:
        """A connection that goes on where the last one was."""

    def poll(self, timeout: float, limit: int = 500) -> Sequence[Message]:
        """Wait for records; see the protocol."""
        if self._credentials.renewed():
            self._drop()
        consumer = self._opened()
        try:
            found = consumer.poll(int(max(timeout, 0.0) * 1000), max_records=limit)
            consumer._fetcher.config["fetch_max_wait_ms"] = _BUSY if found else _IDLE  # noqa: SLF001
            if found:
                self._answered = time.monotonic()
            else:
                self._ask(consumer)
        except KafkaError as error:
            if not error.retriable:
                self._drop()
            raise translated(error, self._name, f"reading {named(self._topics)}") from error
        return messages(found, self._topics)

    def close(self) -> None:
        """Stop; a member leaves its group at once."""
        self._drop()

    def _opened(self) -> KafkaConsumer:
        if self._consumer is None:
            try:
                self._consumer, self._cluster = self._connect()
            except KafkaError as error:
                raise translated(error, self._name, f"reading {named(self._topics)}") from error
            self._answered = self._asked = self._known = time.monotonic()
        return self._consumer

    def _drop(self) -> None:
        consumer, self._consumer = self._consumer, None
        self._newest.clear()
        if consumer is not None:
            with suppress(KafkaError, RuntimeError):  # the second: its thread has ended
                consumer.close(autocommit=False, timeout_ms=_CLOSE)

    def _ask(self, consumer: KafkaConsumer) -> None:
        """Ask the brokers for what is new, now and then.

        Raises:
            BusUnavailableError: they have not answered for too long.
        """
        now, places = time.monotonic(), list(consumer.assignment())
        lost = [topic for topic in self._topics if not self._cluster.partitions_for_topic(topic)]
        self._known = self._known if lost else now
        if now - max(self._answered, self._asked) < (_SOON if lost else _LOOK):
            return
        self._asked = now
        if not (self._ask_leaders(consumer, places) if places else answers(self._cluster, _LOOK / 4)):
            if now - self._answered > _DEAF:
                self._drop()
                silent = f"{now - self._answered:.0f} s"
                raise BusUnavailableError(
                    f"kafka {self._name}: the brokers do not answer for {silent}; see their logs"
                )
            return
        self._answered = now
        if self._cluster.unauthorized_topics & self._topics.keys():
            raise TopicAuthorizationFailedError
        if now - self._known > _NEW_TOPIC:
            raise UnknownTopicOrPartitionError(named(lost))

    def _ask_leaders(self, consumer: KafkaConsumer, places: Sequence[TopicPartition]) -> bool:
        try:
            self._newest |= consumer.end_offsets(places, timeout_ms=int(_LOOK * 500))
        except KafkaTimeoutError:
            return False
        return True


class KafkaFollower(Reader):
    """All partitions of some topics, from a point on."""

    def __init__(
        self,
        servers: Sequence[str],
        settings: KafkaSettings,
        topics: Sequence[Topic],
        prefix: str,
        since: float | None,
    ) -> None:
        super().__init__(servers, settings, topics, prefix)
        self._since = since
        self._reached: dict[TopicPartition, int] = {}
        self._opened()

    def poll(self, timeout: float, limit: int = 500) -> Sequence[Message]:
        """Wait for records; see the protocol."""
        found = super().poll(timeout, limit)
        for message in found:
            place = TopicPartition(self._prefix + message.position.topic, message.position.partition)
            self._reached[place] = message.position.offset + 1
        return found

    def _connect(self) -> tuple[KafkaConsumer, Any]:
        consumer, cluster = make_consumer(self._servers, self._credentials)
        try:
            places = [place for topic in self._topics for place in places_of(cluster, topic, self._name)]
            consumer.assign(places)
            # What was reached before, for a connection that goes on; else, and for new partitions, the start.
            self._reached = starts(consumer, places, self._since) | self._reached
            for place, offset in self._reached.items():
                consumer.seek(place, offset)
        except (KafkaError, BusError):
            consumer.close(autocommit=False, timeout_ms=_CLOSE)
            raise
        return consumer, cluster


def messages(found: Mapping[TopicPartition, Sequence[Record]], topics: Mapping[str, Topic]) -> list[Message]:
    """Our messages for kafka-python's records. Batches that were passed over are told."""
    for batch in passed_over():
        _log.warning(
            "%s: passed over a batch of %d records at offset %d: %s",
            named(topics),
            batch.records,
            batch.offset,
            batch.reason,
        )
    return [
        Message(
            Position(topics[place.topic], place.partition, offset),
            (key or b"").decode(errors="replace"),
            value,
            taken / 1000,
        )
        for place, records in found.items()
        for offset, taken, key, value in records
    ]


def position(consumer: KafkaConsumer, place: TopicPartition) -> int | None:
    """Where the next record comes from. ``consumer.position`` asks the brokers, and may wait for ever."""
    known = consumer._subscription.position(place)  # noqa: SLF001
    return None if known is None else int(known.offset)


def places_of(cluster: Any, topic: str, servers: str) -> list[TopicPartition]:
    """All partitions of a topic.

    Raises:
        BusUnavailableError: it is not there, or nobody says.
    """
    deadline, heard = time.monotonic() + _CONNECT, False
    cluster.add_topic(topic)
    while not cluster.partitions_for_topic(topic) and topic not in cluster.unauthorized_topics:
        left = deadline - time.monotonic()
        if left <= 0 or (heard and left < _CONNECT - _MISSING):
            raise BusUnavailableError(
                f"kafka {servers}: no topic {topic}; `guard topics apply` makes the topics"
                if heard
                else f"kafka {servers}: nobody says where {topic} is; see the brokers' logs"
            )
        heard = answers(cluster, min(left, _MISSING)) or heard
    if topic in cluster.unauthorized_topics:
        raise TopicAuthorizationFailedError
    return [TopicPartition(topic, partition) for partition in sorted(cluster.partitions_for_topic(topic))]


def starts(
    consumer: KafkaConsumer, places: Sequence[TopicPartition], since: float | None
) -> dict[TopicPartition, int]:
    """Where reading begins: at the oldest record (0), at a time (Unix seconds), or behind the newest (None)."""
    if since is not None and since <= 0:
        return dict(consumer.beginning_offsets(places))
    ends = dict(consumer.end_offsets(places))
    if since is None:
        return ends
    found = consumer.offsets_for_times({place: round(since * 1000) for place in places})
    return {place: ends[place] if at is None else at.offset for place, at in found.items()}
