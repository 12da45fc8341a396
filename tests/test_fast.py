import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.cohorts import find_cohorts
from detectors.fast import Fast, FastState, without_slowest
from detectors.policy import Fast as FastPolicy
from detectors.residuals import residuals, work_of
from tests.judged import SECONDS, totals

LARGE, SEVERE, WELL = 1.6, 3.0, 1.0
RULE = FastPolicy(held=4, of=5, severe_held=3)
UNKNOWN = float("nan")


def fresh() -> Fast:
    return Fast(RULE, 1e-10)


def push(fast: Fast, factors: list[float], start: float = 0.0, *, burst: float = 0.0) -> np.ndarray:
    """Note a window of ten steps, of seven healthy nodes and then these; `burst`: excess of one step alone."""
    own = 10 * np.array([1.0, 1.01, 0.99, 1.0, 1.0, 1.01, 0.99, *factors])
    own[7:] += burst
    everybody = np.ones(len(own), dtype=bool)
    slowest = 1.05 + burst
    window = totals(own, count=10, duration=10.5 + burst, slowest=slowest)
    work = work_of(window, everybody)
    found = residuals(work, 0 * work.own, find_cohorts(window, everybody, 3), 0.01)
    return fast.push(without_slowest(found, window), found.log / found.scale, start)


def after(factors: list[float]) -> Fast:
    """The fast path after one node had these factors, a window each."""
    fast = fresh()
    for number, factor in enumerate(factors):
        push(fast, [factor], number * SECONDS)
    return fast


def held(fast: Fast, slot: int = 7) -> bool:
    return bool(fast.held()[slot])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=12))
def test_large_means_four_of_the_last_five(large: list[bool]) -> None:
    assert held(after([LARGE if one else WELL for one in large])) == (sum(large[-5:]) >= 4)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([SEVERE, LARGE, WELL]), min_size=1, max_size=3))
def test_severe_means_three_in_a_row(factors: list[float]) -> None:
    assert held(after(factors)) == (factors == [SEVERE] * 3)


def test_moderate_slowness_is_not_for_the_fast_path() -> None:
    assert not held(after([1.45] * 20))


def test_healthy_nodes_are_never_held() -> None:
    assert not after([SEVERE] * 10).held()[:7].any()


def test_one_good_window_among_bad_ones_does_not_end_it() -> None:
    fast = after([WELL, LARGE, LARGE, WELL, LARGE, LARGE])
    assert held(fast)
    assert fast.since(7) == SECONDS


def test_next_deviation_has_its_own_beginning() -> None:
    assert after([LARGE] + [WELL] * 5 + [LARGE]).since(7) == 6 * SECONDS


def test_window_without_comparison_counts_for_nothing() -> None:
    assert held(after([LARGE, LARGE, LARGE, UNKNOWN, UNKNOWN, UNKNOWN, LARGE]))
    assert not held(after([LARGE, LARGE, LARGE, UNKNOWN, UNKNOWN, UNKNOWN]))


def test_single_slowest_step_of_a_window_is_left_out() -> None:
    # A recompilation: one step takes half a minute more, in window after window, the others as ever.
    fast = fresh()
    for _ in range(10):
        assert not push(fast, [WELL], burst=30.0).any()
    assert not fast.held().any()


def test_slow_node_is_held_although_one_of_its_steps_was_slower_still() -> None:
    fast = fresh()
    for _ in range(5):
        push(fast, [LARGE], burst=30.0)
    assert held(fast)


@pytest.mark.parametrize("count", [1, 2, 3, 10])
def test_slowness_of_every_step_is_what_it_is_however_few_steps_a_window_has(count: int) -> None:
    own = count * np.array([1.0] * 7 + [1.5])
    everybody = np.ones(8, dtype=bool)
    window = totals(own, count=count, duration=2.0 * count, slowest=2.0)
    found = residuals(work := work_of(window, everybody), 0 * work.own, find_cohorts(window, everybody, 3), 0.01)
    assert without_slowest(found, window) == pytest.approx([1.0] * 7 + [1.5])


def test_large_deviation_within_the_noise_of_the_peers_is_none() -> None:
    fast, random = fresh(), np.random.default_rng(1)
    for _ in range(20):
        push(fast, list(np.exp(random.normal(0, 0.5, 40))))
        assert not fast.held().any()


def test_nodes_that_come_later_start_without_history() -> None:
    fast = after([LARGE] * 4)
    push(fast, [LARGE, LARGE])
    assert (held(fast, 7), held(fast, 8)) == (True, False)


def test_cleared_slot_is_forgotten() -> None:
    fast = after([SEVERE] * 5)
    fast.clear(np.array([7]))
    assert not held(fast)
    push(fast, [SEVERE], 99.0)
    assert fast.since(7) == 99.0


@pytest.mark.parametrize("frozen_after", range(7))
def test_frozen_and_restored_it_goes_on_exactly_as_before(frozen_after: int) -> None:
    factors = [WELL, LARGE, LARGE, UNKNOWN, LARGE, SEVERE, WELL]
    fast, other = after(factors[:frozen_after]), fresh()
    other.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(fast.freeze()), type=FastState))
    for number, factor in enumerate([*factors[frozen_after:], LARGE]):
        push(fast, [factor, WELL], float(number))
        push(other, [factor, WELL], float(number))
        assert other.held().tolist() == fast.held().tolist()
    assert other.freeze() == fast.freeze()
