"""Like Minder (NSDI 2025): the machine whose metric is farthest from all others', for four minutes on end.

Per metric, the distances of each machine to all others are summed and turned into z-scores; the machine with
the highest one is the candidate, and is reported when it stays the candidate, above a threshold, for four
minutes. Minder first rids each metric of its noise by a variational autoencoder that was trained on that
cluster; a mean over its eight samples stands for it here. Its threshold was tuned on its own cluster and does
not carry over.
"""

import math
from collections import deque
from typing import ClassVar

import numpy as np

from detectors.observed import Floats, Integers
from simulation.baselines.baseline import Name
from simulation.baselines.seen import Last, Seen, middle

_CONTINUITY = 240.0
"""Seconds for which the same machine must stand out."""

_SMOOTHED = 8
"""Windows averaged: the length of Minder's input."""


class Minder:
    """The least z-score over four minutes of a machine that was the candidate of one metric all the time."""

    name: ClassVar = Name.MINDER
    published: ClassVar[float | None] = None

    def __init__(self) -> None:
        self._smooth = Last(_SMOOTHED)
        self._candidates: deque[tuple[Integers, Floats]] = deque()

    def strength(self, seen: Seen) -> Floats:
        """Look for each metric's candidate, and for those that have remained it."""
        metrics = np.column_stack([seen.own, seen.waiting, seen.signals])
        known = ~np.isnan(metrics)
        # What is not known is typical: it must neither hide a machine nor make it stand out.
        filled = np.nan_to_num(np.where(known, metrics, middle(metrics)), nan=0.0)
        far = _distance_scores(self._smooth.push(filled).mean(axis=0))
        candidate = far.argmax(axis=0)
        self._candidates.append((candidate, far[candidate, np.arange(far.shape[1])]))
        strength = np.where(known.any(axis=1), 0.0, np.nan)
        if len(self._candidates) < math.ceil(_CONTINUITY / seen.seconds):
            return strength
        slots, scores = (np.stack(part) for part in zip(*self._candidates, strict=True))
        self._candidates.popleft()
        stayed = (slots == slots[0]).all(axis=0)
        np.fmax.at(strength, slots[0][stayed], scores[:, stayed].min(axis=0))
        return strength


def _distance_scores(values: Floats) -> Floats:
    """Per column, the z-score of each entry's summed distance to all others."""
    nodes = len(values)
    order = np.argsort(values, axis=0)
    ordered = np.take_along_axis(values, order, 0)
    below = np.cumsum(ordered, axis=0)
    place = np.arange(1, nodes + 1)[:, None]
    # Entries up to each one are less by (place · value - below) in sum, those after it more by the rest.
    summed = (2 * place - nodes) * ordered - 2 * below + below[-1:]
    spread = summed.std(axis=0)
    # A constant column has a spread of rounding errors only.
    least = 1e-9 * np.abs(ordered).sum(axis=0)
    scores = np.divide(summed - summed.mean(axis=0), spread, out=np.zeros_like(summed), where=spread > least)
    placed: Floats = np.empty_like(scores)
    np.put_along_axis(placed, order, scores, 0)
    return placed
