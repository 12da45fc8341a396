"""Change points of a job's step time: found, dated, and never made of noise."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.change import Changes, ChangesState

WINDOW = 30.0
PATTERNS = ("normal", "t2", "cauchy", "bimodal", "rare", "alike", "checkpoints", "one-sided")


def noise(pattern: str, seed: int, windows: int) -> list[float]:
    """Log step times of a job whose pace does not change."""
    chance = np.random.default_rng(seed)
    normal = chance.standard_normal(windows)
    alike = [0.0]
    for step in 0.02 * normal[1:]:
        alike.append(0.7 * alike[-1] + float(step))
    patterns = {
        "normal": 0.01 * normal,
        "t2": 0.01 * chance.standard_t(2, windows),
        "cauchy": np.clip(0.01 * chance.standard_cauchy(windows), -5, 5),
        "bimodal": np.where(chance.random(windows) < 0.5, 0, 0.26) + 0.005 * normal,
        "rare": np.where(chance.random(windows) < 0.1, 0.5, 0) + 0.005 * normal,
        "checkpoints": np.where(np.arange(windows) % 20 == 7, 0.7, 0) + 0.004 * normal,
        "one-sided": chance.exponential(0.03, windows),
        "alike": np.array(alike),
    }
    return [float(pace) for pace in patterns[pattern]]


def after(paces: list[float]) -> Changes:
    changes = Changes()
    for index, pace in enumerate(paces):
        changes.note(math.exp(pace), WINDOW * index)
    return changes


@pytest.mark.parametrize("seed", range(len(PATTERNS)))
def test_noise_makes_no_change_in_ten_thousand_windows(seed: int) -> None:
    assert len(after(noise(PATTERNS[seed], seed, 10_000)).segments) == 1


@pytest.mark.parametrize(
    ("ratio", "sd"), [(1.05, 0.003), (1.05, 0.01), (1.1, 0.01), (1.5, 0.05), (3.0, 0.05), (0.7, 0.01)]
)
@given(seed=st.integers(0, 2**32), onset=st.integers(20, 400))
@settings(max_examples=12, deadline=None)
def test_change_is_dated_within_a_few_windows(ratio: float, sd: float, seed: int, onset: int) -> None:
    chance = np.random.default_rng(seed)
    changes = Changes()
    found = None
    for index, pace in enumerate(sd * chance.standard_normal(onset + 60)):
        level = math.log(ratio) if index >= onset else 0.0
        if changes.note(math.exp(level + float(pace)), WINDOW * index) and found is None:
            found = index
    assert found is not None
    assert found - onset < 30
    before, now = changes.segments[0], changes.segments[-1]
    assert abs(now.since - WINDOW * onset) <= 4 * WINDOW
    assert before.level == pytest.approx(1.0, rel=3 * sd)
    assert now.level == pytest.approx(ratio, rel=3 * sd)


@given(
    seed=st.integers(0, 2**32),
    place=st.integers(0, 299),
    length=st.integers(1, 2),
    factor=st.sampled_from([0.01, 0.5, 2.0, 10.0, 1e6]),
)
@settings(max_examples=40, deadline=None)
def test_one_off_never_makes_a_change(seed: int, place: int, length: int, factor: float) -> None:
    paces = (0.005 * np.random.default_rng(seed).standard_normal(300)).tolist()
    for index in range(place, min(place + length, 300)):
        paces[index] += math.log(factor)
    assert len(after(paces).segments) == 1


def test_steps_of_a_staircase_are_each_dated() -> None:
    chance = np.random.default_rng(1)
    paces = [0.1 * (index // 50) + 0.005 * float(chance.standard_normal()) for index in range(250)]
    assert [one.since / WINDOW for one in after(paces).segments] == pytest.approx([0, 50, 100, 150, 200], abs=2)


def test_slow_decay_is_seen_against_its_beginning() -> None:
    chance = np.random.default_rng(1)
    paces = [1e-4 * index + 0.01 * float(chance.standard_normal()) for index in range(3000)]
    segments = after(paces).segments
    assert segments[0].level < 1.03
    assert segments[-1].level > 1.3


def test_number_of_segments_is_bounded_and_the_fastest_is_kept() -> None:
    chance = np.random.default_rng(1)
    paces = [0.1 * (index // 30) + 0.005 * float(chance.standard_normal()) for index in range(30 * 40)]
    segments = after(paces).segments
    assert len(segments) == 17
    assert segments[0].level == pytest.approx(1.0, rel=0.01)
    assert segments[-1].level == pytest.approx(math.exp(3.9), rel=0.01)


def test_memory_is_bounded() -> None:
    state = after(noise("normal", 3, 5000)).freeze()
    assert len(state.entries) <= 128
    assert sum(entry.windows for entry in state.entries) == 5000


def test_windows_in_which_a_node_stands_out_make_no_level_of_the_well() -> None:
    changes = Changes()
    for index in range(20):
        changes.note(1.0 if index < 4 else 2.0, WINDOW * index, healthy=index < 4, nodes=8)
    (segment,) = changes.segments
    assert (segment.well, segment.level, segment.windows, segment.nodes) == (1.0, 2.0, 20, 8)
    assert changes.above(1.5) == 4 * WINDOW
    assert changes.above(2.5) is None


def test_single_faster_window_does_not_end_a_slow_time() -> None:
    changes = Changes()
    for index, step_time in enumerate([1.0, 1.0, 2.0, 2.0, 1.0, 2.0, 1.0]):
        changes.note(step_time, WINDOW * index)
    assert changes.above(1.5) == 2 * WINDOW
    changes.note(1.0, WINDOW * 7)
    assert changes.above(1.5) is None


@pytest.mark.parametrize("hostile", [0.0, -1.0, math.nan, math.inf])
def test_step_time_that_is_none_is_left_out(hostile: float) -> None:
    changes = Changes()
    assert changes.segments == ()
    assert not changes.note(hostile, 0.0)
    assert changes.segments == ()


@given(st.lists(st.floats(1e-300, 1e300), max_size=80))
@settings(deadline=None)
def test_any_step_times_do(values: list[float]) -> None:
    changes = Changes()
    for index, value in enumerate(values):
        changes.note(value, WINDOW * index)
    assert sum(one.windows for one in changes.segments) == len(values)
    assert all(math.isfinite(one.level) for one in changes.segments)
    assert math.isfinite(changes.noise)


@given(st.integers(0, 2**32), st.integers(1, 399))
@settings(max_examples=10, deadline=None)
def test_going_on_from_a_snapshot_is_the_same(seed: int, cut: int) -> None:
    chance = np.random.default_rng(seed)
    paces = [0.2 * (index // 150) + 0.02 * float(chance.standard_normal()) for index in range(400)]
    whole = after(paces)
    first = after(paces[:cut])
    second = Changes()
    second.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(first.freeze()), type=ChangesState))
    for index in range(cut, len(paces)):
        second.note(math.exp(paces[index]), WINDOW * index)
    assert second.freeze() == whole.freeze()
