"""Simulated jobs: barriers hold, sums add up, faults cost what they say, and the same seed gives the same."""

from dataclasses import replace

import numpy as np
import pytest

from detectors.observed import Observed
from detectors.verdict import Cause, Role
from simulation.case import START, Case, Disturbance, Fault, FaultKind, Noise, Shape
from simulation.stream import draw, scenes, windows

SMALL = Case(seed=3, name="small", minutes=20)


def faulty(kind: FaultKind, factor: float = 1.5, **fault) -> Case:
    return replace(SMALL, shape=Shape(12), faults=(Fault(kind, (5,), 400, factor=factor, **fault),))


def step_time(window: Observed) -> float:
    return float(np.nanmedian(window.totals.duration / window.totals.count))


def residuals(case: Case, begin: float = 420) -> np.ndarray:
    """Log own work of each node and rank over the median of all, summed from a time on."""
    own = sum(w.totals.sections[:3].sum(axis=0) for w in windows(case) if w.start >= START + begin)
    return np.log(own / np.median(own))


def after(case: Case) -> float:
    early = np.mean([step_time(w) for w in windows(case) if w.end <= START + 400])
    return float(np.mean([step_time(w) for w in windows(case) if w.start >= START + 420]) / early)


@pytest.mark.parametrize("seed", range(4))
def test_durations_are_equal_and_sections_add_up(seed):
    case = replace(SMALL, seed=seed, shape=Shape(16, stages=2, tensor=2), disturbances=frozenset(Disturbance))
    case = replace(case, disturbances=case.disturbances - {Disturbance.CLOCK_SKEW, Disturbance.EXPERT_IMBALANCE})
    for window in windows(case):
        totals = window.totals
        same = totals.duration[window.among & (totals.count.max(axis=1) == totals.count.max())]
        assert np.ptp(same) == 0
        assert np.allclose(totals.sections.sum(axis=0), totals.duration, rtol=1e-5, atol=1e-5)
        assert (totals.sections[3] >= 0).all()


def test_the_same_case_gives_the_same_and_another_seed_another():
    def last(case: Case) -> Observed:
        *_, window = windows(case)
        return window

    case = replace(SMALL, disturbances=frozenset({Disturbance.CHECKPOINT, Disturbance.LOST}))
    assert np.array_equal(last(case).totals.sections, last(case).totals.sections)
    assert np.array_equal(last(case).signals.values, last(case).signals.values, equal_nan=True)
    assert not np.array_equal(last(case).totals.sections, last(replace(case, seed=4)).totals.sections)


def test_healthy_nodes_differ_by_what_the_noise_says():
    quiet = residuals(replace(SMALL, shape=Shape(32), noise=Noise(rank=0.0, spread=0.02)), 0)
    assert 0.005 < quiet.std() < 0.02
    unequal = replace(SMALL, noise=Noise(work=0.11, given=True))
    one = next(iter(windows(unequal)))
    own = one.totals.sections[0]
    assert np.std(np.log(own / one.totals.work)) < 0.02 < np.std(np.log(own))


@pytest.mark.parametrize(
    "kind", [FaultKind.COMPUTE, FaultKind.MEMORY, FaultKind.HOST, FaultKind.INPUT, FaultKind.INTERMITTENT]
)
def test_a_fault_lengthens_own_work_as_it_says_and_the_step_with_it(kind):
    case = faulty(kind, every=10 if kind is FaultKind.INTERMITTENT else 1)
    assert residuals(case)[5] == pytest.approx(np.log(1.5), abs=0.06)
    assert np.abs(np.delete(residuals(case), 5, axis=0)).max() < 0.05
    assert after(case) == pytest.approx(1.4, abs=0.1)


def test_only_ranks_of_a_bad_device_are_slow():
    slow = residuals(faulty(FaultKind.DEVICE, rank=3))
    assert (slow[5] > 0.3).tolist() == [False, False, True, True]
    assert (residuals(faulty(FaultKind.CORE, rank=3))[5] > 0.3).tolist() == [False, False, False, True]


@pytest.mark.parametrize("kind", [FaultKind.LINK, FaultKind.STORAGE])
def test_some_faults_slow_the_job_and_nobodys_own_work(kind):
    case = faulty(kind)
    assert np.abs(residuals(case)).max() < 0.05
    steps = draw(case).steps
    late = slice(45, None)
    share = 1 - steps.ideal[late].sum() / steps.duration[late].max(axis=1).sum()
    assert share == pytest.approx(0.28, abs=0.06)


def test_a_slow_link_shows_in_the_counters_of_its_node():
    *_, window = windows(faulty(FaultKind.LINK))
    column = window.signals.names.index("efa.retrans_pkts")
    assert window.signals.values[:, column].argmax() == 5


def test_truth_names_who_is_to_be_accused():
    assert SMALL.truth == {}
    assert faulty(FaultKind.DEVICE, rank=3).truth == {5: (Role.CULPRIT, Cause.COMPUTE, 1)}
    assert faulty(FaultKind.LINK).truth[5].role is Role.LINK
    assert faulty(FaultKind.AGENT).truth == {}
    rack = replace(SMALL, shape=Shape(32, rack=8), faults=(Fault(FaultKind.RACK, tuple(range(8, 16)), 300),))
    assert rack.truth == {}
    assert rack.domain == ("rack", 1)
    assert rack.onset == START + 300


def test_in_a_hang_no_window_closes_and_the_culprit_is_not_in_a_collective():
    case = faulty(FaultKind.HANG, rank=2)
    *_, last = scenes(case)
    assert last.observed is None
    waiting = last.latest.sections.index("collective")
    assert list(zip(*np.where(last.latest.current != waiting), strict=True)) == [(5, 2)]
    assert np.ptp(last.latest.last_step) == 0
    assert last.latest.age.min() > 700


def test_a_hard_error_is_reported_once():
    told = [scene.reported for scene in scenes(faulty(FaultKind.HARD, factor=1.0, rank=3)) if scene.reported]
    assert len(told) == 1
    assert told[0][5][0].device == 1


def test_a_window_waits_for_a_step():
    lengths = {window.end - window.start for window in windows(replace(SMALL, step=15.0))}
    assert lengths == {10.0, 20.0}
    assert all((window.totals.count > 0).any() for window in windows(replace(SMALL, step=15.0)))


def test_a_job_without_synchronised_sections_tells_only_steps():
    for case in (replace(SMALL, sections=False), replace(SMALL, synced=False)):
        window = next(iter(windows(case)))
        assert np.isnan(window.totals.sections).all()
        assert not np.isnan(window.totals.duration).any()


def test_nodes_that_are_not_heard_of_are_not_compared():
    case = replace(SMALL, disturbances=frozenset({Disturbance.AGENT_DEATH, Disturbance.RESIZE}))
    *_, window = windows(case)
    gone = ~window.active
    assert 1 <= gone.sum() <= 3
    assert not window.among[gone].any()
    assert (window.totals.count[gone] == 0).all()
    assert np.isnan(window.signals.values[gone]).all()
    assert not np.isnan(window.signals.values[~gone]).any()


def test_windows_of_several_periods_hold_the_same():
    short, long = list(windows(SMALL)), list(windows(SMALL, 30.0))
    assert len(short) == 3 * len(long)
    assert np.allclose(sum(w.totals.duration for w in short), sum(w.totals.duration for w in long), rtol=1e-5)
    assert np.allclose(
        np.mean([w.signals.values for w in short[:3]], axis=0)[:, :8], long[0].signals.values[:, :8], rtol=1e-4
    )
