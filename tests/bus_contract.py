"""What every bus must do. A test module of an implementation subclasses ``BusContract`` and gives ``make_bus``."""

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from guard.bus import Bus, BusError, Consumer, Message, Outgoing, Topic

SESSION = 1.0
"""Seconds: the session timeout that ``make_bus`` gives its buses. (Kafka's brokers allow 6 s and more.)"""
PUBLISH = 10.0
PATIENCE = 20.0

MakeBus = Callable[[], Bus]


def records(topic: Topic, count: int, keys: int = 8, start: int = 0) -> list[Outgoing]:
    return [Outgoing(topic, f"key-{n % keys}", str(n).encode()) for n in range(start, start + count)]


def read(consumer: Consumer, count: int, patience: float = PATIENCE) -> list[Message]:
    """Poll until ``count`` records came, or say how many did."""
    messages: list[Message] = []
    deadline = time.monotonic() + patience
    while len(messages) < count and time.monotonic() < deadline:
        messages += consumer.poll(0.2)
    assert len(messages) >= count, f"{len(messages)} of {count} records came in {patience:g} s"
    return messages


def settle(consumers: Sequence[Consumer], done: Callable[[], bool], patience: float = PATIENCE) -> list[Message]:
    """Poll all in turn until ``done``."""
    messages: list[Message] = []
    deadline = time.monotonic() + patience
    while not done():
        assert time.monotonic() < deadline, f"not settled: {[sorted(c.assigned()) for c in consumers]}"
        for consumer in consumers:
            messages += consumer.poll(0.02)
    return messages


def in_order_per_key(messages: Sequence[Message]) -> bool:
    by_key: dict[str, list[int]] = {}
    for message in messages:
        by_key.setdefault(message.key, []).append(int(message.value or b"-1"))
    return all(numbers == sorted(numbers) for numbers in by_key.values())


def values(messages: Sequence[Message]) -> list[int]:
    return sorted(int(message.value or b"-1") for message in messages)


