import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors import budget
from detectors.judge import Judge
from detectors.policy import Policy
from tests.judged import POLICY, SECONDS, Fleet, accused, judged, slowed

DAY = 86_400.0


@given(st.floats(1e-6, 100), st.floats(1, 600), st.integers(1, 10))
def test_all_checks_of_both_paths_together_spend_the_budget(each: float, seconds: float, checks: int) -> None:
    a_day = DAY / seconds * budget.SHARES * checks
    assert budget.per_check(each, seconds, checks) * a_day * 1000 == pytest.approx(each)


@given(st.floats(1e-6, 10), st.floats(1.1, 100))
def test_smaller_budget_asks_for_more_on_both_paths(large: float, factor: float) -> None:
    few, many = (budget.per_check(one, SECONDS) for one in (large / factor, large))
    assert budget.bar(few) > budget.bar(many)
    assert budget.cut(few, 4, 5) > budget.cut(many, 4, 5)


def test_bar_of_the_judge_follows_the_budget() -> None:
    bars = [judged(Fleet().windows(1), Policy(window=SECONDS, budget=one))[0].bar for one in (0.0001, 0.01, 1.0)]
    assert np.diff(bars) == pytest.approx([-np.log(100)] * 2)


def test_fewer_held_windows_must_be_larger() -> None:
    assert budget.cut(1e-9, 2, 2) > budget.cut(1e-9, 3, 3) > budget.cut(1e-9, 5, 5)


@pytest.mark.parametrize(("peers", "expected"), [(3, 0.039), (31, 0.030), (255, 0.024)])
def test_small_groups_need_a_larger_effect(peers: int, expected: float) -> None:
    assert budget.margin(0.02, peers) == pytest.approx(expected, abs=5e-4)


@given(st.floats(0, 1), st.integers(1, 100_000))
def test_margin_lies_between_one_and_two_tolerances(tolerance: float, peers: int) -> None:
    assert tolerance <= budget.margin(tolerance, peers) <= 2 * tolerance


@pytest.mark.parametrize("peers", [3, 7, 31])
def test_even_the_slowest_healthy_node_is_seldom_beyond_the_margin(peers: int) -> None:
    # A node at the very end of the tolerance, against the median of peers anywhere within it.
    others = np.random.default_rng(1).uniform(-0.02, 0.02, (100_000, peers))
    beyond = 0.02 - np.median(others, axis=1) > budget.margin(0.02, peers, chance=0.01)
    assert beyond.mean() == pytest.approx(0.01, rel=0.2)


@pytest.mark.parametrize(("held", "of"), [(4, 5), (3, 3)])
def test_tails_of_student_t_exceed_the_cut_no_more_often_than_allowed(held: int, of: int) -> None:
    noise = np.random.default_rng(1).standard_t(3, (200_000, of))
    often = ((noise > budget.cut(0.01, held, of)).sum(axis=1) >= held).mean()
    assert 0.005 < often <= 0.011


# Heavy tails, the largest differences that are tolerated, and the smallest groups that are decided.
HEALTHY = Fleet(nodes=2000, ranks=1, stages=500, steps=1, noise=0.01, tails=3, spread=0.02)


def test_a_million_healthy_node_windows_convict_nobody() -> None:
    judge, highest = Judge(POLICY), np.zeros(HEALTHY.nodes)
    for window in HEALTHY.windows(500):
        reading = judge.judge(window)
        assert not reading.conclusions
        highest = np.maximum(highest, reading.evidence)
    assert np.count_nonzero(highest > reading.bar / 2) <= 2


def test_same_fleet_convicts_a_node_that_is_at_fault() -> None:
    assert accused(judged(HEALTHY.windows(30, slowed(7, 2.0)))).keys() == {7}
