"""Apache Kafka passes the contract of every bus."""

import pytest

from guard.bus.kafka import KafkaBus
from guard.bus.kafka_settings import KafkaSettings
from tests.bus_contract import SESSION, BusContract
from tools.kafka.topics import make_topics

SETTINGS = KafkaSettings(session_timeout=SESSION)


@pytest.mark.needs("kafka")
@pytest.mark.timeout(180)
class TestKafkaBus(BusContract):
    polls_to_see_all = 80  # Kafka gives a partition's fetched chunk (2 MB at most) before the next partition's

    @pytest.fixture
    def make_bus(self, kafka, prefix):
        make_topics(kafka.bootstrap, prefix)
        return lambda: KafkaBus(kafka.bootstrap, SETTINGS, prefix=prefix, poll_within=2 * SESSION)
