"""An isolation forest as the only judge: automatic contamination, three looks in a row.

Liu, Ting & Zhou, "Isolation forest", 2008. It gets own work and waiting against the median of all nodes, and
every signal's deviation, as means of half a minute. It is fitted once per case, on the first five minutes, and
looks every half minute: fitted anew each time it would cost more than everything else together.
"""

from typing import ClassVar

import numpy as np
from sklearn.ensemble import IsolationForest

from detectors.observed import Floats
from simulation.baselines.baseline import Name
from simulation.baselines.seen import Last, Seen, middle

_JOINED = 3
"""Windows to a look."""

_FIRST = 10
"""Looks that it is fitted on."""

_HELD = 3
"""Looks in a row that must be anomalous."""

_TREES = 50
_FARTHEST = 50.0


class Forest:
    """The least anomaly score of the last looks: 0 to 1, about 0.5 is where automatic contamination cuts."""

    name: ClassVar = Name.FOREST
    published: ClassVar[float | None] = 0.5

    def __init__(self) -> None:
        self._window = Last(_JOINED)
        self._windows = 0
        self._first: list[Floats] = []
        self._forest: IsolationForest | None = None
        self._held = Last(_HELD)
        self._strength: Floats | None = None

    def strength(self, seen: Seen) -> Floats:
        """Look every third window; in between what was said stands."""
        kept = self._window.push(_features(seen))
        self._windows += 1
        if self._windows % _JOINED == 0:
            self._strength = self._look(kept.mean(axis=0))
        nodes = len(seen.own)
        if self._strength is None or len(self._strength) != nodes:
            return np.full(nodes, np.nan)
        return self._strength

    def _look(self, features: Floats) -> Floats | None:
        features = np.nan_to_num(features, nan=0.0)
        if self._forest is None:
            self._first.append(features)
            if len(self._first) == _FIRST:
                self._forest = IsolationForest(_TREES, random_state=0).fit(np.concatenate(self._first))
                self._first.clear()
            return None
        return self._held.sustained(-self._forest.score_samples(features))


def _features(seen: Seen) -> Floats:
    """Nodes by features."""
    times = np.column_stack([seen.own, seen.waiting])
    typical = middle(times)
    relative = times / np.where(typical > 0, typical, np.nan) - 1
    found: Floats = np.clip(np.column_stack([relative, seen.deviations]), -_FARTHEST, _FARTHEST)
    return found
