import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.observed import Floats
from detectors.sequential import SCALES, Sequential, SequentialState

BAR = 20.0
MARGIN = 0.03


def push(slow: Sequential, ratio: Floats, start: float = 0.0) -> None:
    """Bet on one window in which the nodes have these log ratios."""
    slow.push(np.exp(ratio), np.where(np.isnan(ratio), np.nan, 1.0), np.full(len(ratio), MARGIN), start)


def windows_until(slow: Sequential, ratio: float, bar: float = BAR, noise: float = 0.003) -> int:
    """How many windows it takes to convict the last of nine nodes, the others healthy."""
    random = np.random.default_rng(1)
    for window in range(1, 1000):
        ratios = random.normal(0, noise, 9)
        ratios[-1] += ratio
        push(slow, ratios)
        if slow.log()[-1] >= bar:
            return window
    return 1000


@pytest.mark.parametrize(("factor", "most"), [(2.0, 20), (1.1, 25), (1.05, 60)])
def test_slower_nodes_are_convicted_sooner(factor: float, most: int) -> None:
    assert most / 2 < windows_until(Sequential(BAR), np.log(factor)) <= most


def test_slowness_within_the_margin_is_never_convicted() -> None:
    assert windows_until(Sequential(BAR), 0.9 * MARGIN) == 1000


def test_a_single_window_counts_little_however_slow() -> None:
    slow = Sequential(BAR)
    push(slow, np.array([50.0, 0.0, 0.0]))
    assert 0 < slow.log()[0] < BAR / 10


@pytest.mark.parametrize("noise", [0.003, 0.03, 0.3])
def test_healthy_nodes_at_the_very_margin_cross_the_bar_no_more_often_than_promised(noise: float) -> None:
    # Each crossing may come once in 1/a windows at each scale; after it the evidence begins anew.
    a, nodes, windows = 0.01, 400, 300
    slow, random = Sequential(np.log(1 / a)), np.random.default_rng(2)
    crossings = 0
    for _ in range(windows):
        push(slow, MARGIN + noise * random.standard_normal(nodes))
        over = np.flatnonzero(slow.log() >= np.log(1 / a))
        crossings += len(over)
        slow.clear(over)
    assert crossings <= a * len(SCALES) * nodes * windows


def test_evidence_melts_away_when_a_node_is_well_again() -> None:
    slow = Sequential(BAR)
    for _ in range(500):
        push(slow, np.array([0.5, 0.0, 0.0]))
    high = slow.log()[0]
    assert BAR < high <= 2 * BAR + np.log(SCALES[-1]) + 1e-9
    for _ in range(36 * 60):
        push(slow, np.zeros(3))
    assert slow.log()[0] < BAR


def test_node_that_has_shown_that_it_is_well_begins_anew() -> None:
    slow = Sequential(BAR)
    for _ in range(50):
        push(slow, np.array([0.5, 0.0, 0.0]))
    slow.clear(np.array([0]))
    assert slow.quiet()[0]
    assert slow.log()[0] == 0


def test_slowness_of_one_step_in_ten_is_found_like_one_as_large_in_the_mean() -> None:
    slow = Sequential(BAR)
    for window in range(1, 1000):
        push(slow, np.array([np.log(3) if window % 10 == 0 else 0.0, 0.0, 0.0]))
        if slow.log()[0] >= BAR:
            break
    # Twenty per cent slower by the sum, in nine windows of ten not at all: only longer windows tell.
    assert window < 36 * 16


def test_spell_begins_where_evidence_begins_to_gather() -> None:
    slow = Sequential(BAR)
    for window in range(10):
        push(slow, np.array([0.0, 0.0, 0.3 if window >= 4 else 0.0]), start=float(window))
    assert slow.since(2) == 4.0
    assert slow.windows(2) == 6


def test_window_in_which_a_node_was_not_compared_counts_for_nothing() -> None:
    slow = Sequential(BAR)
    for _ in range(5):
        push(slow, np.array([0.3, 0.0, 0.0]))
    before, windows = slow.log()[0], slow.windows(0)
    push(slow, np.array([np.nan, 0.0, 0.0]))
    push(slow, np.array([np.nan] * 3))
    assert (slow.log()[0], slow.windows(0)) == (before, windows)


def test_nodes_that_come_later_start_without_evidence() -> None:
    slow = Sequential(BAR)
    for _ in range(5):
        push(slow, np.array([0.3, 0.0]))
    before = slow.log()[0]
    push(slow, np.array([np.nan, 0.0, 0.0, 0.0]))
    assert slow.log().tolist() == [before, 0, 0, 0]


def test_vacated_slot_is_forgotten_and_an_unknown_one_is_no_error() -> None:
    slow = Sequential(BAR)
    for _ in range(5):
        push(slow, np.array([0.3, 0.0]))
    slow.vacate(0)
    slow.vacate(99)
    assert slow.log()[0] == 0


def test_noise_is_learned_from_changes_and_not_from_lasting_differences() -> None:
    slow, random = Sequential(BAR), np.random.default_rng(1)
    usual = random.uniform(-0.5, 0.5, 200)
    for _ in range(50):
        push(slow, usual + 0.01 * random.standard_normal(200))
    assert slow.noise() == pytest.approx(0.01, rel=0.1)


ratios = st.lists(st.lists(st.floats(-1, 1) | st.just(float("nan")), min_size=3, max_size=3), max_size=20)


@settings(max_examples=50, deadline=None)
@given(ratios, ratios)
def test_frozen_and_restored_it_goes_on_exactly_as_before(
    before: list[list[float]], after: list[list[float]]
) -> None:
    slow, other = Sequential(BAR), Sequential(BAR)
    for number, one in enumerate(before):
        push(slow, np.array(one), float(number))
    other.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(slow.freeze()), type=SequentialState))
    for number, one in enumerate(after):
        push(slow, np.array(one), float(number))
        push(other, np.array(one), float(number))
    assert msgspec.msgpack.encode(other.freeze()) == msgspec.msgpack.encode(slow.freeze())
    assert other.log().tolist() == slow.log().tolist()
