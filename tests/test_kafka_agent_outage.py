"""A real agent at its largest load while all brokers are away: bounded in everything, and quick to catch up.

``python -m tools.bench outage`` is the long form.
"""

import statistics

import pytest

from collectors.telemetry import encode
from tools.bench.outage import CATCH_UP, MISSED, MOST_MEMORY, Life, live

pytestmark = [pytest.mark.needs("kafka"), pytest.mark.timeout(240)]
MEGABYTE = 1 << 20
SOCKETS = 40
"""Those of attempts that failed wait for Python's garbage collector: some, and not more with every attempt."""


@pytest.fixture(scope="module")
def life(tmp_path_factory) -> Life:
    return live(tmp_path_factory.mktemp("outage"), MISSED)


def grown(values: list[float]) -> float:
    """The last third less the first."""
    third = max(1, len(values) // 3)
    return statistics.mean(values[-third:]) - statistics.mean(values[:third])


def test_memory_is_bounded_and_does_not_grow(life):
    assert max(look.memory for look in life.all) <= MOST_MEMORY * MEGABYTE
    assert grown([look.memory for look in life.during]) < MEGABYTE / 2


def test_threads_and_descriptors_do_not_pile_up(life):
    assert max(look.threads for look in life.all) <= max(look.threads for look in life.before) + 1
    assert max(look.descriptors for look in life.all) <= max(look.descriptors for look in life.before) + SOCKETS
    # They rise with each attempt and fall with each garbage collection: what must not rise is the floor.
    during = [look.descriptors for look in life.during]
    third = len(during) // 3
    assert min(during[-third:]) - min(during[:third]) < SOCKETS / 4


def test_the_disk_holds_what_waits_and_little_more(life):
    waiting = sum(len(encode(record)) for record in life.records[: life.waiting])
    assert max(look.disk for look in life.all) <= 2 * waiting + 8 * MEGABYTE, (
        "the write-ahead log has 4 MB of pages"
    )


def test_thirty_minutes_are_caught_up_at_twenty_times_real_time(life):
    assert life.waiting >= MISSED
    assert life.times_real >= CATCH_UP


def test_every_record_arrived_once_and_in_order(life):
    assert len({record.identity for record in life.records}) == len(life.records)
    assert [record.seq for record in life.records] == list(range(len(life.records)))
    assert not any("dropped" in reason for record in life.records for reason in record.gaps.values())
    assert life.code == 0
