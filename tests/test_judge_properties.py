"""What holds of the judge whatever it is shown. Warnings are errors here as everywhere."""

from dataclasses import fields, replace

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from detectors.judge import Judge, JudgeState, Reading
from detectors.observed import SECTIONS, Observed, Totals
from tests.judged import POLICY, Fleet, accuses, judged, observe, permuted, repeat, slowed, totals

FLEET = Fleet(nodes=12, ranks=2, stages=2, spread=0.02)
RACKS = {"rack": np.arange(12) // 3}
LONG = 24
"""Windows by which a node that is 1.4 times slower is convicted, and some more."""

slots = st.integers(0, 11)
factors = st.sampled_from([1.0, 1.4, 3.0])


def fleet(slot: int, factor: float, seed: int, windows: int = LONG) -> list[Observed]:
    return list(replace(FLEET, seed=seed).windows(windows, slowed(slot, factor, since=5), RACKS))


def told(reading: Reading, names: np.ndarray) -> dict[int, tuple[object, ...]]:
    """What is said of whom, by name, without figures that the order of sums may change in their last digits."""
    return {
        int(names[slot]): (
            *said.says,
            said.severity,
            round(said.confidence, 2),
            pytest.approx(said.slowdown, abs=2e-4),
        )
        for slot, said in reading.conclusions.items()
    }


def alike(one: object, other: object) -> None:
    """Compare records of arrays to the last bit; unknown equals unknown."""
    for field in fields(one):
        mine, others = getattr(one, field.name), getattr(other, field.name)
        if isinstance(mine, np.ndarray):
            np.testing.assert_array_equal(mine, others, err_msg=field.name)
        elif hasattr(mine, "__dataclass_fields__"):
            alike(mine, others)
        else:
            assert mine == others, field.name


@settings(max_examples=6, deadline=None)
@given(slots, factors, st.permutations(range(12)), st.integers(0, 9))
def test_order_of_nodes_is_irrelevant(slot: int, factor: float, order: list[int], seed: int) -> None:
    windows, places = fleet(slot, factor, seed), np.array(order)
    before, after = judged(windows), judged(permuted(window, places) for window in windows)
    for one, other in zip(before, after, strict=True):
        assert told(other, places) == told(one, np.arange(12))
        assert other.evidence == pytest.approx(one.evidence[places], abs=1e-6)
        assert other.residuals.log == pytest.approx(one.residuals.log[places], nan_ok=True)
    assert bool(before[-1].conclusions) == (factor > 1)


@settings(max_examples=6, deadline=None)
@given(slots, factors, st.sampled_from([0.01, 0.5, 1000.0]))
def test_clock_that_runs_at_another_speed_changes_nothing(slot: int, factor: float, speed: float) -> None:
    windows = fleet(slot, factor, 1)
    for one, other in zip(judged(windows), judged(faster(window, speed) for window in windows), strict=True):
        assert told(other, np.arange(12)) == told(one, np.arange(12))
        assert other.evidence == pytest.approx(one.evidence, abs=1e-6)


def faster(window: Observed, speed: float) -> Observed:
    old = window.totals
    scaled = {name: getattr(old, name) * speed for name in ("duration", "slowest", "sections")}
    return replace(window, totals=replace(old, **scaled))


STRANGE = (np.nan, np.inf, -np.inf, 0.0, -1.0, 1e-12, 1.0, 1.0, 1.01, 0.99, 3.0, 20.0, 1e9)


def anything(seed: int) -> Observed:
    """One window in which every number may be anything."""
    random = np.random.default_rng(seed)
    shape = (int(random.integers(0, 7)), int(random.integers(1, 3)))
    strangeness = random.choice([0.02, 0.3, 1.0])

    def some(*before: int) -> np.ndarray:
        usual = np.exp(random.normal(0, 0.3, (*before, *shape)))
        return np.where(random.random(usual.shape) < strangeness, random.choice(STRANGE, usual.shape), usual)

    def numbers() -> np.ndarray:
        return random.integers(-1, random.integers(1, 3), shape)

    window = Totals(
        count=random.integers(0, 20, shape).astype(float),
        **{name: some() for name in ("first", "last", "duration", "slowest", "work")},
        sections=some(len(SECTIONS)),
        **{name: numbers() for name in ("part", "stage", "depth", "pipeline", "device")},
    )
    rack = {"rack": random.integers(-1, 2, shape[0])}
    return observe(window, among=random.random(shape[0]) < 0.9, domains=rack)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 20))
