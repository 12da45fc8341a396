"""Clocks, from when nodes say that the same step ended."""

import time

import numpy as np
import pytest

from detectors.observed import Latest
from detectors.skew import clock_skew


def latest(last_step, last_end) -> Latest:
    step, end = np.array(last_step), np.array(last_end, float)
    nothing = np.full(step.shape, -1)
    return Latest(end[:, 0], nothing, end * np.nan, nothing, step, end, nothing, ())


def test_clock_that_is_ahead_is_seen_among_those_that_ended_the_same_step():
    table = latest(
        [[7, 7], [7, 7], [7, 7], [6, 6], [-1, -1]], [[100.0] * 2, [100.25] * 2, [103.0] * 2, [90.0] * 2, [5.0] * 2]
    )
    np.testing.assert_allclose(clock_skew(table), [-0.25, 0.0, 2.75, np.nan, np.nan])


def test_two_nodes_share_the_difference_and_unknown_times_say_nothing():
    np.testing.assert_allclose(
        clock_skew(latest([[1], [1], [1]], [[10.0], [12.0], [np.nan]])), [-1.0, 1.0, np.nan]
    )


def test_no_nodes_no_clocks():
    assert not len(clock_skew(latest(np.zeros((0, 4), int), np.zeros((0, 4)))))


@pytest.mark.alone
def test_the_largest_fleet_takes_a_blink():
    chance = np.random.default_rng(1)
    offset = chance.normal(0, 0.001, 62_500)
    step = np.repeat(chance.integers(1000, 1002, 62_500)[:, None], 64, axis=1).astype(np.int32)
    end = np.broadcast_to((1.79e9 + step[:, 0] + offset)[:, None], step.shape)
    start = time.perf_counter()
    found = clock_skew(latest(step, end))
    assert time.perf_counter() - start < 2
    assert found == pytest.approx(offset, abs=1e-4)
