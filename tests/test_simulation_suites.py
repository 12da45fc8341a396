"""Suites of cases and the endless healthy fleet."""

from itertools import islice

import numpy as np
import pytest

from simulation.case import START, Disturbance, FaultKind
from simulation.healthy import WINDOW, Fleet
from simulation.stream import windows
from simulation.suites import Suite, suite

ANYBODY = {Suite.FAULTY, Suite.MILD, Suite.UNSECTIONED, Suite.SEVERE, Suite.SLIGHT, Suite.INTERMITTENT, Suite.HANG}


@pytest.mark.parametrize("name", Suite)
def test_a_suite_is_cheap_seeded_and_says_who_is_at_fault(name):
    cases = list(suite(name, 60, 1))
    assert cases == list(suite(name, 60, 1))
    assert len({case.name for case in cases}) == 60
    assert not {case.seed for case in cases} & {case.seed for case in suite(name, 60, 2)}
    for case in cases:
        assert bool(case.truth) == (name in ANYBODY)
        assert 8 <= case.shape.nodes <= 256
        assert 0.5 <= case.step <= 20
        if case.onset is not None:
            assert START + 300 <= case.onset <= START + 720


def test_never_goes_through_every_disturbance_and_every_pair():
    cases = list(suite("never", 190, 1))
    assert {case.disturbances for case in cases if len(case.disturbances) == 1} == {
        frozenset({one}) for one in Disturbance
    }
    assert len({case.disturbances for case in cases}) == 190


def test_two_culprits_are_few_among_their_peers():
    two = [case for case in suite("faulty", 200, 1) if len(case.faults) == 2]
    assert two
    for case in two:
        peers = case.shape.replicas // case.shape.experts
        assert len(case.truth) == 2
        assert 2 / peers < 0.2


def test_an_intermittent_fault_and_a_steady_one_differ_in_nothing_else():
    first, second = suite("intermittent", 2, 1)
    assert (first.shape, first.seed, first.step) == (second.shape, second.seed, second.step)
    assert first.faults[0].kind is FaultKind.INTERMITTENT
    assert second.faults[0].kind is FaultKind.COMPUTE
    assert first.faults[0].nodes == second.faults[0].nodes


@pytest.mark.parametrize("name", ["healthy", "faulty", "never", "unsectioned"])
def test_cases_of_a_suite_can_be_run(name):
    for case in suite(name, 4, 3):
        assert all(np.isfinite(window.totals.duration).all() for window in windows(case))


def test_an_unknown_suite_is_refused():
    with pytest.raises(ValueError, match="nothing"):
        next(suite("nothing", 1, 1))


def test_a_day_of_the_fleet_can_be_made_again_without_those_before():
    fleet = Fleet(300, 5)
    third = list(islice(Fleet(300, 5).day(3), 4))
    for ours, again in zip(islice(fleet.day(3), 4), third, strict=True):
        for one, other in zip(ours, again, strict=True):
            assert np.array_equal(one.totals.sections, other.totals.sections)
            assert np.array_equal(one.signals.values, other.signals.values, equal_nan=True)
    assert not np.array_equal(next(fleet.day(4))[0].totals.duration, third[0][0].totals.duration)


def test_the_fleet_is_what_a_detector_reads():
    fleet = Fleet(400, 7)
    ends = [START] * len(fleet.jobs)
    for observed in islice(fleet.day(0), 300):
        for index, one in enumerate(observed):
            totals = one.totals
            assert one.start == ends[index]
            ends[index] = one.end
            assert (one.end - one.start) % WINDOW == 0
            assert np.allclose(totals.sections.sum(axis=0), totals.duration, rtol=1e-4, atol=1e-3)
            assert (totals.sections >= 0).all()
            assert np.ptp(totals.duration[one.among]) == 0
            assert not np.isnan(one.signals.values[one.active]).any()
            assert one.signals.values.shape == (len(one.active), len(one.signals.names))
    mean = (ends[0] - START) / 300
    assert WINDOW <= mean < 1.6 * WINDOW


def test_windows_of_the_fleet_hold_the_time_that_they_say():
    fleet = Fleet(400, 7)
    spent = length = 0.0
    for observed in islice(fleet.day(1), 300):
        for one in observed:
            spent += float(one.totals.duration.max())
            length += one.end - one.start
    assert spent == pytest.approx(length, rel=0.1)
