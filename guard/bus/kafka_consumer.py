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
from guard.bus.progress import Progress

_CONNECT = 10.0
_REQUEST = 6_000
_COMMIT = 3_000
_LOST = (CommitFailedError, IllegalGenerationError, RebalanceInProgressError, UnknownMemberIdError)
"""What a commit meets when the group has moved on."""

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
        self._prefix = prefix
        self._topics = {prefix + topic: topic for topic in topics}
        self._consumer: KafkaConsumer
        self._newest: dict[TopicPartition, int] = {}
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
            self._newest |= self._consumer.end_offsets(places, timeout_ms=int(_LOOK * 500))
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


class _Holding(ConsumerRebalanceListener):  # type: ignore[misc]  # kafka-python has no types
    """Keeps the member's progress in step with what the group assigns."""

    def __init__(self, member: "KafkaMember") -> None:
        self._member = member

    def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        """These are ours now."""
        for place in assigned:
            self._member.gain(place)

    def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        """These are others' now."""
        for place in revoked:
            self._member.lose(place)

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
        self._progress = Progress()
        self._paused = False
        self._claims = 0
        self._holder = ""
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
        self._consumer.subscribe(list(self._topics), listener=_Holding(self))

    def poll(self, timeout: float, limit: int = 500) -> Sequence[Message]:
        """Wait for records of the partitions held; see the protocol."""
        messages = super().poll(timeout, limit)
        if self._progress.claims and self._member_id() != self._holder:
            self._begin_anew()
            return []
        first: dict[Place, int] = {}
        last: dict[Place, int] = {}
        for message in messages:
            place = (message.position.topic, message.position.partition)
            first.setdefault(place, message.position.offset)
            last[place] = message.position.offset
        for place, offset in last.items():
            self._progress.polled(place, first[place], offset + 1)
        return messages

    def commit(self, upto: Mapping[Place, int] | None = None) -> None:
        """Store how far the effects reach, of what is still held; see the protocol."""
        offsets = {
            self._native(place): OffsetAndMetadata(offset, "", -1)
            for place, offset in self._progress.committable(upto).items()
        }
        try:
            if offsets:
                self._consumer.commit(offsets, timeout_ms=_COMMIT)
        except _LOST:
            return  # the group has moved on: whoever holds them now reads them again
        except KafkaError as error:
            raise translated(error, self._name, f"committing {named(self._topics)}") from error

    def pause(self) -> None:
        """Let polls give nothing."""
        self._paused = True
        self._consumer.pause(*self._consumer.assignment())

    def resume(self) -> None:
        """Let polls give records again."""
        self._paused = False
        self._consumer.resume(*self._consumer.paused())

    def assigned(self) -> frozenset[Place]:
        """The partitions held at the last poll."""
        return frozenset(self._progress.claims)

    def claims(self) -> Mapping[Place, int]:
        """The partitions held at the last poll, numbered."""
        return dict(self._progress.claims)

    def lag(self) -> Mapping[Place, int]:
        """Records that were not polled, as last heard."""
        behind = {}
        for place in self._progress.claims:
            native = self._native(place)
            # With fetched records comes how many there are; of a partition that gives none the leader was asked.
            newest = max(self._consumer.highwater(native) or 0, self._newest.get(native, 0))
            reached = self._reached(native)
            if reached is not None:
                behind[place] = max(0, newest - reached)
        return behind

    def close(self) -> None:
        """Leave the group at once."""
        self._consumer.close(autocommit=False, timeout_ms=1000)

    def gain(self, place: TopicPartition) -> None:
        """A partition is ours from now on."""
        self._claims += 1
        self._holder = self._member_id()
        self._progress.gain((self._topics[place.topic], place.partition), self._claims)
        if self._paused:
            self._consumer.pause(place)

    def lose(self, place: TopicPartition) -> None:
        """A partition is ours no more."""
        self._progress.lose((self._topics[place.topic], place.partition))

    def _begin_anew(self) -> None:
        """The group had taken us for dead. kafka-python goes on where it was, as if nobody had read meanwhile."""
        held = self._consumer.assignment()
        for place in list(self._progress.claims):
            self._progress.lose(place)
        try:
            for place in held:
                offset = self._consumer.committed(place, timeout_ms=_COMMIT)
                if offset is None:
                    self._consumer.seek_to_beginning(place)
                else:
                    self._consumer.seek(place, offset)
                self.gain(place)
        except KafkaError as error:
            raise translated(error, self._name, f"coming back to {named(self._topics)}") from error

    def _member_id(self) -> str:
        return str(self._consumer.group_metadata().member_id)

    def _native(self, place: Place) -> TopicPartition:
        return TopicPartition(self._prefix + place[0], place[1])

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