def test_nothing_that_is_shown_makes_it_fail(seed: int, windows: int) -> None:
    window = anything(seed)
    judge = Judge(POLICY)
    for number in range(windows):
        reading = judge.judge(replace(window, start=10.0 * number, end=10.0 * number + 10))
        assert np.isfinite(reading.evidence).all()
        for said in reading.conclusions.values():
            assert said.slowdown is None or 0 <= said.slowdown <= 1
            assert all(np.isfinite([one.value, one.typical, one.score]).all() for one in said.evidence)
    judge.restore(judge.freeze())


NODES = 8
QUIET = {
    "unknown": totals(np.full((NODES, 2), np.nan)),
    "endless": totals(np.full((NODES, 2), np.inf)),
    "zero": totals(np.zeros((NODES, 2))),
    "negative": totals(np.full((NODES, 2), -1.0)),
    "endless steps": totals(np.full((NODES, 2), 10.0), count=10, duration=np.inf, slowest=np.inf),
    "all equal": totals(np.ones((NODES, 2)), work=1.0),
    "no step": totals(np.zeros((NODES, 2)), count=0),
    "no rank in use": totals(np.ones((NODES, 2)), stage=-1),
    "no nodes": totals(np.zeros((0, 2))),
    "single node": totals([[1.0, 5.0]]),
    "one known node": totals([[5.0]] + [[np.nan]] * 7),
    "every stage once": totals(2.0 ** np.arange(NODES), stage=np.arange(NODES)),
    "one endless node": totals([[np.inf]] + [[1.0]] * 7),
    "one negative node": totals([[-5.0]] + [[1.0]] * 7),
    "times below the clock's resolution": totals([[9e-7]] + [[1e-9]] * 7),
}


@pytest.mark.parametrize("what", QUIET)
def test_windows_that_tell_nothing_accuse_nobody(what: str) -> None:
    assert not any(reading.conclusions for reading in judged(repeat(QUIET[what], 60)))


def test_job_without_anybody_to_compare_accuses_nobody() -> None:
    own = np.ones(NODES)
    own[3] = 5.0
    assert not any(reading.conclusions for reading in judged(repeat(totals(own), 20, among=[False] * NODES)))


@settings(max_examples=10, deadline=None)
@given(arrays(float, (NODES, 2), elements=st.floats(0.99, 1.01)), st.floats(0.01, 100))
def test_differences_within_the_tolerance_never_accuse(own: np.ndarray, seconds: float) -> None:
    # Even if they never change, and every rank of a node has the worst of them.
    assert not any(reading.conclusions for reading in judged(repeat(totals(own * seconds), 60)))


def windows_of_a_job_that_grows(slot: int, factor: float) -> list[Observed]:
    """Eight nodes, then twelve of which each has more ranks."""
    few = Fleet(nodes=8, ranks=1, stages=2).windows(LONG // 2, slowed(min(slot, 7), factor, since=3))
    many = Fleet(nodes=12, ranks=2, stages=2).windows(LONG, slowed(slot, factor))
    return [*few, *list(many)[LONG // 2 :]]


@settings(max_examples=6, deadline=None)
@given(slots, factors, st.integers(0, LONG - 4), st.lists(st.tuples(st.integers(0, LONG - 1), slots), max_size=3))
def test_frozen_and_restored_it_goes_on_exactly_as_before(
    slot: int, factor: float, frozen_at: int, vacated: list[tuple[int, int]]
) -> None:
    judge, other = Judge(POLICY), None
    for number, window in enumerate(windows_of_a_job_that_grows(slot, factor)):
        for one in (judge, other):
            for _, leaver in (leaving for leaving in vacated if leaving[0] == number):
                if one is not None:
                    one.vacate(leaver)
        # Signals of several windows are compared together; in between nothing is frozen.
        if other is None and number >= frozen_at and judge.settled:
            other = Judge(POLICY)
            other.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(judge.freeze()), type=JudgeState))
        reading = judge.judge(window)
        if other is not None:
            alike(other.judge(window), reading)
    assert msgspec.msgpack.encode(other.freeze()) == msgspec.msgpack.encode(judge.freeze())


@settings(max_examples=6, deadline=None)
@given(slots, st.integers(0, 9))
def test_only_the_slow_one_is_ever_accused(slot: int, seed: int) -> None:
    for reading in judged(fleet(slot, 3.0, seed)):
        assert {name for name, said in reading.conclusions.items() if accuses(said)} <= {slot}
