"""How long a deviation has held, for all nodes of a job at once."""

import msgspec
import numpy as np

from detectors.observed import Flags, Integers
from detectors.policy import Policy


class PersistenceState(msgspec.Struct):
    """What a snapshot holds of it: the arrays as bytes, a row per slot."""

    bad: bytes
    good: bytes
    total: bytes
    first: bytes


class Persistence:
    """The newest windows of each node: bad or good. A window in which a node was not compared is not counted."""

    def __init__(self, policy: Policy) -> None:
        self._bad = np.zeros((0, policy.fast.of), dtype=bool)
        self._good = np.zeros(0, dtype=np.int64)
        self._total = np.zeros(0, dtype=np.int64)
        self._first = np.zeros(0)
        self._held = policy.fast.held

    def push(self, bad: Flags, compared: Flags, start: float) -> None:
        """Note one window that began at `start` (Unix seconds)."""
        self._reach(len(bad))
        rows = np.flatnonzero(compared)
        self._bad[rows, 1:] = self._bad[rows, :-1]
        self._bad[rows, 0] = bad[rows]
        self._good[rows] = np.where(bad[rows], 0, self._good[rows] + 1)
        # A deviation that is out of sight is over: the next one has its own beginning.
        gone = rows[~self._bad[rows].any(axis=1)]
        self._total[gone] = 0
        self._first[rows[bad[rows] & (self._total[rows] == 0)]] = start
        self._total[rows] += bad[rows]

    @property
    def held(self) -> Flags:
        """Nodes that were bad in enough of their newest windows, the newest among them or not."""
        held: Flags = self._bad.sum(axis=1) >= self._held
        return held

    @property
    def good(self) -> Integers:
        """Good windows in a row until now."""
        return self._good

    def windows(self, slot: int) -> int:
        """Bad windows since the deviation began."""
        return int(self._total[slot])

    def since(self, slot: int) -> float:
        """When the first bad window of this deviation began, Unix seconds."""
        return float(self._first[slot])

    def vacate(self, slot: int) -> None:
        """Forget a slot whose node has left."""
        if slot < len(self._good):
            self._bad[slot] = False
            self._good[slot] = self._total[slot] = 0

    def freeze(self) -> PersistenceState:
        """All of it."""
        return PersistenceState(
            self._bad.tobytes(), self._good.tobytes(), self._total.tobytes(), self._first.tobytes()
        )

    def restore(self, state: PersistenceState) -> None:
        """Go on from there."""
        self._good, self._total = (
            np.frombuffer(state.good, np.int64).copy(),
            np.frombuffer(state.total, np.int64).copy(),
        )
        self._first = np.frombuffer(state.first).copy()
        self._bad = np.frombuffer(state.bad, bool).reshape(-1, self._bad.shape[1]).copy()

    def _reach(self, slots: int) -> None:
        more = slots - len(self._good)
        if more > 0:
            self._bad = np.vstack([self._bad, np.zeros((more, self._bad.shape[1]), dtype=bool)])
            self._good = np.append(self._good, np.zeros(more, dtype=np.int64))
            self._total = np.append(self._total, np.zeros(more, dtype=np.int64))
            self._first = np.append(self._first, np.zeros(more))
