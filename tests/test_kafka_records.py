"""Our reading of Kafka's batches gives what kafka-python's own gives, and stops where it stops."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError
from kafka.record import MemoryRecords
from kafka.record.default_records import DefaultRecordBatchBuilder
from kafka.structs import TopicPartition

from guard.bus.kafka_batches import unpack_within_bounds
from guard.bus.kafka_records import PartitionRecords

PLACE = TopicPartition("guard.state", 2)
NONE, ZSTD = 0, 4
TEXTS = st.none() | st.binary(max_size=300)
HEADERS = st.lists(st.tuples(st.text(max_size=4), st.none() | st.binary(max_size=200)), max_size=2)
RECORDS = st.lists(st.tuples(st.integers(0, 1 << 41), TEXTS, TEXTS, HEADERS), min_size=1, max_size=80)


@pytest.fixture(autouse=True)
def _ours():
    unpack_within_bounds()


def batch(records: Any, first: int = 0, codec: int = NONE, *, holes: int = 1) -> bytearray:
    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=codec, is_transactional=0, producer_id=-1, producer_epoch=-1,
        base_sequence=-1, batch_size=1 << 30,
    )  # fmt: skip
    for number, (time, key, value, headers) in enumerate(records):
        builder.append(number * holes, time, key, value, headers)
    built = bytearray(builder.build())
    built[:8] = first.to_bytes(8, "big")
    return built


def ours(data: bytes, start: int = 0, *, check: bool = True) -> PartitionRecords:
    return PartitionRecords(start, PLACE, MemoryRecords(data), check_crcs=check)


@given(RECORDS, st.sampled_from([NONE, ZSTD]), st.integers(0, 90), st.integers(1, 3))
def test_records_are_those_that_kafka_python_reads(records, codec, start, holes) -> None:
    data = bytes(batch(records, 0, codec, holes=holes) + batch(records, 1000, codec))
    theirs = Fetcher.PartitionRecords(start, PLACE, MemoryRecords(data))
    expected = [(one.offset, one.timestamp, one.key, one.value) for one in theirs.take()]
    read = ours(data, start)
    assert read.take() == expected
    assert (read.next_fetch_offset, read.leader_epoch) == (theirs.next_fetch_offset, theirs.leader_epoch)


def test_what_is_taken_in_parts_goes_on_where_it_was() -> None:
    read = ours(bytes(batch([(5, b"k", b"%d" % n, []) for n in range(7)])))
    assert [value for *_, value in read.take(3)] == [b"0", b"1", b"2"]
    assert read.next_fetch_offset == 3
    assert [value for *_, value in read.take(9)] == [b"3", b"4", b"5", b"6"]
    assert read.next_fetch_offset == 7


def test_time_of_the_broker_goes_before_that_of_the_writer() -> None:
    data = batch([(1000, b"k", b"v", []), (2000, b"k", b"w", [])])
    data[22] |= 8  # attributes: LogAppendTime
    data[35:43] = (777).to_bytes(8, "big")
    assert [time for _, time, *_ in ours(bytes(data), check=False).take()] == [777, 777]


def test_a_batch_with_a_wrong_sum_is_an_error() -> None:
    data = batch([(5, b"k", b"value", [])])
    data[-2] ^= 1
    with pytest.raises(CorruptRecordError, match="CRC"):
        ours(bytes(data)).take()


@given(RECORDS, st.integers(61, 4000), st.integers(0, 255))
def test_a_damaged_batch_is_read_up_to_the_damage_or_refused_as_by_kafka_python(records, place, byte) -> None:
    data = batch(records)
    data[61 + place % (len(data) - 61)] = byte
    theirs = Fetcher.PartitionRecords(0, PLACE, MemoryRecords(bytes(data)), check_crcs=False)
    assert outcome(ours(bytes(data), check=False)) == outcome(theirs)


def outcome(records: Any) -> tuple[list[tuple[Any, ...]], bool]:
    found: list[tuple[Any, ...]] = []
    try:
        found.extend(_fields(one) for one in records.record_iterator)
    except CorruptRecordError:
        return found, True
    return found, False


def _fields(one: Any) -> tuple[Any, ...]:
    return one if type(one) is tuple else (one.offset, one.timestamp, one.key, one.value)
