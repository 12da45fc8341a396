"""Apache Kafka passes the contract of every bus."""

import pytest

from guard.bus.kafka import KafkaBus
from guard.bus.kafka_settings import KafkaSettings
from tests.bus_contract import SESSION, BusContract
from tools.kafka.topics import make_topics

SETTINGS = KafkaSettings(session_timeout=2 * SESSION)
"""Twice the contract's: kafka-python's heartbeats come from a thread, which a busy machine may keep waiting."""


@pytest.mark.needs("kafka")
@pytest.mark.timeout(180)
class TestKafkaBus(BusContract):
    polls_to_see_all = 80  # Kafka gives a partition's fetched chunk (2 MB at most) before the next partition's
    seconds_to_hand_over = 1.8 * SESSION  # a heartbeat tells it, four in a session timeout

    @pytest.fixture
    def make_bus(self, kafka, prefix):
        make_topics(kafka.bootstrap, prefix)
        return lambda: KafkaBus(kafka.bootstrap, SETTINGS, prefix=prefix, poll_within=2.5 * SESSION)
