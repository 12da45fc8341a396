"""Snapshots on the bus survive a crash between any two of their records."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.snapshot import Snapshot
from guard.bus import Message, Outgoing, Position, Topic
from guard.detect.snapshots import CHUNK, Shelf

SMALL = b"x" * 100
LARGE = random.Random(3).randbytes(2 * CHUNK + 7)


def compacted(records: list[Outgoing], start: int = 0) -> list[Message]:
    """What a compacted topic keeps: the newest record of each key, in the order in which they came."""
    newest = {record.key: (number, record) for number, record in enumerate(records, start)}
    return [
        Message(Position(Topic.SNAPSHOTS, 0, number), record.key, record.value, 0.0)
        for number, record in sorted(newest.values(), key=lambda pair: pair[0])
    ]


def snapshot(offset: int, state: bytes | None = SMALL, job: str | None = "train") -> Snapshot:
    return Snapshot("c", job, offset, state)


def test_snapshot_comes_back_whole_and_no_record_is_larger_than_the_limit() -> None:
    records = Shelf(0, 0).put(snapshot(7, LARGE))
    assert len(records) == 3
    assert max(len(record.value or b"") for record in records) < 512_000
    assert {record.partition for record in records} == {0}
    assert Shelf(0, 0).read(compacted(records)) == [snapshot(7, LARGE)]


def test_newest_of_each_job_and_of_the_idle_nodes_is_read() -> None:
    shelf = Shelf(0, 0)
    records = []
    for offset in range(5):
        for job in ("train", "other", None):
            records += shelf.put(snapshot(offset, SMALL + str(offset).encode(), job))
    found = Shelf(0, 0).read(compacted(records))
    assert {(one.job, one.offset) for one in found} == {("train", 4), ("other", 4), (None, 4)}


@settings(max_examples=60, deadline=None)
@given(sizes=st.lists(st.integers(0, 3), min_size=2, max_size=6), lost=st.integers(1, 4), compact=st.booleans())
def test_crash_while_writing_leaves_the_last_whole_one(sizes: list[int], lost: int, compact: bool) -> None:
    shelf = Shelf(0, 0)
    states = [bytes([number]) * (1 + size * CHUNK) for number, size in enumerate(sizes)]
    sets = [shelf.put(snapshot(number, state)) for number, state in enumerate(states)]
    whole = [record for records in sets[:-1] for record in records]
    cut = sets[-1][: max(0, len(sets[-1]) - lost)]
    records = whole + cut
    messages = (
        compacted(records)
        if compact
        else [Message(Position(Topic.SNAPSHOTS, 0, n), r.key, r.value, 0.0) for n, r in enumerate(records)]
    )
    (found,) = Shelf(0, 0).read(messages)
    assert found == snapshot(len(sizes) - 2, states[-2])


def test_one_that_goes_on_writes_over_the_older_of_the_two_sets() -> None:
    first = Shelf(0, 0)
    records = first.put(snapshot(1)) + first.put(snapshot(2))
    second = Shelf(0, 0)
    second.read(compacted(records))
    (third,) = second.put(snapshot(3))
    assert third.key == records[0].key
    assert Shelf(0, 0).read(compacted([*records, third]))[0].offset == 3


def test_snapshot_of_one_that_was_late_to_notice_that_it_lost_the_partition_does_not_count() -> None:
    late = Shelf(0, 0)
    records = late.put(snapshot(10))
    successor = Shelf(0, 0)
    successor.read(compacted(records))
    records += successor.put(snapshot(50))
    records += late.put(snapshot(30, LARGE))
    everything = [Message(Position(Topic.SNAPSHOTS, 0, n), r.key, r.value, 0.0) for n, r in enumerate(records)]
    assert Shelf(0, 0).read(everything)[0].offset == 50


def test_job_that_is_over_leaves_no_record() -> None:
    shelf = Shelf(0, 0)
    records = shelf.put(snapshot(1, LARGE)) + shelf.put(snapshot(2))
    records += shelf.put(snapshot(0, None))
    assert [message for message in compacted(records) if message.value is not None] == []
    assert Shelf(0, 0).read(compacted(records)) == []


def test_what_is_of_another_partition_or_no_chunk_at_all_is_passed_over() -> None:
    records = Shelf(1, 0).put(snapshot(1)) + Shelf(0, 0).put(snapshot(2, job="mine"))
    records += [Outgoing(Topic.SNAPSHOTS, f"k{n}", value, 0) for n, value in enumerate((b"", b"\xff" * 9, b"{}"))]
    assert [one.job for one in Shelf(0, 0).read(compacted(records))] == ["mine"]
