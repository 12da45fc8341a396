"""Nothing is lost, nothing counts twice, and the verdicts are the same, whatever dies in between."""

import os
import time

import pytest

from tests.chaos import accused, run
from tests.disturbance import Network
from tools.kafka.topics import make_topics

SEED = int(os.environ.get("GUARD_SEED", time.time_ns() % 2**32))
PERIODS = int(os.environ.get("GUARD_CHAOS_PERIODS", "12"))
PACE = float(os.environ.get("GUARD_CHAOS_PACE", "1.3"))
"""Of the 45 periods: a minute for CI. `make bench` sends ten minutes of records at the same pace."""


@pytest.mark.needs("kafka", "netns")
@pytest.mark.timeout(900)
def test_every_record_counts_once_and_the_verdicts_are_those_of_the_undisturbed_run(cut_kafka3, network, tmp_path):
    print(f"GUARD_SEED={SEED}")
    make_topics(cut_kafka3.bootstrap, replication=3)
    trouble = Network(network.cut, network.heal)
    outcome = run(cut_kafka3, tmp_path, periods=PERIODS, pace=PACE, seed=SEED, network=trouble)
    print(outcome)
    assert outcome.missing == outcome.out_of_order == outcome.late == 0
    assert outcome.tallies
    for job, (folded, wanted) in outcome.tallies.items():
        assert folded == wanted, job
    assert outcome.said.keys() == outcome.expected.keys()
    assert accused(outcome) == {"job-1-node-008", "job-3-node-010"}
