"""The fast path: deviations so large that a few windows suffice, for all nodes of a job at once."""

import msgspec
import numpy as np

from detectors import budget
from detectors.observed import Flags, Floats, Integers, Totals
from detectors.policy import Fast as FastPolicy
from detectors.residuals import Residuals

_LARGE, _SEVERE = 1, 2


class FastState(msgspec.Struct):
    """What a snapshot holds: arrays as bytes, a row per slot."""

    level: bytes
    first: bytes


class Fast:
    """How large each node's deviation was in its newest windows. One in which it was not compared is left out.

    Args:
        fast: the rule.
        alpha: chance of a false accusation that a window may have for each node.
    """

    def __init__(self, fast: FastPolicy, alpha: float) -> None:
        self._rule = fast
        self._depth = max(fast.of, fast.severe_held)
        self._cuts = (
            budget.cut(alpha, fast.held, fast.of),
            budget.cut(alpha, fast.severe_held, fast.severe_held),
        )
        self._level = np.zeros((0, self._depth), dtype=np.int8)
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
        level = np.zeros(len(ratio), dtype=np.int8)
        for name, (least, cut) in enumerate(
            zip((self._rule.ratio, self._rule.severe_ratio), self._cuts, strict=True), _LARGE
        ):
            level[(ratio > least) & (score > cut)] = name
        rows = np.flatnonzero(~np.isnan(ratio))
        beginning = rows[(level[rows] > 0) & ~self._level[rows].any(axis=1)]
        self._first[beginning] = start
        self._level[rows, 1:] = self._level[rows, :-1]
        self._level[rows, 0] = level[rows]
        large: Flags = level > 0
        return large

    def held(self) -> Flags:
        """Nodes that deviated in enough of their newest windows."""
        recent = self._level[:, : self._rule.of]
        large = (recent >= _LARGE).sum(axis=1) >= self._rule.held
        severe = (self._level[:, : self._rule.severe_held] == _SEVERE).all(axis=1)
        held: Flags = large | severe
        return held

    def since(self, slot: int) -> float:
        """When the first of the windows in a row that deviate began, Unix seconds."""
        return float(self._first[slot])

    def clear(self, slots: Integers) -> None:
        """Forget these: a node that left, or that has shown that it is well."""
        self._level[slots[slots < len(self._level)]] = 0

    def freeze(self) -> FastState:
        """All of it."""
        return FastState(self._level.tobytes(), self._first.tobytes())

    def restore(self, state: FastState) -> None:
        """Go on from there."""
        self._first = np.frombuffer(state.first).copy()
        self._level = np.frombuffer(state.level, np.int8).reshape(-1, self._depth).copy()

    def _reach(self, slots: int) -> None:
        more = slots - len(self._first)
        if more > 0:
            self._level = np.pad(self._level, ((0, more), (0, 0)))
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
    rest = np.where(several, (excess * count - burst) / others, excess)
    ratio: Floats = 1 + rest / found.typical
    return ratio
