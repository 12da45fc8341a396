"""The demo's own topics on Kafka: ``demo.guard.telemetry`` and so on, and groups named likewise.

On a cluster that others use, the demo's detector must not join theirs: it would take partitions over from it, and
judge real nodes by a demo's thresholds.
"""

from guard.bus import BusError, Topic, open_bus
from guard.bus.kafka_credentials import Credentials
from guard.bus.kafka_settings import KafkaSettings
from guard.topics.admin import Brokers
from guard.topics.plan import Plan, plan
from guard.topics.settings import Topics
from guard.topics.wanted import wanted

_HOUR = 3600.0
_WANTED = Topics(
    replication=1,  # one broker will do, and nobody misses a demo's records
    telemetry_partitions=4,
    other_partitions=1,
    telemetry_seconds=_HOUR,
    telemetry_bytes=64 << 20,
    verdicts_seconds=_HOUR,
    control_seconds=_HOUR,
    deadletter_seconds=_HOUR,
)


class TopicsMissingError(Exception):
    """The demo's topics are not there and could not be made. The text says how to get them."""


def ready(address: str, settings: KafkaSettings) -> bool:
    """Make what is missing of the topics behind ``settings.prefix``; whether anything was.

    Raises:
        TopicsMissingError: the brokers do not let us.
        BusError: not an address of Kafka, or credentials that cannot be used.
    """
    if _there(address, settings):  # then no right to look at their configuration is needed
        return False
    topics = wanted(_WANTED, settings.prefix)
    try:
        with Brokers(address.partition("://")[2], Credentials(settings).options()) as brokers:
            missing = plan(topics, brokers.existing(topics)).creations
            for _ in brokers.carry_out(Plan(missing)):
                pass
            brokers.settled(lambda: Plan(plan(topics, brokers.existing(topics)).creations))
    except BusError as error:
        raise TopicsMissingError(
            f"{error}. The demo needs topics of its own, {settings.prefix}guard.*: `guard topics apply` makes "
            f"them with `prefix: {settings.prefix}` in the section `kafka` of the configuration"
        ) from error
    return True


def _there(address: str, settings: KafkaSettings) -> bool:
    with open_bus(address, settings) as bus:
        try:
            return all(bus.partitions(topic) for topic in Topic)
        except BusError:
            return False