class BusContract:
    """Delivery, groups and compaction."""

    @pytest.fixture
    def make_bus(self, **_: Any) -> MakeBus:
        raise NotImplementedError

    @pytest.fixture
    def bus(self, make_bus: MakeBus):
        with make_bus() as bus:
            yield bus

    @pytest.fixture
    def join(self, make_bus: MakeBus):
        """Each member has a bus of its own, as processes have."""
        with contextlib.ExitStack() as stack:

            def _join(*topics: Topic, group: str = "group") -> Consumer:
                other = stack.enter_context(make_bus())
                return other.consume(list(topics or (Topic.TELEMETRY,)), group)

            yield _join

    def test_what_is_published_is_read_with_key_value_and_place(self, bus, join):
        before = time.time()
        positions = bus.publish(records(Topic.TELEMETRY, 40), PUBLISH)
        with contextlib.closing(join()) as consumer:
            messages = read(consumer, 40)
        assert {(m.position, m.key, m.value) for m in messages} == {
            (place, record.key, record.value)
            for place, record in zip(positions, records(Topic.TELEMETRY, 40), strict=True)
        }
        assert all(before - 5 <= message.time <= time.time() + 5 for message in messages)

    def test_order_holds_within_a_key_and_offsets_grow_within_a_partition(self, bus, join):
        for start in range(0, 200, 20):
            bus.publish(records(Topic.TELEMETRY, 20, start=start), PUBLISH)
        with contextlib.closing(join()) as consumer:
            messages = read(consumer, 200)
        assert in_order_per_key(messages)
        for part in {m.position.partition for m in messages}:
            offsets = [m.position.offset for m in messages if m.position.partition == part]
            assert offsets == sorted(set(offsets))

    def test_a_key_always_goes_to_one_partition(self, bus):
        places = [bus.publish([Outgoing(Topic.TELEMETRY, "one", b"1")], PUBLISH)[0] for _ in range(5)]
        assert len({place.partition for place in places}) == 1

    def test_a_poll_gives_no_more_than_its_limit_and_waits_no_longer_than_its_timeout(self, bus, join):
        bus.publish(records(Topic.TELEMETRY, 30), PUBLISH)
        with contextlib.closing(join()) as consumer:
            sizes = []
            deadline = time.monotonic() + PATIENCE
            while sum(sizes) < 30 and time.monotonic() < deadline:
                sizes.append(len(consumer.poll(0.2, limit=7)))
            assert sum(sizes) == 30
            assert max(sizes) <= 7
            start = time.monotonic()
            assert not consumer.poll(0.3)
            assert 0.25 < time.monotonic() - start < 2.0

    def test_a_busy_partition_does_not_starve_the_others(self, bus, join):
        bus.publish(records(Topic.TELEMETRY, 800, keys=32), PUBLISH)  # about 200 in a partition
        with contextlib.closing(join()) as consumer:
            seen: set[int] = set()
            polls = 0
            while polls < 8 and len(seen) < max(len(consumer.assigned()), 2):
                messages = consumer.poll(PATIENCE, limit=10)
                seen |= {message.position.partition for message in messages}
                polls += 1
            assert len(seen) > 1, f"{polls} polls of 10 records saw partition {seen} only"
            assert seen == {part for _, part in consumer.assigned()}

    def test_two_groups_each_read_everything(self, bus, join):
        bus.publish(records(Topic.VERDICTS, 20), PUBLISH)
        for group in ("one", "two"):
            with contextlib.closing(join(Topic.VERDICTS, group=group)) as consumer:
                assert values(read(consumer, 20)) == list(range(20))

    def test_a_group_resumes_where_it_committed_and_repeats_what_it_did_not(self, bus, join):
        bus.publish(records(Topic.TELEMETRY, 10), PUBLISH)
        with contextlib.closing(join()) as first:
            read(first, 10)
            first.commit()
            bus.publish(records(Topic.TELEMETRY, 10, start=10), PUBLISH)
            read(first, 10)
        with contextlib.closing(join()) as second:
            assert values(read(second, 10)) == list(range(10, 20))

    def test_members_share_the_partitions_one_owner_each(self, join):
        first, second = join(), join()
        with contextlib.closing(first), contextlib.closing(second):
            settle([first], lambda: len(first.assigned()) > 1)
            everything = first.assigned()
            settle([first, second], lambda: bool(second.assigned()) and first.assigned() != everything)
            settle([first, second], lambda: first.assigned() | second.assigned() == everything)
            assert not first.assigned() & second.assigned()

    def test_who_leaves_hands_over_at_once_from_the_last_commit(self, bus, join):
        bus.publish(records(Topic.TELEMETRY, 40), PUBLISH)
        first, second = join(), join()
        with contextlib.closing(second):
            with contextlib.closing(first):
                read(first, 40)
                first.commit()
                everything = first.assigned()
                settle([first, second], lambda: bool(second.assigned()))
                bus.publish(records(Topic.TELEMETRY, 40, start=40), PUBLISH)
                got = settle([second], lambda: True)
            start = time.monotonic()
            got += settle([second], lambda: second.assigned() == everything)
            assert time.monotonic() - start < max(SESSION / 2, 0.5)
            got += read(second, 40 - len(got))
            assert values(got) == list(range(40, 80))

    def test_the_partitions_of_a_dead_member_are_taken_over_and_nothing_is_lost(self, bus, join):
        bus.publish(records(Topic.TELEMETRY, 40), PUBLISH)
        dead, living = join(), join()
        try:
            read(dead, 40)  # never commits, never polls again
            with contextlib.closing(living):
                assert values(read(living, 40)) == list(range(40))
        finally:
            dead.close()

    def test_a_commit_for_a_partition_lost_since_is_left_out(self, bus, join):
        bus.publish(records(Topic.LEDGER, 10), PUBLISH)
        stale, owner = join(Topic.LEDGER), join(Topic.LEDGER)
        try:
            read(stale, 10)
            with contextlib.closing(owner):
                read(owner, 10)  # after the session timeout; commits nothing
                stale.commit()
        finally:
            stale.close()
        with contextlib.closing(join(Topic.LEDGER)) as third:
            assert values(read(third, 10)) == list(range(10))

    def test_who_lost_a_partition_and_got_it_back_starts_from_the_groups_commit(self, bus, join):
        bus.publish(records(Topic.LEDGER, 10), PUBLISH)
        member, other = join(Topic.LEDGER), join(Topic.LEDGER)
        with contextlib.closing(member):
            read(member, 10)
            with contextlib.closing(other):
                read(other, 10)
                bus.publish(records(Topic.LEDGER, 10, start=10), PUBLISH)
                read(other, 10)
                other.commit()
            bus.publish(records(Topic.LEDGER, 10, start=20), PUBLISH)
            assert values(read(member, 10)) == list(range(20, 30))

    def test_scan_gives_what_is_there_oldest_first_and_stops(self, bus):
        assert list(bus.scan(Topic.LEDGER)) == []
        bus.publish(records(Topic.LEDGER, 1200), PUBLISH)
        bus.publish(records(Topic.VERDICTS, 5), PUBLISH)
        assert [int(m.value or b"") for m in bus.scan(Topic.LEDGER)] == list(range(1200))

    def test_a_fold_of_a_compacted_topic_finds_the_newest_of_each_key(self, bus):
        bus.publish(records(Topic.STATE, 30, keys=3), PUBLISH)
        assert {m.key: m.value for m in bus.scan(Topic.STATE)} == {
            "key-0": b"27",
            "key-1": b"28",
            "key-2": b"29",
        }

    def test_a_tombstone_deletes_the_key_and_those_who_follow_see_it(self, bus, join):
        bus.publish([Outgoing(Topic.STATE, "gone", b"1"), Outgoing(Topic.STATE, "kept", b"2")], PUBLISH)
        with contextlib.closing(join(Topic.STATE)) as consumer:
            read(consumer, 2)
            bus.publish([Outgoing(Topic.STATE, "gone", None)], PUBLISH)
            assert [(m.key, m.value) for m in read(consumer, 1)] == [("gone", None)]
        folded = {m.key: m.value for m in bus.scan(Topic.STATE)}
        assert {key for key, value in folded.items() if value is not None} == {"kept"}

    def test_a_record_that_will_never_fit_is_refused_and_the_bus_goes_on(self, bus):
        bus.publish([Outgoing(Topic.LEDGER, "k", bytes(1_000_000))], PUBLISH)
        with pytest.raises(BusError, match="1000001 bytes"):
            bus.publish([Outgoing(Topic.LEDGER, "k", bytes(1_000_001))], PUBLISH)
        bus.publish([Outgoing(Topic.LEDGER, "k", b"")], PUBLISH)
        assert [len(m.value or b"") for m in bus.scan(Topic.LEDGER)] == [1_000_000, 0]

    def test_nothing_to_publish_is_no_error(self, bus):
        assert bus.publish([], PUBLISH) == []
