"""How sure a measured figure is: Wilson's interval, exact Poisson bounds, and the bootstrap."""

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy import stats

_DRAWS = 1000
_Z = 1.959964
"""Of a two-sided 95 % interval."""


class Share(msgspec.Struct, frozen=True):
    """`hits` of `of`, with Wilson's 95 % interval ("Probable inference", 1927): sound at 0 % and 100 % too."""

    hits: int
    of: int
    value: float
    low: float
    high: float


class Estimate(msgspec.Struct, frozen=True):
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


class Rate(msgspec.Struct, frozen=True):
    """Events per 1,000 node-days; `upper` is the exact one-sided 95 % bound of a Poisson process."""

    events: int
    node_days: float
    value: float
    upper: float


def share(count: int, of: int) -> Share | None:
    """Give a proportion and its interval; None of nothing."""
    if not of:
        return None
    value, square = count / of, _Z**2
    middle = (value + square / (2 * of)) / (1 + square / of)
    half = _Z / (1 + square / of) * (value * (1 - value) / of + square / (4 * of**2)) ** 0.5
    return Share(count, of, value, max(0.0, middle - half), min(1.0, middle + half))


def rate(count: int, node_days: float) -> Rate | None:
    """Give a rate and its bound (Garwood, 1936: half a quantile of χ² with 2·(count + 1) degrees of freedom)."""
    if node_days <= 0:
        return None
    bound = float(stats.chi2.ppf(0.95, 2 * (count + 1))) / 2
    return Rate(count, node_days, 1000 * count / node_days, 1000 * bound / node_days)


def f1(found: NDArray[np.integer], false: NDArray[np.integer], missed: NDArray[np.integer]) -> Estimate | None:
    """F1 over cases (an entry each); the interval draws cases, as nodes of a case are not independent."""
    cases = len(found)
    if not (found.sum() + missed.sum()):
        return None
    drawn = np.random.default_rng(0).multinomial(cases, np.full(cases, 1 / cases), _DRAWS)
    scores = _f1(drawn @ found, drawn @ false, drawn @ missed)
    low, high = np.quantile(scores, [0.025, 0.975])
    value = float(_f1(found.sum()[None], false.sum()[None], missed.sum()[None])[0])
    return Estimate(value, float(low), float(high))


def quantile(values: NDArray[np.floating], at: float) -> Estimate | None:
    """A quantile, and its bootstrap interval; None of nothing."""
    if not len(values):
        return None
    drawn = np.random.default_rng(0).choice(values, (_DRAWS, len(values)))
    low, high = np.quantile(np.quantile(drawn, at, axis=1), [0.025, 0.975])
    return Estimate(float(np.quantile(values, at)), float(low), float(high))


def _f1(
    found: NDArray[np.integer], false: NDArray[np.integer], missed: NDArray[np.integer]
) -> NDArray[np.floating]:
    total = 2 * found + false + missed
    score: NDArray[np.floating] = np.divide(2 * found, total, out=np.zeros(len(total)), where=total > 0)
    return score
