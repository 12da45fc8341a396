"""What months are worth: figures over all seeds, and differences between regimes that met the same faults."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from guard.simulate.assumptions import DAY, HOUR, Assumptions
from guard.simulate.month import Month
from simulation.intervals import Estimate

_DRAWS = 2000
_LEAST = 0.05
"""Share of a day that the job must have run for it to count as a run."""


class Lived(msgspec.Struct, frozen=True):
    """One month in one regime. Times in seconds.

    Attributes:
        useful: work that was not lost, of an undisturbed job.
        made: work done. `ran`: the time that it took.
        spread: standard deviation over mean of the step times of its days.
        faults, starts, people, cordons, wrong: see `Tally`.
    """

    regime: str
    seed: int
    nodes: int
    seconds: float
    step: float
    useful: float
    made: float
    ran: float
    spread: float
    faults: int
    starts: int
    people: int
    cordons: int
    wrong: int
    refused: dict[str, int]


class Figure(NamedTuple):
    """A measure, as a ratio of sums over months. `less` tells whether less is better."""

    name: str
    unit: str
    above: Callable[[Lived], float]
    below: Callable[[Lived], float]
    digits: int
    less: bool


FIGURES = (
    Figure("goodput", "%", lambda one: 100 * one.useful, lambda one: one.seconds, 1, less=False),
    Figure("node-hours lost", "", lambda one: one.nodes * (one.seconds - one.useful) / HOUR, lambda _: 1, 0, True),
    Figure("mean step time", "s", lambda one: one.ran * one.step, lambda one: one.made, 2, less=True),
    Figure("run-to-run spread", "%", lambda one: 100 * one.spread, lambda _: 1, 1, less=True),
    Figure("MTTF", "h", lambda one: one.ran / HOUR, lambda one: one.faults, 1, less=False),
    Figure("stops, planned ones too", "", lambda one: one.starts, lambda _: 1, 0, less=True),
    Figure("human interventions", "", lambda one: one.people, lambda _: 1, 1, less=True),
    Figure("between interventions", "h", lambda one: one.seconds / HOUR, lambda one: one.people, 0, less=False),
    Figure("nodes taken out", "", lambda one: one.cordons, lambda _: 1, 0, less=True),
    Figure("wrong cordons", "", lambda one: one.wrong, lambda _: 1, 2, less=True),
)
"""Where nothing can be divided by, as for MTTF by faults, the sums over all months are divided."""


def told(month: Month, regime: str, seed: int, given: Assumptions) -> Lived:
    """What is kept of a month."""
    training, tally = month.training, month.tally
    return Lived(
        regime=regime,
        seed=seed,
        nodes=given.nodes,
        seconds=given.seconds,
        step=given.step,
        useful=training.work,
        made=training.made,
        ran=training.ran,
        spread=_spread(training.by_day),
        faults=tally.faults,
        starts=tally.starts,
        people=tally.people,
        cordons=tally.cordons,
        wrong=tally.wrong,
        refused=tally.refused or {},
    )


def figure(what: Figure, months: Sequence[Lived]) -> Estimate | None:
    """A figure over months, with its bootstrap interval over seeds; None where it has no value."""
    above, below = _sums(what, months)
    drawn = _drawn(len(months))
    return _estimate(_ratio(above.sum(), below.sum()), _ratio(above[drawn].sum(1), below[drawn].sum(1)))


def difference(what: Figure, months: Sequence[Lived], base: Sequence[Lived]) -> Estimate | None:
    """By how much it exceeds the same of `base`, whose months are of the same seeds in the same order."""
    above, below = _sums(what, months)
    above_base, below_base = _sums(what, base)
    drawn = _drawn(len(months))
    value = _ratio(above.sum(), below.sum()) - _ratio(above_base.sum(), below_base.sum())
    spread = _ratio(above[drawn].sum(1), below[drawn].sum(1)) - _ratio(
        above_base[drawn].sum(1), below_base[drawn].sum(1)
    )
    return _estimate(value, spread)


def _spread(by_day: Sequence[tuple[float, float]]) -> float:
    times = [ran / made for made, ran in by_day if made > 0 and ran > _LEAST * DAY]
    return float(np.std(times) / np.mean(times)) if times else 0.0


def _sums(what: Figure, months: Sequence[Lived]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    above = np.array([what.above(one) for one in months], dtype=float)
    return above, np.array([what.below(one) for one in months], dtype=float)


def _drawn(count: int) -> NDArray[np.integer]:
    return np.random.default_rng(0).integers(0, count, (_DRAWS, count))


def _ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    above, below = np.atleast_1d(above), np.atleast_1d(below)
    found: NDArray[np.float64] = np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0)
    return found


def _estimate(value: NDArray[np.float64], drawn: NDArray[np.float64]) -> Estimate | None:
    known = drawn[np.isfinite(drawn)]
    if not np.isfinite(value[0]) or not len(known):
        return None
    low, high = np.quantile(known, [0.025, 0.975])
    return Estimate(float(value[0]), float(low), float(high))
