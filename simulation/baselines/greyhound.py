"""Like Greyhound (ATC 2025): a change point in a node's own time, verified to be ten per cent at least.

Greyhound finds change points in a job's iteration time by Bayesian online detection, drops those of less than
10 %, and then probes the components. Here each node's own work is searched for the likeliest single change of
level in the last ten minutes (Student's t over all places, equal variances), and the probe is a comparison: the
node must also be that much above the median of all nodes now, as a benchmark of the same kernel would show.
"""

from typing import ClassVar

import numpy as np

from detectors.observed import Floats
from simulation.baselines.baseline import Name
from simulation.baselines.seen import Last, Seen, middle

_WINDOWS = 60
_LEAST = 3
"""Windows on either side of a change."""

_SIGNIFICANT = 6.0
"""Standard errors of a change: nothing among 60 windows of 256 nodes reaches it by chance under normal noise."""


class Greyhound:
    """By how much own work has risen at its change point, or lies above the median, whichever is less."""

    name: ClassVar = Name.GREYHOUND
    published: ClassVar[float | None] = 0.10

    def __init__(self) -> None:
        self._last = Last(_WINDOWS)

    def strength(self, seen: Seen) -> Floats:
        """Search each node's past."""
        kept = self._last.push(seen.own)
        above = seen.own / middle(seen.own[:, None]) - 1
        if len(kept) < 2 * _LEAST:
            return np.where(np.isnan(above), np.nan, 0.0)
        risen: Floats = np.minimum(_rise(kept), above)
        return risen


def _rise(series: Floats) -> Floats:
    """Per column, the relative rise at its most significant change; 0 where none is significant."""
    gaps = np.isnan(series)
    level = middle(series)
    filled = np.nan_to_num(np.where(gaps, level, series), nan=0.0)
    length = len(series)
    before = np.arange(_LEAST, length - _LEAST + 1)[:, None]
    after = length - before
    sums = np.cumsum(filled, axis=0)
    low = sums[_LEAST - 1 : length - _LEAST] / before
    high = (sums[-1] - sums[_LEAST - 1 : length - _LEAST]) / after
    total = ((filled - filled.mean(axis=0)) ** 2).sum(axis=0)
    between = (high - low) ** 2 * before * after / length
    within = np.maximum(total - between, 1e-12 * np.maximum(total, 1e-12)) / (length - 2)
    score = np.sign(high - low) * np.sqrt(between / within)
    place = score.argmax(axis=0)
    column = np.arange(series.shape[1])
    found = (score[place, column] > _SIGNIFICANT) & (low[place, column] > 0)
    rise = np.zeros(series.shape[1])
    rise[found] = (high[place, column] / np.where(found, low[place, column], 1.0) - 1)[found]
    return rise
