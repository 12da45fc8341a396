"""Reading from Kafka: as a member of a group, or all of some topics."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from kafka.consumer import KafkaConsumer
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import (
    CommitFailedError,
    IllegalGenerationError,
    KafkaError,
    KafkaTimeoutError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)
from kafka.structs import OffsetAndMetadata, TopicPartition

from guard.bus import BusUnavailableError, Message, Place, Position, Topic
from guard.bus.kafka_client import Credentials, named, no_connection, translated
from guard.bus.kafka_settings import KafkaSettings

_CONNECT = 10.0
_REQUEST = 6_000
_COMMIT = 3_000
_LOST = (CommitFailedError, IllegalGenerationError, RebalanceInProgressError, UnknownMemberIdError)
"""What a commit meets when the group has moved on: what it was for is read again by whoever has it now."""

_LOOK = 2.0
"""Seconds without a record after which the leaders are asked whether there is any: else a broker that is away and
a topic that is quiet look the same."""
_DEAF = 20.0
"""Seconds without an answer after which the bus counts as away. A leader that moves takes half of it."""


def make_consumer(
    servers: Sequence[str], credentials: Credentials, *, session_timeout: float = 10.0, **more: Any
) -> KafkaConsumer:
    """A consumer of kafka-python's.

    Raises:
        BusUnavailableError: nobody let us in.
    """
    try:
        return KafkaConsumer(
            bootstrap_servers=list(servers),
            client_id="guard",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            allow_auto_create_topics=False,
            fetch_max_bytes=16 << 20,
            max_partition_fetch_bytes=2 << 20,
            request_timeout_ms=max(_REQUEST, int(session_timeout * 1000) + 1000),
            reconnect_backoff_max_ms=1_000,
            bootstrap_timeout_ms=int(_CONNECT * 1000),
            metrics_enabled=False,
            **more,
            **credentials.options(),
        )
    except KafkaTimeoutError as error:
        raise no_connection(",".join(servers), _CONNECT) from error


class _Reader:
    """What a member and a follower share: polling, and noticing that nobody answers."""

    def __init__(
        self, servers: Sequence[str], credentials: Credentials, topics: Sequence[Topic], prefix: str
    ) -> None:
        self._name, self._credentials = ",".join(servers), credentials
        self._topics = {prefix + topic: topic for topic in topics}
        self._consumer: KafkaConsumer
        self._answered = self._asked = time.monotonic()

    def poll(self, timeout: float, limit: int = 500) -> Sequence[Message]:
        """Wait for records; see the protocol."""
        if self._credentials.renewed():
            raise BusUnavailableError(f"kafka {self._name}: credentials were renewed, connecting anew")
        try:
            found = self._consumer.poll(int(max(timeout, 0.0) * 1000), max_records=limit)
            if found:
                self._answered = time.monotonic()
            else:
                self._ask()
        except KafkaError as error:
            raise translated(error, self._name, f"reading {named(self._topics)}") from error
        return [
            Message(
                Position(self._topics[place.topic], place.partition, record.offset),
                (record.key or b"").decode(errors="replace"),
                record.value,
                record.timestamp / 1000,
            )
            for place, records in found.items()
            for record in records
        ]

    def _ask(self) -> None:
        """Ask the leaders for their newest offsets, now and then.

        Raises:
            BusUnavailableError: they have not answered for too long.
        """
        now = time.monotonic()
        places = list(self._consumer.assignment())
        if not places:
            self._answered = self._asked = now
        if now - max(self._answered, self._asked) < _LOOK:
            return
        self._asked = now
        try:
            self._consumer.end_offsets(places, timeout_ms=int(_LOOK * 500))
        except KafkaError as error:
            if now - self._answered > _DEAF:
                silent = f"{now - self._answered:.0f} s"
                raise BusUnavailableError(f"kafka {self._name}: the brokers do not answer for {silent}") from error
        else:
            self._answered = now


class KafkaFollower(_Reader):
    """All partitions of some topics, from a point on."""

    def __init__(
        self,
        servers: Sequence[str],
        settings: KafkaSettings,
        topics: Sequence[Topic],
        prefix: str,
        since: float | None,
    ) -> None:
        super().__init__(servers, Credentials(settings), topics, prefix)
        self._consumer = make_consumer(servers, self._credentials)
        try:
            self._start(since)
        except KafkaError as error:
            self._consumer.close(autocommit=False)
            raise translated(error, self._name, f"reading {named(self._topics)}") from error
        except BaseException:
            self._consumer.close(autocommit=False)
            raise

    def close(self) -> None:
        """Stop."""
        self._consumer.close(autocommit=False, timeout_ms=1000)

    def _start(self, since: float | None) -> None:
        places = [place for topic in self._topics for place in places_of(self._consumer, topic, self._name)]
        self._consumer.assign(places)
        for place, offset in starts(self._consumer, places, since).items():
            self._consumer.seek(place, offset)


class _Claims(ConsumerRebalanceListener):  # type: ignore[misc]  # kafka-python has no types
    """Numbers what is assigned: a partition that was lost and got back has another number."""

    def __init__(self) -> None:
        self.claims: dict[TopicPartition, int] = {}
        self._number = 0

    def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        """These are ours now."""
        for place in assigned:
            self._number += 1
            self.claims[place] = self._number

    def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        """These are others' now."""
        for place in revoked:
            self.claims.pop(place, None)

    on_partitions_lost = on_partitions_revoked


