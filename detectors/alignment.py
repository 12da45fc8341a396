"""Which nodes of a window did the same steps. Only those may be compared.

A job whose steps alternate between 1.0 and 1.3 s shows differences of 5 % between nodes over unaligned
periods, and of 0.2 % over the same steps.

A node whose clock is off by more than a step never does the same steps in a window as the others. Where the job's
work hardly changes from window to window, that does not matter: the share of steps that are not shared, times how
much work changes, bounds what the shift can make of the comparison.
"""

import math

import numpy as np

from detectors.observed import Flags, Floats, Totals

_APART = 1.0
"""Steps by which two ranges may differ at either end: one step ends on either side of a period's end."""

_MOST_ERROR = 0.005
"""Log of own work by which a shifted range may mislead: a tenth of the least slowdown that is accused."""

_MOST_SHIFT = 0.5
"""Share of the steps by which a range may be shifted: most steps must be the same."""


def in_step(totals: Totals, active: Flags, unsteadiness: float | None = None) -> tuple[Flags, Flags]:
    """Tell which active nodes finished a step, and which of those did the same steps as the typical one.

    Args:
        totals: of the window.
        active: nodes that are there and heard of.
        unsteadiness: robust spread of the log of the job's own work per step from window to window; None if not
            known, and then no range may be shifted.
    """
    stepped = active & (totals.count > 0).any(axis=1)
    if not stepped.any():
        return stepped, stepped
    count = totals.count.max(axis=1)
    first = _ahead(np.fmin.reduce(totals.first, axis=1), stepped)
    last = _ahead(np.fmax.reduce(totals.last, axis=1), stepped)
    near = _near(first) & _near(last) | _harmless(first, last, count, stepped, unsteadiness)
    # A job that does not number its steps can be held to their count alone.
    numbered = ~(np.isnan(first) & np.isnan(last))
    agrees: Flags = stepped & near & (numbered | _near(_ahead(count, stepped)))
    return stepped, agrees


def _ahead(values: Floats, among: Flags) -> Floats:
    """How far values are above the median of those that count; NaN for unknown ones."""
    known = among & ~np.isnan(values)
    if not known.any():
        return np.full(len(values), np.nan)
    # The lower of two middle values: a median between two steps would be near neither.
    return values - float(np.quantile(values[known], 0.5, method="lower"))


def _near(ahead: Floats) -> Flags:
    near: Flags = (np.abs(ahead) <= _APART) | np.isnan(ahead)
    return near


def _harmless(first: Floats, last: Floats, count: Floats, among: Flags, unsteadiness: float | None) -> Flags:
    """Which ranges are as long as the others' and shifted by so little that it cannot mislead."""
    if unsteadiness is None or not 0 <= unsteadiness < math.inf:
        return np.zeros(len(among), dtype=bool)
    typical = float(np.quantile(count[among], 0.5, method="lower"))
    shift = np.maximum(np.abs(first), np.abs(last))
    with np.errstate(invalid="ignore"):
        whole = (np.abs(count - typical) <= _APART) & (np.abs(first - last) <= _APART) & (first * last > 0)
        harmless: Flags = (
            whole & (shift <= _MOST_SHIFT * typical) & (shift / typical * unsteadiness <= _MOST_ERROR)
        )
    return harmless
