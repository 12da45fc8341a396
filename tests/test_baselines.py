"""What the methods of others find, and what they are known to get wrong."""

from dataclasses import replace

import numpy as np
import pytest

from simulation.baselines import BASELINES, Name, Peaks, accused, best_threshold, see
from simulation.baselines.seen import Last, deviations, middle
from simulation.baselines.zscore import ZScore
from simulation.case import Case, Fault, FaultKind, Shape
from simulation.stream import windows

THREE_TIMES = (Fault(FaultKind.COMPUTE, (5,), 600.0, None, 3.0),)
CLEAR = {
    Name.ZSCORE: 3.5,
    Name.NVRX: 0.25,
    Name.DLROVER: 2.0,
    Name.MINDER: 3.2,
    Name.GREYHOUND: 0.1,
    Name.FOREST: 0.5,
    Name.ARRIVAL: 0.3,
    Name.GUARD: 3.0,
}
"""The published thresholds, and where there are none, one that any operator might choose."""


def blamed(name, **given):
    """Everybody that a method accuses in a case."""
    baseline, found = BASELINES[name](), set()
    for observed in windows(Case(**({"seed": 7, "name": "c", "shape": Shape(16, devices=2)} | given))):
        strength = baseline.strength(see(observed))
        assert len(strength) == len(observed.active)
        found |= accused(strength, CLEAR[name])
    return found


@pytest.mark.parametrize("name", Name)
def test_everybody_finds_a_node_three_times_slower(name):
    assert 5 in blamed(name, faults=THREE_TIMES)


@pytest.mark.parametrize("name", sorted(set(Name) - {Name.ZSCORE, Name.FOREST, Name.MINDER}))
def test_most_blame_nobody_in_a_healthy_job(name):
    assert blamed(name) == set()


def test_z_over_all_ranks_flags_a_heavy_stage():
    (observed, *_) = windows(Case(3, "c", Shape(16, stages=4), minutes=1.0))
    seen = see(observed)
    heavy = np.repeat([1.0, 1.0, 1.0, 1.25], 4)[:, None]
    assert accused(ZScore().strength(replace(seen, ranks=seen.ranks * heavy)), 3.5) == {12, 13, 14, 15}


def test_distances_blame_a_node_that_differs_for_good():
    assert blamed(Name.MINDER)  # nobody is at fault here; nodes differ by up to 2 %


def test_the_last_arriver_blames_victims_in_the_culprits_pipeline():
    found = blamed(Name.ARRIVAL, shape=Shape(16, stages=4), faults=THREE_TIMES)
    assert found == {1, 5, 9, 13}


@pytest.mark.parametrize("name", [Name.NVRX, Name.DLROVER])
def test_published_ratios_miss_a_node_that_is_a_fifth_slower(name):
    assert blamed(name, faults=(Fault(FaultKind.COMPUTE, (5,), 600.0, None, 1.2),)) == set()


@pytest.mark.parametrize("name", [Name.ZSCORE, Name.NVRX, Name.DLROVER, Name.GREYHOUND])
def test_times_name_nobody_without_sections(name):
    assert blamed(name, sections=False, faults=THREE_TIMES) == set()


def test_baselines_have_nothing_to_say_of_a_job_of_which_nothing_is_known():
    (observed, *_) = windows(Case(3, "c", Shape(8), minutes=1.0))
    nobody = np.zeros(8, dtype=bool)
    blind = type(observed)(
        observed.start, observed.end, observed.totals, observed.signals, nobody, nobody, observed.domains
    )
    for kind in BASELINES.values():
        baseline = kind()
        for _ in range(40):
            assert not accused(baseline.strength(see(blind)), 0.5), kind.name


def test_the_best_threshold_parts_culprits_from_others():
    assert best_threshold([Peaks((3.0,), (1.0, 2.0)), Peaks((4.0,), (0.5,))]) == 2.5
    # Two false ones are worth less than one more culprit that is found.
    assert best_threshold([Peaks((5.0, 1.0), (2.0, 3.0, 4.0))]) == 4.5
    assert best_threshold([Peaks((None,), (2.0,))]) > 1e300


def test_a_memory_of_windows_knows_no_more_than_it_was_told():
    last = Last(2)
    assert np.isnan(last.sustained(np.array([1.0]))).all()
    assert last.sustained(np.array([2.0])).tolist() == [1.0]
    assert np.isnan(last.sustained(np.array([2.0, 9.0]))).tolist() == [False, True]
    assert np.isnan(last.sustained(np.array([np.nan, 9.0]))).tolist() == [True, False]


def test_medians_leave_out_what_is_not_known():
    values = np.array([[1.0, np.nan], [3.0, np.nan], [np.nan, np.nan]])
    assert middle(values)[0] == 2
    assert np.isnan(middle(values)[1])
    assert np.array_equal(deviations(np.zeros((4, 1))), np.zeros((4, 1)))
