"""A member of a new topic gets its partitions, wherever the end of a poll falls into its joining."""

import contextlib
import time

import pytest

from guard.bus import Outgoing, Topic
from guard.bus.kafka import KafkaBus
from guard.bus.kafka_settings import KafkaSettings
from tools.kafka.topics import make_topics

pytestmark = pytest.mark.needs("kafka")
PATIENCE = 15.0


def seconds_to_read(bus: KafkaBus, group: str, poll: float) -> float:
    with contextlib.closing(bus.consume([Topic.LEDGER], group)) as member:
        start = time.monotonic()
        while not member.poll(poll):
            assert time.monotonic() - start < PATIENCE, f"nothing came to a member that polls for {poll:g} s"
        return time.monotonic() - start


@pytest.mark.timeout(200)
def test_short_polls_do_not_leave_a_member_without_its_partitions(kafka, prefix):
    make_topics(kafka.bootstrap, prefix)
    settings = KafkaSettings(session_timeout=2)
    with KafkaBus(kafka.bootstrap, settings, prefix=prefix) as bus:
        bus.publish([Outgoing(Topic.LEDGER, "k", b"1")], 10.0)
        # Before kafka-python was helped out, one in twelve of these never got anything.
        waits = [seconds_to_read(bus, f"group-{n}", 0.005 + 0.005 * (n % 15)) for n in range(45)]
    assert max(waits) < PATIENCE
