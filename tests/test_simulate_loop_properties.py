"""What holds in every month, whatever faults it has."""

import dataclasses
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.simulate.assumptions import HOUR, Assumptions
from guard.simulate.detection import AILMENTS, LATENESS, delay
from guard.simulate.faults import SLOWING, Kind, draw
from guard.simulate.fleet import JOB
from guard.simulate.repairs import QUANTILES
from guard.simulate.training import Training
from remediation.views import JobState
from tests.loop_months import SMALL, Regime, fault, lived, month

BUSY = Assumptions(nodes=16, spares=16, days=1.0, rate=200.0, transient=30.0, false=10.0)
"""Seven faults a day among 32 nodes, and spares enough for all of them."""

seeds = st.integers(0, 2**32)
months = settings(deadline=None, max_examples=10)


@months
@given(seeds)
def test_all_work_and_time_is_accounted_for(seed):
    faults = draw(BUSY, QUANTILES, seed)
    for regime in Regime:
        one = month(regime, *faults, given=BUSY)
        training = one.training
        assert 0 <= training.saved <= training.work + 1e-6 <= training.made + 2e-6
        assert training.made <= training.ran + 1e-6 <= BUSY.seconds + 2e-6
        assert sum(made for made, _ in training.by_day) == pytest.approx(training.made)
        job = one.fleet.job
        assert len(job.nodes) == (BUSY.nodes if job.state is JobState.RUNNING else 0)
        on_it = {n for n in range(BUSY.nodes + BUSY.spares) if JOB in one.fleet.node(n).jobs}
        assert len(on_it) == len(job.nodes)


@months
@given(seeds)
def test_guard_is_never_behind_hard_fault_checks_by_more_than_its_starts_cost(seed):
    faults = draw(BUSY, QUANTILES, seed)
    checks, guard = (lived(regime, faults, BUSY) for regime in (Regime.CHECKS, Regime.GUARD))
    # A start follows a wait for the time-out at most, and loses what was made since the last checkpoint.
    start = BUSY.hang_timeout + BUSY.restart + BUSY.write + BUSY.every
    assert guard.useful >= checks.useful - guard.starts * start


@months
@given(seeds)
def test_the_same_seed_gives_the_same_month(seed):
    again = [lived(Regime.GUARD, draw(BUSY, QUANTILES, seed), BUSY) for _ in range(2)]
    assert again[0] == again[1]


@months
@given(seeds, st.floats(0, 20), st.floats(0, 20))
def test_another_rate_of_one_kind_leaves_the_other_kinds_as_they_were(seed, one, other):
    def hard(false):
        given = Assumptions(nodes=16, spares=4, days=5.0, rate=100.0, false=false)
        return [
            dataclasses.replace(found, number=0)
            for found in draw(given, QUANTILES, seed)
            if found.kind is Kind.HARD
        ]

    assert hard(one) == hard(other)


@given(st.sampled_from(AILMENTS), st.floats(1.01, 5), st.floats(0, 1, exclude_max=True), st.floats(0, 1))
def test_delays_are_those_measured_and_grow_as_luck_fails(ailment, factor, luck, share):
    lucky, less = delay(ailment, factor, luck), delay(ailment, factor, luck * share)
    assert lucky is None or 30 < lucky - LATENESS < 1200
    assert less is None or (lucky is not None and lucky <= less)


def test_a_job_checkpoints_on_its_own_and_a_stop_loses_what_came_after():
    training = Training(SMALL)
    training.advance(SMALL.every * 2.5)
    training.stop()
    assert training.work == SMALL.every * 2
    training.advance(SMALL.every * 5)
    training.start()
    training.advance(SMALL.every * 5 + 100)
    assert training.work == SMALL.every * 2 + 100
    assert (training.made, training.ran) == (SMALL.every * 2.5 + 100, SMALL.every * 2.5 + 100)


def test_rates_are_those_that_were_given():
    given = Assumptions(nodes=1000, spares=24, days=30.0)
    faults = [draw(given, QUANTILES, seed) for seed in range(30)]
    for kind, rate in (
        (Kind.HARD, given.rate * (1 - given.slow - given.hang)),
        (Kind.SLOW, given.rate * given.slow),
    ):
        mean = statistics.mean(sum(one.kind is kind for one in some) for some in faults)
        assert mean == pytest.approx(rate * 1024 * 30 / 1000, rel=0.15)
    slow = [one.factor - 1 for some in faults for one in some if one.kind in SLOWING]
    assert given.excess_least <= min(slow) <= max(slow) <= given.excess_most


def test_a_node_that_is_away_has_no_faults():
    first = fault(Kind.HARD, time=HOUR, repair=10 * HOUR)
    again = fault(Kind.HARD, time=5 * HOUR, number=1, repair=HOUR)
    assert month(Regime.CHECKS, first, again).tally.faults == 1
