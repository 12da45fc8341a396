"""What every bus must do with records: keep them in order, give them to who follows or scans, compact them."""

import contextlib
import time

import pytest

from guard.bus import BusError, Outgoing, Topic
from tests.bus_exchange import PATIENCE, PUBLISH, BusFixtures, in_order_per_key, read, records, values


class DeliveryContract(BusFixtures):
    """What is published is read: by members, by followers, by scans."""

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
            while polls < self.polls_to_see_all and len(seen) < max(len(consumer.assigned()), 2):
                messages = consumer.poll(PATIENCE, limit=10)
                seen |= {message.position.partition for message in messages}
                polls += 1
            assert len(seen) > 1, f"{polls} polls of 10 records saw partition {seen} only"
            assert seen == {part for _, part in consumer.assigned()}

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

    def test_a_record_may_name_its_partition(self, bus):
        told = [Outgoing(Topic.SNAPSHOTS, "same", b"1", partition=n) for n in (2, 0)]
        assert [place.partition for place in bus.publish(told, PUBLISH)] == [2, 0]
        assert [m.position.partition for m in bus.scan(Topic.SNAPSHOTS, partition=2)] == [2]
        with pytest.raises(BusError, match="partition 99"):
            bus.publish([Outgoing(Topic.SNAPSHOTS, "same", b"1", partition=99)], PUBLISH)

    def test_snapshots_have_as_many_partitions_as_telemetry_and_the_ledger_has_one(self, bus):
        assert bus.partitions(Topic.SNAPSHOTS) == bus.partitions(Topic.TELEMETRY) > 1
        assert bus.partitions(Topic.LEDGER) == bus.partitions(Topic.CONTROL) == 1

    def test_scan_gives_one_partition_or_what_was_taken_from_a_time_on(self, bus):
        bus.publish(records(Topic.TELEMETRY, 40), PUBLISH)
        time.sleep(0.05)
        bus.publish(records(Topic.TELEMETRY, 40, start=40), PUBLISH)
        everything = list(bus.scan(Topic.TELEMETRY))
        assert values(everything) == list(range(80))
        by_partition = [
            list(bus.scan(Topic.TELEMETRY, partition=n)) for n in range(bus.partitions(Topic.TELEMETRY))
        ]
        assert [{m.position.partition for m in part} <= {n} for n, part in enumerate(by_partition)] == [True] * 4
        assert sum(map(len, by_partition)) == 80
        middle = min(m.time for m in everything if int(m.value) >= 40)
        assert values(bus.scan(Topic.TELEMETRY, since=middle)) == list(range(40, 80))
        assert list(bus.scan(Topic.TELEMETRY, since=time.time() + 60)) == []

    def test_a_follower_of_all_that_is_kept_goes_on_with_what_comes(self, bus):
        bus.publish(records(Topic.VERDICTS, 20), PUBLISH)
        bus.publish(records(Topic.LEDGER, 5), PUBLISH)
        with contextlib.closing(bus.follow([Topic.VERDICTS, Topic.LEDGER], since=0)) as follower:
            messages = read(follower, 25)
            bus.publish(records(Topic.VERDICTS, 20, start=20), PUBLISH)
            messages += read(follower, 20)
            assert not follower.poll(0.1)
        verdicts = [m for m in messages if m.position.topic is Topic.VERDICTS]
        assert values(verdicts) == list(range(40))
        assert in_order_per_key(verdicts)
        assert len(messages) == 45

    def test_a_follower_of_the_present_reads_nothing_older(self, bus):
        bus.publish(records(Topic.VERDICTS, 20), PUBLISH)
        with contextlib.closing(bus.follow([Topic.VERDICTS])) as follower:
            bus.publish(records(Topic.VERDICTS, 20, start=20), PUBLISH)
            assert values(read(follower, 20)) == list(range(20, 40))

    def test_a_follower_starts_with_the_first_record_of_a_time(self, bus):
        bus.publish(records(Topic.VERDICTS, 20), PUBLISH)
        time.sleep(0.05)
        bus.publish(records(Topic.VERDICTS, 20, start=20), PUBLISH)
        middle = min(m.time for m in bus.scan(Topic.VERDICTS) if int(m.value) >= 20)
        with contextlib.closing(bus.follow([Topic.VERDICTS], since=middle)) as follower:
            assert values(read(follower, 20)) == list(range(20, 40))
        with contextlib.closing(bus.follow([Topic.VERDICTS], since=time.time() + 60)) as follower:
            assert not follower.poll(0.1)

    def test_it_tells_which_topics_took_something_of_late_without_reading_any(self, bus):
        assert bus.taken([Topic.TELEMETRY, Topic.SNAPSHOTS], 0.0) == frozenset()
        (place,) = bus.publish([Outgoing(Topic.SNAPSHOTS, "c/j#a0", bytes(900_000), partition=1)], PUBLISH)
        (message,) = bus.scan(Topic.SNAPSHOTS)
        asked = [Topic.TELEMETRY, Topic.SNAPSHOTS]
        assert message.position == place
        assert bus.taken(asked, message.time - 0.001) == {Topic.SNAPSHOTS}
        assert bus.taken(asked, message.time + 1.0) == frozenset()
        bus.publish([Outgoing(Topic.TELEMETRY, "c/j", b"1")], PUBLISH)
        assert bus.taken(asked, message.time - 0.001) == set(asked)
