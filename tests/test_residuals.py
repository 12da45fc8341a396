import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import ArrayLike

from detectors.cohorts import find_cohorts
from detectors.elasticity import Elasticity
from detectors.observed import Floats, Totals
from detectors.residuals import Residuals, _median_of_others, residuals, typical, work_of
from tests.judged import totals

FLOOR = 0.01


def compared(window: Totals, among: ArrayLike | None = None, elasticity: Elasticity | None = None) -> Residuals:
    there = np.ones(len(window.count), dtype=bool) if among is None else np.asarray(among)
    cohorts, work = find_cohorts(window, there, 3), work_of(window, there)
    expected = 0 * work.own if elasticity is None else elasticity.expected(window, work, cohorts)
    return residuals(work, expected, cohorts, FLOOR)


def test_group_of_four_as_in_the_public_trace_is_decided() -> None:
    # One of four stage peers at 2.35 times the others, the next at 1.004.
    found = compared(totals([2.35, 1.004, 1.0, 0.999]))
    score = found.log / found.scale
    assert np.exp(found.log[0]) == pytest.approx(2.35, rel=1e-3)
    assert score[0] > 80
    assert (np.abs(score[1:]) < 1).all()
    assert found.own[0] == pytest.approx(2.35)
    assert found.typical[0] == pytest.approx(1.0, rel=1e-3)


def test_own_work_is_per_step() -> None:
    found = compared(totals([[20.0], [30.0], [30.0], [30.0]], count=[10, 15, 15, 15]))
    assert found.log.tolist() == pytest.approx([0] * 4)
    assert found.own.tolist() == pytest.approx([2] * 4)


def test_ranks_of_another_stage_are_no_peers() -> None:
    assert compared(totals([[1.0, 3.0]] * 5, stage=[[0, 1]] * 5)).log.tolist() == pytest.approx([0] * 5)
    assert compared(totals([1.0, 1.0, 3.0, 3.0], stage=[0, 0, 1, 1])).log.tolist() == pytest.approx([0] * 4)


def test_rank_is_compared_with_the_ranks_in_its_place() -> None:
    # The last rank of each node has the longest work; the slow one is another.
    own = np.tile([1.0, 1.0, 1.0, 2.0], (6, 1))
    own[2, 1] = 1.5
    found = compared(totals(own))
    assert found.rank[2] == 1
    assert np.exp(found.log[2]) == pytest.approx(1.5)
    assert np.flatnonzero(found.log > 0.01).tolist() == [2]
    assert np.exp(found.beyond[2]).tolist() == pytest.approx([1, 1.5, 1, 1])


def test_slowest_rank_stands_for_its_node() -> None:
    own = np.ones((6, 4))
    own[2, 3] = 2.0
    found = compared(totals(own))
    assert found.rank[2] == 3
    assert found.log.argmax() == 2


def test_unknown_rank_is_left_out_and_not_taken_for_a_fast_one() -> None:
    own = np.ones((6, 1))
    own[1] = np.nan
    found = compared(totals(own))
    assert np.isnan(found.log).tolist() == [False, True, False, False, False, False]
    assert found.log[[0, 2]].tolist() == [0, 0]
    assert np.isnan(found.own[1])


def test_node_is_measured_by_its_known_ranks() -> None:
    own = np.ones((6, 2))
    own[1] = [np.nan, 1.5]
    found = compared(totals(own))
    assert found.rank[1] == 1
    assert np.exp(found.log[1]) == pytest.approx(1.5)


def test_section_that_few_report_is_no_own_work() -> None:
    data = np.array([5.0, np.nan, np.nan, np.nan])
    assert compared(totals(np.ones(4), sections={"data": data})).log.tolist() == [0] * 4


def test_node_without_a_section_that_most_report_is_unknown() -> None:
    data = np.array([np.nan, 1.0, 1.0, 1.0, 1.0])
    found = compared(totals(np.ones(5), sections={"data": data}))
    assert np.isnan(found.log).tolist() == [True, False, False, False, False]
    assert found.own[1] == pytest.approx(2.0)


def test_waiting_and_checkpoints_are_no_own_work() -> None:
    late = np.array([0.0, 9.0, 9.0, 9.0])
    found = compared(totals(np.ones(4), sections={"collective": late, "checkpoint": late[::-1]}))
    assert found.log.tolist() == [0] * 4


def test_nodes_that_did_other_steps_are_not_compared() -> None:
    found = compared(totals([1.0, 1.0, 1.0, 1.0, 7.0]), among=[True] * 4 + [False])
    assert np.isnan(found.log[4])
    assert found.log[:4].tolist() == [0] * 4


