import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.observed import Floats
from detectors.recurrence import RATIOS, Recurrence, RecurrenceState

BAR = 22.8
SECONDS = 10.0
SCALE = 0.01
NODES = 12


def push(found: Recurrence, window: int, off: dict[int, float], nodes: int = NODES) -> None:
    """One window in which the nodes of ``off`` take so many times as long as their peers."""
    residual = np.zeros(nodes)
    for slot, ratio in off.items():
        residual[slot] = np.log(ratio)
    found.push(residual, np.full(nodes, SCALE), window * SECONDS, SECONDS)


def windows_until(found: Recurrence, every: int, ratio: float, long: int = 1, most: int = 1000) -> int:
    """Windows until the first node is convicted that stalls in ``long`` of every so many windows."""
    for window in range(most):
        push(found, window, {0: ratio} if window % every >= every - long else {})
        if found.log()[0] >= BAR:
            return window + 1
    return most


def test_three_times_slower_in_one_step_of_ten_convicts_in_four_spells():
    assert 30 < windows_until(Recurrence(BAR), 10, 3.5) <= 50


def test_the_larger_the_stalls_the_fewer_are_needed():
    needed = [windows_until(Recurrence(BAR), 10, ratio) for ratio in (1.5, 2.5, 3.5)]
    assert needed == sorted(needed, reverse=True)
    assert len(set(needed)) == 3


def test_stalls_as_rare_as_healthy_nodes_have_never_convict():
    found, minute, six_hours = Recurrence(BAR), 60.0, 360
    for window in range(20 * six_hours):
        residual = np.zeros(NODES)
        residual[0] = np.log(10.0) if window % six_hours == 9 else 0.0
        found.push(residual, np.full(NODES, SCALE), window * minute, minute)
        assert found.log()[0] < BAR


def test_a_spell_counts_once_however_long():
    found = Recurrence(BAR)
    for window in range(200):
        push(found, window, {0: 5.0} if window >= 5 else {})
    assert found.log()[0] < BAR / 2


def test_a_spell_that_flickers_is_one():
    found = Recurrence(BAR)
    for window in range(200):
        push(found, window, {0: 5.0} if window >= 5 and window % 2 else {})
    assert found.log()[0] < BAR / 2


def test_who_stalls_no_more_than_its_peers_does_not_stand_out():
    found, random = Recurrence(BAR), np.random.default_rng(3)
    for window in range(1000):
        stalling = np.flatnonzero(random.random(NODES) < 0.1)
        push(found, window, {int(slot): 3.5 for slot in stalling})
        assert found.log().max() < BAR


def test_two_culprits_do_not_excuse_each_other():
    found = Recurrence(BAR)
    for window in range(100):
        push(found, window, {0: 3.5} if window % 10 == 4 else {1: 3.5} if window % 10 == 9 else {})
    assert (found.log()[:2] >= BAR).all()


def test_noise_is_no_stall():
    found = Recurrence(BAR)
    for window in range(300):
        residual = np.zeros(NODES)
        residual[0] = np.log(3.0) if window % 10 == 9 else 0.0
        found.push(residual, np.full(NODES, 0.3), window * SECONDS, SECONDS)
    assert found.log()[0] == 0


def test_it_tells_when_the_first_spell_began_and_forgets_one_long_ago():
    found = Recurrence(BAR)
    for window in range(1000):
        push(found, window, {0: 3.5} if window in (10, 900) else {})
    assert found.since(0) == 900 * SECONDS
    assert found.windows(0) == 100


def test_windows_without_a_comparison_change_nothing():
    found = Recurrence(BAR)
    for window in range(30):
        push(found, window, {0: 3.5} if window % 10 == 9 else {})
    before = found.log().copy()
    found.push(np.full(NODES, np.nan), np.full(NODES, np.nan), 400.0, SECONDS)
    assert (found.log() == before).all()


def test_cleared_nodes_begin_anew():
    found = Recurrence(BAR)
    windows_until(found, 10, 3.5)
    found.clear(np.array([0, 99]))
    assert found.log()[0] == 0
    assert found.quiet().all()


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), before=st.integers(0, 40), growth=st.integers(0, 3))
def test_a_snapshot_goes_on_with_the_same_numbers(seed: int, before: int, growth: int):
    random = np.random.default_rng(seed)

    def some(nodes: int) -> Floats:
        residual = np.where(random.random(nodes) < 0.3, random.uniform(0, 2, nodes), 0.0)
        return np.where(random.random(nodes) < 0.1, np.nan, residual)

    found, other = Recurrence(BAR), Recurrence(BAR)
    for window in range(before):
        found.push(some(4), np.full(4, SCALE), window * SECONDS, SECONDS)
    other.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(found.freeze()), type=RecurrenceState))
    for window in range(before, before + 20):
        residual = some(4 + growth)
        for one in (found, other):
            one.push(residual, np.full(4 + growth, SCALE), window * SECONDS, SECONDS)
        assert (found.log() == other.log()).all()
        assert (found.log() >= 0).all()
        assert (found.log() <= 2 * BAR).all()


def test_levels_rise():
    assert list(RATIOS) == sorted(RATIOS)
