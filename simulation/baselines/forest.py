"""An isolation forest as the only judge: automatic contamination, three looks in a row.

Liu, Ting & Zhou, "Isolation forest", 2008. It gets own work and waiting against the median of all nodes, and
every signal's deviation, as means of two minutes, and is fitted to all nodes at each look. Fitted once, to a
case's healthy beginning, it finds less: what lies beyond all that it was fitted to is isolated by no more than
a few of forty features. A look each window would cost more than all other methods together.
"""

import math
from typing import ClassVar

import numpy as np
from sklearn.ensemble import IsolationForest

from detectors.observed import Floats
from simulation.baselines.baseline import Name
from simulation.baselines.seen import Last, Seen, middle

_LOOK = 120.0
"""Seconds."""

_HELD = 3
"""Looks in a row that must be anomalous."""

_TREES = 30
_FARTHEST = 50.0


class Forest:
    """The least anomaly score of the last looks: 0 to 1, about 0.5 is where automatic contamination cuts."""

    name: ClassVar = Name.FOREST
    published: ClassVar[float | None] = 0.5

    def __init__(self) -> None:
        self._windows: list[Floats] = []
        self._held = Last(_HELD)
        self._strength: Floats | None = None

    def strength(self, seen: Seen) -> Floats:
        """Look when there is enough; in between what was said stands."""
        nodes = len(seen.own)
        if self._windows and self._windows[-1].shape[0] != nodes:
            self._windows.clear()
        self._windows.append(_features(seen))
        if len(self._windows) >= math.ceil(_LOOK / seen.seconds):
            self._strength = self._held.sustained(_scores(np.stack(self._windows)))
            self._windows.clear()
        if self._strength is None or len(self._strength) != nodes:
            return np.full(nodes, np.nan)
        return np.where(np.isnan(seen.own), np.nan, self._strength)


def _scores(features: Floats) -> Floats:
    """Fit the means over windows (first axis), and score them."""
    known = np.isfinite(features)
    mean = np.where(known, features, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    scores: Floats = -IsolationForest(n_estimators=_TREES, random_state=0).fit(mean).score_samples(mean)
    return scores


def _features(seen: Seen) -> Floats:
    """Nodes by features."""
    times = np.column_stack([seen.own, seen.waiting])
    typical = middle(times)
    relative = times / np.where(typical > 0, typical, np.nan) - 1
    found: Floats = np.clip(np.column_stack([relative, seen.deviations]), -_FARTHEST, _FARTHEST)
    return found
