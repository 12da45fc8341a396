"""A batch that unpacks to gigabytes, or not at all, is passed over; those around it are read."""

import tracemalloc

import pytest
from kafka.producer import KafkaProducer
from kafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from guard.bus import Outgoing, Topic
from guard.bus.kafka import KafkaBus
from guard.bus.kafka_batches import LARGEST_BATCH, passed_over, unpack_within_bounds
from tools.kafka.topics import make_topics

NONE, GZIP, ZSTD = 0, 1, 4
MEGABYTE = 1 << 20


@pytest.fixture(autouse=True)
def _ours():
    unpack_within_bounds()
    passed_over()


def batch(codec: int, *values: bytes) -> DefaultRecordBatch:
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=codec,
        is_transactional=0,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=1 << 30,
    )
    for offset, value in enumerate(values):
        builder.append(offset, 1000, b"key", value, [])
    return DefaultRecordBatch(bytes(builder.build()))


@pytest.mark.parametrize("codec", [NONE, GZIP, ZSTD])
def test_batches_of_every_codec_are_read_as_before(codec):
    values = [b"one", b"", bytes(3 * MEGABYTE)]
    assert [record.value for record in batch(codec, *values)] == values
    assert passed_over() == []


@pytest.mark.parametrize("codec", [GZIP, ZSTD])
def test_batch_that_unpacks_to_too_much_is_empty_and_told_and_costs_no_memory(codec):
    bomb = batch(codec, bytes(5 * LARGEST_BATCH))
    tracemalloc.start()
    try:
        assert list(bomb) == []
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 3 * LARGEST_BATCH
    (told,) = passed_over()
    assert (told.offset, told.records) == (0, 1)
    assert str(LARGEST_BATCH) in told.reason


@pytest.mark.parametrize("codec", [GZIP, ZSTD])
def test_batch_that_cannot_be_unpacked_is_empty_and_told(codec):
    whole = batch(codec, b"x" * 1000)
    broken = bytes(whole._buffer)[:70] + b"\xff" * 20
    assert list(DefaultRecordBatch(broken)) == []
    assert len(passed_over()) == 1


def test_codec_whose_library_is_missing_holds_nobody_up():
    buffer = bytearray(batch(NONE, b"x")._buffer)
    buffer[22] |= 2  # attributes: snappy
    assert list(DefaultRecordBatch(bytes(buffer))) == []
    assert "snappy" in passed_over()[0].reason.lower()


@pytest.mark.needs("kafka")
def test_bomb_among_good_records_stops_no_reader(kafka, prefix, caplog):
    make_topics(kafka.bootstrap, prefix)
    with KafkaBus(kafka.bootstrap, prefix=prefix) as bus:
        bus.publish([Outgoing(Topic.LEDGER, "k", b"before")], 10.0)
        producer = KafkaProducer(
            bootstrap_servers=kafka.bootstrap, compression_type="zstd", max_request_size=10 * LARGEST_BATCH
        )
        producer.send(f"{prefix}{Topic.LEDGER}", bytes(3 * LARGEST_BATCH), b"k").get(30)
        producer.close()
        bus.publish([Outgoing(Topic.LEDGER, "k", b"after")], 10.0)
        assert [message.value for message in bus.scan(Topic.LEDGER)] == [b"before", b"after"]
        follower = bus.follow([Topic.LEDGER], since=0.0)
        read = [message.value for _ in range(20) for message in follower.poll(0.2)]
        follower.close()
    assert read == [b"before", b"after"]
    assert "passed over" in caplog.text
