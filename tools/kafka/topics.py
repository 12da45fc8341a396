"""Guard's topics on a cluster for tests and benchmarks."""

from guard.topics.admin import Brokers
from guard.topics.plan import plan
from guard.topics.settings import Topics
from guard.topics.wanted import wanted


def make_topics(bootstrap: str, prefix: str = "", *, replication: int = 1, partitions: int = 4) -> None:
    """Guard's topics, as ``guard topics apply`` makes them; back when every broker knows them."""
    settings = Topics(replication=replication, telemetry_partitions=partitions, other_partitions=partitions)
    topics = wanted(settings, prefix)
    with Brokers(bootstrap, {}) as brokers:
        list(brokers.carry_out(plan(topics, brokers.existing(topics))))
        brokers.settled(lambda: plan(topics, brokers.existing(topics)))
