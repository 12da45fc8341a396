"""The fast path: deviations so large that a few windows suffice, for all nodes of a job at once."""

import msgspec
import numpy as np

from detectors import budget
from detectors.observed import Flags, Floats, Integers, Totals
from detectors.policy import Fast as FastPolicy
from detectors.residuals import Residuals

_LONGER = 2
"""Windows more than `severe_held` after which a severe deviation convicts at a lower score."""


class FastState(msgspec.Struct):
    """What a snapshot holds: arrays as bytes, a row per slot."""

    large: bytes
    severe: bytes
    first: bytes


class Fast:
    """How large each node's deviation was in its newest windows. One in which it was not compared is left out.

    Args:
        fast: the rule.
        alpha: chance of a false accusation that a window may have for each node.
    """

    def __init__(self, fast: FastPolicy, alpha: float) -> None:
        self._rule = fast
        self._cut = budget.cut(alpha, fast.held, fast.of)
        runs = range(fast.severe_held, fast.severe_held + _LONGER + 1)
        self._runs = {held: budget.cut(alpha / len(runs), held, held) for held in runs}
        self._large = np.zeros((0, fast.of), dtype=bool)
        self._severe = np.zeros((0, max(runs)), dtype=np.float32)
        self._first = np.zeros(0)

    def push(self, ratio: Floats, score: Floats, start: float) -> Flags:
        """Note one window that began at `start` (Unix seconds).

        Args:
            ratio: of each node over its peers' median; NaN where it was not compared.
            score: the same in robust standard deviations.
            start: when the window began, Unix seconds.

        Returns:
            Nodes that deviated largely in it.
        """
        self._reach(len(ratio))
        large: Flags = (ratio > self._rule.ratio) & (score > self._cut)
        rows = np.flatnonzero(~np.isnan(ratio))
        beginning = rows[large[rows] & ~self._large[rows].any(axis=1)]
        self._first[beginning] = start
        for history in (self._large, self._severe):
            history[rows, 1:] = history[rows, :-1]
        self._large[rows, 0] = large[rows]
        self._severe[rows, 0] = np.where(ratio > self._rule.severe_ratio, score, 0.0)[rows]
        return large

    def held(self) -> Flags:
        """Nodes that deviated in enough of their newest windows."""
        held: Flags = self._large.sum(axis=1) >= self._rule.held
        for windows, cut in self._runs.items():
            held |= self._severe[:, :windows].min(axis=1) > cut
        return held

    def since(self, slot: int) -> float:
        """When the first of the windows in a row that deviate began, Unix seconds."""
        return float(self._first[slot])

    def clear(self, slots: Integers) -> None:
        """Forget these: a node that left, or that has shown that it is well."""
        slots = slots[slots < len(self._first)]
        self._large[slots] = False
        self._severe[slots] = 0.0

    def freeze(self) -> FastState:
        """All of it."""
        return FastState(self._large.tobytes(), self._severe.tobytes(), self._first.tobytes())

    def restore(self, state: FastState) -> None:
        """Go on from there."""
        self._first = np.frombuffer(state.first).copy()
        self._large = np.frombuffer(state.large, bool).reshape(-1, self._large.shape[1]).copy()
        self._severe = np.frombuffer(state.severe, np.float32).reshape(-1, self._severe.shape[1]).copy()

    def _reach(self, slots: int) -> None:
        more = slots - len(self._first)
        if more > 0:
            self._large, self._severe = (np.pad(rows, ((0, more), (0, 0))) for rows in (self._large, self._severe))
            self._first = np.pad(self._first, (0, more))


def without_slowest(found: Residuals, totals: Totals) -> Floats:
    """Own work over what is typical, without the slowest step where there are others.

    How much longer than the others the slowest step took is known of the whole step alone. As much may have been
    the node's own, so as much is taken off.
    """
    place = (np.arange(len(found.log)), found.rank)
    count, whole, slowest = totals.count[place], totals.duration[place], totals.slowest[place]
    several = (count > 1) & np.isfinite(whole) & np.isfinite(slowest)
    others = np.maximum(count - 1, 1)
    whole, slowest = np.where(several, whole, 0.0), np.where(several, slowest, 0.0)
    burst = np.maximum(0.0, slowest - (whole - slowest) / others)
    excess = found.own - found.typical
    rest = excess - np.where(several, burst / np.maximum(count, 1), 0.0)
    ratio: Floats = 1 + rest / found.typical
    return ratio
