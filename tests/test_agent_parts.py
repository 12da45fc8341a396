"""The agent's rhythm, its panel of collectors, and the record it makes of them."""

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors import telemetry
from collectors.reading import Gap, Now, Reading
from guard.agent.panel import Panel
from guard.agent.record import Identity, assemble
from guard.agent.rhythm import next_end, sending_delay

NOW = Now(wall=1_790_000_010.0, monotonic=50.0)
IDENTITY = Identity("c", "n", "i-1", "b", 10.0, {"rack": "r1"})


class Source:
    deadline = 0.2

    def __init__(self, name, answer):
        self.name = name
        self.answer = answer
        self.closed = False

    def collect(self, now):
        return self.answer(now)

    def close(self):
        self.closed = True


@given(st.floats(1e9, 4e9), st.sampled_from([1.0, 2.0, 5.0, 10.0, 60.0]))
def test_periods_end_at_multiples_of_the_period_on_every_node(wall, period):
    end = next_end(wall, period)
    assert wall < end <= wall + period
    assert end % period == 0


@given(st.text(), st.text(), st.floats(0.1, 600))
def test_sending_is_spread_within_the_period_and_steady_for_a_node(cluster, node, period):
    assert 0 <= sending_delay(cluster, node, period) < period
    assert sending_delay(cluster, node, period) == sending_delay(cluster, node, period)


def test_a_fleet_does_not_speak_at_once():
    delays = [sending_delay("c", f"n{number}", 10.0) for number in range(1000)]
    for second in range(8):
        assert 60 < sum(second <= delay < second + 1 for delay in delays) < 200


@pytest.mark.alone
def test_a_collector_that_fails_or_hangs_costs_the_others_nothing():
    let_go = threading.Event()
    good = Source("good", lambda _: Reading(gauges={"host.load1": 1.0}))
    bad = Source("bad", lambda _: 1 / 0)
    slow = Source("slow", lambda _: let_go.wait(30) and Reading())
    panel = Panel([good, bad, slow])
    try:
        start = time.monotonic()
        answers = panel.collect(NOW)
        assert time.monotonic() - start < 2
        assert answers["good"].gauges == {"host.load1": 1.0}
        assert answers["bad"] == Gap("failed: ZeroDivisionError: division by zero")
        assert answers["slow"] == Gap("no answer within 0.2 s")
        later = Now(NOW.wall + 10, NOW.monotonic + 10)
        assert panel.collect(later)["slow"] == Gap("hangs for 10 s")
        assert threading.active_count() < 10
        let_go.set()
        deadline = time.monotonic() + 10
        while panel.collect(Now(NOW.wall + 20, NOW.monotonic + 20))["slow"] != Reading():
            assert time.monotonic() < deadline
    finally:
        let_go.set()
        panel.close()
    assert good.closed
    assert slow.closed


def test_a_record_carries_readings_gaps_and_configured_labels():
    answers = {
        "steps": Reading(job=telemetry.Job("j"), ranks=telemetry.Ranks([0]), steps=telemetry.Steps([0])),
        "host": Reading(
            gauges={"host.load1": 2.0}, labels={"rack": "found", "az": "a"}, notes={"host.psi": "none"}
        ),
        "efa": Gap("no EFA adapter"),
    }
    record = assemble(IDENTITY, 7, NOW.wall, answers, {"spool": "3 dropped"})
    assert record.job.id == "j"
    assert record.labels == {"rack": "r1", "az": "a"}
    assert record.gaps == {"efa": "no EFA adapter", "host.psi": "none", "spool": "3 dropped"}
    assert telemetry.decode(telemetry.encode(record)) == record
    assert record.key == "c/j"


def test_an_idle_node_is_keyed_by_its_name():
    assert assemble(IDENTITY, 0, NOW.wall, {}, {}).key == "c/n"