def test_two_peers_measure_each_other_without_a_spread_of_their_own() -> None:
    found = compared(totals([1.0, 2.0]))
    assert np.exp(found.log).tolist() == pytest.approx([0.5, 2.0])
    assert found.scale.tolist() == [FLOOR, FLOOR]


def test_wide_noise_among_peers_raises_what_is_needed() -> None:
    own = np.exp(np.random.default_rng(1).normal(0, 0.3, (200, 1)))
    found = compared(totals(own))
    assert found.scale == pytest.approx(0.3, rel=0.2)


def test_peers_that_agree_by_chance_are_given_the_spread_of_other_cohorts() -> None:
    own = np.exp(np.random.default_rng(1).normal(0, 0.1, 40))
    own[:4] = [1.0, 1.0, 1.0, 1.2]
    found = compared(totals(own, stage=np.arange(40) // 4))
    assert found.scale[3] > 4 * FLOOR


def test_suspect_does_not_widen_the_spread_it_is_measured_by() -> None:
    own = np.exp([-0.2, 0.0, 0.02, 2.0])
    assert compared(totals(own)).scale[3] == pytest.approx(1.4826 * 0.02)


def test_work_that_was_given_excuses_a_longer_time() -> None:
    random, elasticity = np.random.default_rng(1), Elasticity()
    for _ in range(20):
        work = np.exp(random.normal(0, 0.11, (16, 2)))
        slow = np.ones((16, 1))
        slow[5] = 1.2
        window = totals(slow * work**0.8 * np.exp(random.normal(0, 0.003, work.shape)), work=work)
        found = compared(window, elasticity=elasticity)
    assert found.log[5] == pytest.approx(np.log(1.2), abs=0.02)
    assert np.abs(np.delete(found.log, 5)).max() < 0.02
    assert found.typical == pytest.approx(found.own / np.exp(found.log))


def test_work_that_one_does_not_tell_corrects_nobody() -> None:
    elasticity = Elasticity()
    work = np.exp(np.random.default_rng(1).normal(0, 0.1, (16, 1)))
    compared(totals(work, work=work), elasticity=elasticity)
    some = work.copy()
    some[3] = np.nan
    assert compared(totals(work, work=some), elasticity=elasticity).log == pytest.approx(
        compared(totals(work)).log
    )


def test_equal_work_neither_corrects_nor_teaches() -> None:
    elasticity = Elasticity()
    own = np.exp(np.random.default_rng(1).normal(0, 0.1, (16, 1)))
    found = compared(totals(own, work=7.0), elasticity=elasticity)
    assert found.log.tolist() == compared(totals(own)).log.tolist()


@given(st.lists(st.floats(-10, 10), min_size=2, max_size=30))
def test_median_of_others_is_the_median_without_oneself(values: list[float]) -> None:
    array = np.array([values])
    expected = [float(np.median(np.delete(array[0], index))) for index in range(len(values))]
    assert _median_of_others(array)[0].tolist() == pytest.approx(expected)


@settings(deadline=None)
@given(arrays(float, st.tuples(st.integers(1, 9)), elements=st.one_of(st.floats(0, 9), st.just(float("nan")))))
def test_typical_is_the_median_of_the_known_others(values: Floats) -> None:
    cohorts = find_cohorts(totals(np.ones(len(values))), np.ones(len(values), dtype=bool), 3)
    found = typical(values, cohorts)
    for slot in range(len(values)):
        others = np.delete(values, slot)
        known = others[~np.isnan(others)]
        assert found[slot] == pytest.approx(float(np.median(known)) if len(known) else np.nan, nan_ok=True)


anything = st.one_of(st.floats(0, 1e9), st.sampled_from([float("nan"), float("inf"), -1.0, 0.0]))


@settings(max_examples=50, deadline=None)
@given(arrays(float, st.tuples(st.integers(0, 6), st.integers(1, 3)), elements=anything))
def test_any_values_give_finite_answers_for_those_compared(own: Floats) -> None:
    found = compared(totals(own))
    there = ~np.isnan(found.log)
    for answer in (found.log, found.scale, found.own, found.typical):
        assert np.isfinite(answer[there]).all()
        assert np.isnan(answer[~there]).all()


@pytest.mark.alone
def test_window_over_ten_thousand_nodes_takes_well_under_a_second() -> None:
    own = np.random.default_rng(1).normal(1.0, 0.005, (10_000, 8))
    own[77] *= 2
    window = totals(own)
    start = time.process_time()
    found = compared(window)
    spent = time.process_time() - start
    assert found.log.argmax() == 77
    assert spent < 0.5
