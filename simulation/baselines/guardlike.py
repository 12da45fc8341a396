"""Like GUARD (MLSys 2026): slow steps first, a hardware signal beside them, and both sustained.

Its paper gives the shape, not the numbers: step time is the primary signal, compared inside one job; device and
link metrics must deviate with it; only what is sustained counts. In a synchronous job the step takes equally
long everywhere, so own work stands for it. Of both the robust z-score is taken, and the lesser counts.
"""

from typing import ClassVar

import numpy as np

from detectors.observed import Floats
from simulation.baselines.baseline import Name
from simulation.baselines.seen import Last, Seen, deviations

_VOTES = 6
"""Windows that are looked back on, a minute at 10 s; all but one must vote."""


class GuardLike:
    """The second least, over the last windows, of the lesser of own work's z-score and the strongest signal's."""

    name: ClassVar = Name.GUARD
    published: ClassVar[float | None] = None

    def __init__(self) -> None:
        self._last = Last(_VOTES)

    def strength(self, seen: Seen) -> Floats:
        """Count the last windows' votes."""
        slow = deviations(seen.own[:, None])[:, 0]
        signal = np.abs(seen.deviations).max(axis=1, initial=0.0)
        kept = self._last.push(np.minimum(np.where(np.isnan(seen.own), np.nan, slow), signal))
        if not self._last.full:
            return np.full(len(slow), np.nan)
        second: Floats = np.partition(np.where(np.isnan(kept), -np.inf, kept), 1, axis=0)[1]
        return second
