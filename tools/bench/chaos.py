"""Ten minutes of telemetry of 200 nodes through brokers and detectors that are killed, one after another."""

import os
import tempfile
import time
from pathlib import Path

from tests.chaos import Outcome, run
from tools.bench.page import Figure, Section
from tools.kafka import KafkaCluster
from tools.kafka.topics import make_topics

_PERIODS = int(os.environ.get("GUARD_CHAOS_PERIODS", "60"))
_PACE = float(os.environ.get("GUARD_CHAOS_PACE", "1.3"))


def measure() -> Section:
    """The test ``tests/test_kafka_chaos.py`` in its long form; the network is not cut here."""
    seed = int(os.environ.get("GUARD_SEED", time.time_ns() % 2**32))
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as name, KafkaCluster(Path(name) / "kafka", nodes=3) as cluster:
        make_topics(cluster.bootstrap, replication=3)
        outcome = run(cluster, Path(name), periods=_PERIODS, pace=_PACE, seed=seed, network=None)
    print(f"  GUARD_SEED={seed}: {outcome}", flush=True)
    how = (
        f"{_PERIODS} periods of 10 s in {_PACE:g} s each, 200 nodes in four jobs; three brokers killed or ended, "
        f"one at a time, two detectors killed every 10-20 s; {time.monotonic() - start:.0f} s, GUARD_SEED={seed}."
    )
    return Section("Chaos on Kafka", how, _figures(outcome))


def _figures(outcome: Outcome) -> list[Figure]:
    wrong = sum(folded != wanted for folded, wanted in outcome.tallies.values())
    folded = sum(found.records for found, _ in outcome.tallies.values())
    kinds = ", ".join(
        f"{sum(event.startswith(kind) for event in outcome.events)} {told}"
        for kind, told in (
            ("kill broker", "brokers killed"),
            ("leave broker", "brokers ended"),
            ("kill detector", "detectors killed"),
        )
    )
    same = outcome.said.keys() == outcome.expected.keys()
    sent = f"{outcome.sent}, {outcome.on_bus} on the bus ({outcome.repeats} repeats)"
    return [
        Figure("disturbances", kinds),
        Figure("records sent", sent),
        Figure("missing", f"{outcome.missing}", "0", outcome.missing == 0),
        Figure("out of order in a node", f"{outcome.out_of_order}", "0", outcome.out_of_order == 0),
        Figure(
            "folded by the last snapshots; jobs whose identities are not each counted once",
            f"{folded}; {wrong}",
            "0",
            wrong == 0,
        ),
        Figure(
            "verdicts, repeats dropped by id; of the undisturbed run",
            f"{len(outcome.said)} and {outcome.repeated} repeats; {len(outcome.expected)}",
            "the same",
            same,
        ),
    ]
