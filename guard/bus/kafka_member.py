"""A member of a group on Kafka."""

from collections.abc import Mapping, Sequence
from typing import Any

from kafka.consumer import KafkaConsumer
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import (
    CommitFailedError,
    IllegalGenerationError,
    KafkaError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)
from kafka.structs import OffsetAndMetadata, TopicPartition

from guard.bus import Message, Place, Topic
from guard.bus.kafka_client import named, translated
from guard.bus.kafka_reader import Reader, make_consumer, position
from guard.bus.kafka_settings import KafkaSettings
from guard.bus.progress import Progress

_COMMIT = 3_000
_LOST = (CommitFailedError, IllegalGenerationError, RebalanceInProgressError, UnknownMemberIdError)
"""What a commit meets when the group has moved on."""


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


class KafkaMember(Reader):
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
        super().__init__(servers, settings, topics, prefix)
        self._group, self._poll_within = prefix + group, poll_within
        self._progress = Progress()
        self._paused = False
        self._count = 0
        self._holders: dict[Place, str] = {}
        self._opened()

    def poll(self, timeout: float, limit: int = 500) -> Sequence[Message]:
        """Wait for records of the partitions held; see the protocol."""
        self._finish_joining()
        found = self._ours(super().poll(timeout, limit))
        first: dict[Place, int] = {}
        last: dict[Place, int] = {}
        for message in found:
            place = (message.position.topic, message.position.partition)
            first.setdefault(place, message.position.offset)
            last[place] = message.position.offset
        for place, offset in last.items():
            self._progress.polled(place, first[place], offset + 1)
        return found

    def commit(self, upto: Mapping[Place, int] | None = None) -> None:
        """Store how far the effects reach, of what is still held; see the protocol."""
        offsets = {
            self._native(place): OffsetAndMetadata(offset, "", -1)
            for place, offset in self._progress.committable(upto).items()
        }
        try:
            if offsets and self._consumer is not None:
                self._consumer.commit(offsets, timeout_ms=_COMMIT)
        except _LOST:
            return  # the group has moved on: whoever holds them now reads them again
        except KafkaError as error:
            raise translated(error, self._name, f"committing {named(self._topics)}") from error

    def pause(self) -> None:
        """Let polls give nothing."""
        self._paused = True
        if self._consumer is not None:
            self._consumer.pause(*self._consumer.assignment())

    def resume(self) -> None:
        """Let polls give records again."""
        self._paused = False
        if self._consumer is not None:
            self._consumer.resume(*self._consumer.paused())

    def assigned(self) -> frozenset[Place]:
        """The partitions held at the last poll."""
        return frozenset(self._progress.claims)

    def claims(self) -> Mapping[Place, int]:
        """The partitions held at the last poll, numbered."""
        return dict(self._progress.claims)

    def lag(self) -> Mapping[Place, int]:
        """Records that were not polled, as last heard."""
        consumer, behind = self._consumer, dict[Place, int]()
        if consumer is None:
            return behind
        for place in self._progress.claims:
            native = self._native(place)
            # With fetched records comes how many there are; of a partition that gives none the leader was asked.
            newest = max(consumer.highwater(native) or 0, self._newest.get(native, 0))
            reached = position(consumer, native)
            if reached is not None:
                behind[place] = max(0, newest - reached)
        return behind

    def _connect(self) -> tuple[KafkaConsumer, Any]:
        session = self._settings.session_timeout
        consumer, cluster = make_consumer(
            self._servers,
            self._credentials,
            session_timeout=session,
            group_id=self._group,
            partition_assignment_strategy=[CooperativeStickyAssignor],
            session_timeout_ms=int(session * 1000),
            heartbeat_interval_ms=int(session * 1000 / 4),
            max_poll_interval_ms=int(self._poll_within * 1000),
        )
        consumer.subscribe(list(self._topics), listener=_Holding(self))
        return consumer, cluster

    def _drop(self) -> None:
        super()._drop()
        self._holders.clear()
        for place in list(self._progress.claims):
            self._progress.lose(place)

    def gain(self, native: TopicPartition) -> None:
        """A partition is ours from now on."""
        place = (self._topics[native.topic], native.partition)
        self._count += 1
        self._holders[place] = self._member_id()
        self._progress.gain(place, self._count)
        if self._paused and self._consumer is not None:
            self._consumer.pause(native)

    def lose(self, native: TopicPartition) -> None:
        """A partition is ours no more."""
        self._progress.lose((self._topics[native.topic], native.partition))

    def _finish_joining(self) -> None:
        """Have a join that a poll's end interrupted taken up again.

        kafka-python leaves it under way, and looks at its outcome only while it believes that it must join. Where
        the reason was a topic that it learned of, it forgets that once it has dealt out the partitions itself: the
        member then holds none, its heartbeats go on, and nobody else gets them.
        """
        coordinator = self._consumer._coordinator if self._consumer is not None else None  # noqa: SLF001
        if coordinator is not None and coordinator._join_task is not None:  # noqa: SLF001
            coordinator.request_rejoin()

    def _ours(self, found: Sequence[Message]) -> Sequence[Message]:
        """Leave out what was read as the member that the group has taken for dead.

        kafka-python joins again under another name, and goes on where it was with what it is given again, as if
        nobody had held it meanwhile: those partitions begin anew at the group's commit.
        """
        if self._consumer is None:
            return []
        me, held = self._member_id(), self._consumer.assignment()
        stale = {
            (self._topics[native.topic], native.partition): native
            for native in held
            if self._holders.get((self._topics[native.topic], native.partition)) != me
        }
        if not stale:
            return found
        for native in stale.values():
            self.lose(native)
            if me:  # else it has not joined again yet
                self._rewind(self._consumer, native)
                self.gain(native)
        return [m for m in found if (m.position.topic, m.position.partition) not in stale]

    def _rewind(self, consumer: KafkaConsumer, native: TopicPartition) -> None:
        try:
            offset = consumer.committed(native, timeout_ms=_COMMIT)
        except KafkaError as error:
            raise translated(error, self._name, f"coming back to {named(self._topics)}") from error
        if offset is None:
            consumer.seek_to_beginning(native)
        else:
            consumer.seek(native, offset)

    def _member_id(self) -> str:
        return str(self._consumer.group_metadata().member_id) if self._consumer is not None else ""

    def _native(self, place: Place) -> TopicPartition:
        return TopicPartition(self._prefix + place[0], place[1])