class KafkaMember(_Reader):
    """A member of a group. One thread uses it at a time."""

    def __init__(
        self,
        servers: Sequence[str],
        settings: KafkaSettings,
        topics: Sequence[Topic],
        group: str,
        *,
        prefix: str,
        poll_within: float,
    ) -> None:
        super().__init__(servers, Credentials(settings), topics, prefix)
        session = settings.session_timeout
        self._consumer = make_consumer(
            servers,
            self._credentials,
            session_timeout=session,
            group_id=prefix + group,
            partition_assignment_strategy=[CooperativeStickyAssignor],
            session_timeout_ms=int(session * 1000),
            heartbeat_interval_ms=int(session * 1000 / 4),
            max_poll_interval_ms=int(poll_within * 1000),
        )
        self._listener = _Claims()
        self._paused = False
        self._polled: dict[TopicPartition, int] = {}
        self._consumer.subscribe(list(self._topics), listener=self._listener)

    def poll(self, timeout: float, limit: int = 500) -> Sequence[Message]:
        """Wait for records of the partitions held; see the protocol."""
        if self._paused:
            self._consumer.pause(*self._consumer.assignment())  # those that came while pausing, too
        return super().poll(timeout, limit)

    def commit(self, upto: Mapping[Place, int] | None = None) -> None:
        """Store how far the effects reach, of what is still held; see the protocol."""
        held = self._consumer.assignment()
        wanted = {
            place: offset
            for place in held
            if (offset := self._reached(place) if upto is None else upto.get(self._place(place))) is not None
        }
        offsets = {place: OffsetAndMetadata(offset, "", -1) for place, offset in wanted.items()}
        try:
            if offsets:
                self._consumer.commit(offsets, timeout_ms=_COMMIT)
        except _LOST:
            return
        except KafkaError as error:
            raise translated(error, self._name, f"committing {named(self._topics)}") from error

    def pause(self) -> None:
        """Let polls give nothing."""
        self._paused = True

    def resume(self) -> None:
        """Let polls give records again."""
        self._paused = False
        self._consumer.resume(*self._consumer.paused())

    def assigned(self) -> frozenset[Place]:
        """The partitions held at the last poll."""
        return frozenset(self.claims())

    def claims(self) -> Mapping[Place, int]:
        """The partitions held at the last poll, numbered."""
        held = self._consumer.assignment()
        return {self._place(place): number for place, number in self._listener.claims.items() if place in held}

    def lag(self) -> Mapping[Place, int]:
        """Records that were not polled, as last heard."""
        behind = {}
        for place in self._consumer.assignment():
            newest, reached = self._consumer.highwater(place), self._reached(place)
            if newest is not None and reached is not None:
                behind[self._place(place)] = max(0, newest - reached)
        return behind

    def close(self) -> None:
        """Leave the group at once."""
        self._consumer.close(autocommit=False, timeout_ms=1000)

    def _place(self, place: TopicPartition) -> Place:
        return self._topics[place.topic], place.partition

    def _reached(self, place: TopicPartition) -> int | None:
        # `position()` asks the brokers where none is known yet; this must not wait.
        position = self._consumer._subscription.position(place)  # noqa: SLF001
        return None if position is None else position.offset


def places_of(consumer: KafkaConsumer, topic: str, servers: str) -> list[TopicPartition]:
    """All partitions of a topic.

    Raises:
        BusUnavailableError: it is not there.
    """
    partitions = consumer.partitions_for_topic(topic)
    if not partitions:
        raise BusUnavailableError(
            f"kafka {servers}: no topic {topic}, or not allowed to read it; `guard topics apply` makes the topics"
        )
    return [TopicPartition(topic, partition) for partition in sorted(partitions)]


def starts(
    consumer: KafkaConsumer, places: Sequence[TopicPartition], since: float | None
) -> dict[TopicPartition, int]:
    """Where reading begins: at the oldest record (0), at a time (Unix seconds), or behind the newest (None)."""
    if since is not None and since <= 0:
        return dict(consumer.beginning_offsets(places))
    ends = dict(consumer.end_offsets(places))
    if since is None:
        return ends
    found = consumer.offsets_for_times({place: int(since * 1000) for place in places})
    return {place: ends[place] if at is None else at.offset for place, at in found.items()}
