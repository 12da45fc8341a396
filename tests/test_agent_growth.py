"""The agent at its largest load (32 runtimes, 64 ranks), 24 periods: bounded, no growth, no period missing.

``python -m tools.bench agent`` is the long form, over 720 periods.
"""

import statistics

import pytest

from tools.bench.agent import MOST_MEMORY, Life, live

pytestmark = pytest.mark.alone

PERIODS = 24
MEGABYTE = 1 << 20


@pytest.fixture(scope="module")
def life() -> Life:
    return live(PERIODS)


def test_memory_is_bounded_and_does_not_grow(life):
    assert max(life.memory) <= MOST_MEMORY * MEGABYTE
    third = PERIODS // 3
    grown = statistics.mean(life.memory[-third:]) - statistics.mean(life.memory[third:-third])
    assert grown < MEGABYTE / 2


def test_no_period_is_missing(life):
    assert [record.seq for record in life.records] == list(range(len(life.records)))
    times = [record.time for record in life.records]
    assert times == [times[0] + number for number in range(len(times))]
    assert len(times) >= PERIODS - 5, "a busy machine starts it late"


def test_the_load_was_there(life):
    steady = life.records[10:-1]
    assert all(len(record.ranks.rank) == 64 for record in steady)
    assert sum(sum(record.steps.count) for record in life.records) >= 64 * len(steady)
    assert sum("neuron.core.utilization" in record.gauges for record in steady) > len(steady) / 2


def test_it_ends_in_time_and_well(life):
    assert life.code == 0
    assert life.ended <= 2
