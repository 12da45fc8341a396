"""A busy partition beside quiet ones, as one large job among idle nodes makes it."""

import random
import time

import pytest

from guard.bus import Outgoing, Topic
from guard.bus.kafka import KafkaBus
from tools.kafka.topics import make_topics

pytestmark = pytest.mark.needs("kafka")

RECORDS, SIZE, LIMIT = 4_800, 10_000, 150
FETCHES = RECORDS * SIZE / (2 << 20)
HALF_A_SECOND = 0.5
"""Kafka's own wait for records of the quiet ones, which passed with every fetch."""


def test_quiet_partitions_do_not_hold_a_busy_one_up(kafka, prefix):
    make_topics(kafka.bootstrap, prefix, partitions=4)
    chance = random.Random(1)
    records = [Outgoing(Topic.TELEMETRY, "one", chance.randbytes(SIZE)) for _ in range(RECORDS)]
    with KafkaBus(kafka.bootstrap, prefix=prefix) as bus:
        bus.publish(records, 60.0)
        consumer = bus.consume([Topic.TELEMETRY], "busy")
        try:
            read, start, deadline = 0, 0.0, time.monotonic() + 60.0
            while read < RECORDS and time.monotonic() < deadline:
                found = consumer.poll(1.0, LIMIT)
                read += len(found)
                start = start or (time.monotonic() if found else 0.0)
            took = time.monotonic() - start
        finally:
            consumer.close()
    assert read == RECORDS
    assert took < FETCHES * HALF_A_SECOND / 6
