"""Apache Kafka passes the contract of every bus."""

import pytest

from guard.bus.kafka import KafkaBus
from guard.bus.kafka_settings import KafkaSettings
from guard.topics.admin import Brokers
from guard.topics.plan import plan
from guard.topics.settings import Topics
from guard.topics.wanted import wanted
from tests.bus_contract import SESSION, BusContract

SETTINGS = KafkaSettings(session_timeout=SESSION)


@pytest.mark.needs("kafka")
@pytest.mark.timeout(180)
class TestKafkaBus(BusContract):
    polls_to_see_all = 80  # Kafka gives a partition's fetched chunk (2 MB at most) before the next partition's

    @pytest.fixture
    def make_bus(self, kafka, prefix):
        topics = wanted(Topics(replication=1, telemetry_partitions=4, other_partitions=4), prefix)
        with Brokers(kafka.bootstrap, {}) as brokers:
            list(brokers.carry_out(plan(topics, {})))
        return lambda: KafkaBus(kafka.bootstrap, SETTINGS, prefix=prefix, poll_within=2 * SESSION)
