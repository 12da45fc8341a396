import time
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from detectors.alignment import in_step
from detectors.observed import Floats, Totals
from detectors.peers import _median_of_others, compare
from detectors.policy import Policy

POLICY = Policy()


def totals(compute: Floats, stage: int | Floats = 0) -> Totals:
    shape = compute.shape
    nothing = np.full(shape, np.nan)
    return Totals(
        count=np.full(shape, 1.0),
        first=np.zeros(shape),
        last=np.zeros(shape),
        duration=np.full(shape, 2.0),
        slowest=np.full(shape, 2.0),
        work=nothing,
        sections=np.stack([compute, nothing, nothing, nothing, nothing]),
        part=np.broadcast_to(np.asarray(stage), shape).astype(int),
        stage=np.broadcast_to(np.asarray(stage), shape).astype(int),
        depth=np.broadcast_to(np.asarray(stage), shape).astype(int),
        pipeline=np.full(shape, -1),
        device=np.zeros(shape, dtype=int),
    )


def everybody(compute: Floats) -> np.ndarray:
    return np.ones(len(compute), dtype=bool)


def test_group_of_four_as_in_the_public_trace_is_decided() -> None:
    # One of four stage peers at 2.35 times the others, the next at 1.004.
    compute = np.array([[2.35], [1.004], [1.0], [0.999]])
    comparison = compare(totals(compute), everybody(compute), POLICY)
    assert comparison.bad.tolist() == [True, False, False, False]
    assert comparison.peers.tolist() == [3, 3, 3, 3]
    assert comparison.recovered[0] == pytest.approx(1.346)


def test_ranks_of_another_stage_are_no_peers() -> None:
    compute = np.array([[1.0, 3.0]] * 5)
    comparison = compare(totals(compute, np.array([[0, 1]] * 5)), everybody(compute), POLICY)
    assert not comparison.bad.any()


def test_slowest_rank_stands_for_its_node() -> None:
    compute = np.ones((6, 4))
    compute[2, 3] = 2.0
    comparison = compare(totals(compute), everybody(compute), POLICY)
    assert comparison.bad.nonzero()[0].tolist() == [2]
    assert comparison.rank[2] == 3


def test_unknown_rank_is_left_out_and_not_taken_for_a_fast_one() -> None:
    compute = np.ones((6, 1))
    compute[1] = np.nan
    comparison = compare(totals(compute), everybody(compute), POLICY)
    assert comparison.compared.tolist() == [True, False, True, True, True, True]
    assert comparison.peers[0] == 4


def test_wide_noise_among_peers_raises_what_is_needed() -> None:
    compute = np.exp(np.random.default_rng(1).normal(0, 0.3, (200, 1)))
    assert compare(totals(compute), everybody(compute), POLICY).bad.sum() == 0


@given(st.lists(st.floats(-10, 10), min_size=2, max_size=30))
def test_median_of_others_is_the_median_without_oneself(values: list[float]) -> None:
    array = np.array(values)
    expected = [float(np.median(np.delete(array, index))) for index in range(len(array))]
    assert _median_of_others(array).tolist() == pytest.approx(expected)


@settings(max_examples=100, deadline=None)
@given(
    arrays(
        float,
        st.tuples(st.integers(0, 6), st.integers(1, 3)),
        elements=st.one_of(st.floats(0, 1e9), st.just(float("nan"))),
    )
)
def test_any_values_give_finite_answers_for_those_compared(compute: Floats) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        comparison = compare(totals(compute), everybody(compute), POLICY)
    for answer in (comparison.score, comparison.ratio, comparison.own, comparison.recovered):
        assert np.isfinite(answer[comparison.compared]).all()


def test_nodes_within_a_step_are_in_step_and_others_are_not() -> None:
    compute = np.ones((5, 1))
    window = totals(compute)
    window.first[:, 0] = [10, 10, 11, 10, 14]
    window.last[:, 0] = [20, 20, 21, 20, 24]
    stepped, agrees = in_step(window, everybody(compute))
    assert stepped.all()
    assert agrees.tolist() == [True, True, True, True, False]


def test_window_over_ten_thousand_nodes_takes_well_under_a_second() -> None:
    compute = np.random.default_rng(1).normal(1.0, 0.005, (10_000, 8))
    compute[77] *= 2
    window, among = totals(compute), everybody(compute)
    start = time.process_time()
    in_step(window, among)
    comparison = compare(window, among, POLICY)
    spent = time.process_time() - start
    assert comparison.bad.nonzero()[0].tolist() == [77]
    assert spent < 0.5
