"""What each node did since evidence against it began to gather: the figures behind a verdict.

One window's figures are noisy where batches differ; what an accusation says (slowdown, cause, device) is computed
from the whole spell.
"""

import msgspec
import numpy as np

from detectors.observed import SECTIONS, Floats, Integers


class SpellState(msgspec.Struct):
    """What a snapshot holds: arrays as bytes, a row per slot, and how many ranks a row has."""

    times: bytes
    sections: bytes
    ranks: bytes
    width: int
    cost: bytes


class Spell:
    """Sums over the windows since the evidence began, a row per node slot.

    Only nodes with evidence against them have one; the others' rows are empty.
    """

    def __init__(self) -> None:
        self._times = np.zeros((0, 2))
        self._sections = np.zeros((0, 2, len(SECTIONS)))
        self._ranks = np.zeros((0, 0), dtype=np.float32)
        self._cost = np.zeros((0, 2))

    def push(self, slots: Integers, times: Floats, sections: Floats, ranks: Floats) -> None:
        """Add one window of these slots. Seconds per step; the first axis of every array is theirs.

        Args:
            slots: whose.
            times: by two: own work, and its peers' median.
            sections: by two by sections: the node's, and its peers' median.
            ranks: by ranks: by how much each rank exceeds what is typical of it.
        """
        self._times[slots] += times
        self._sections[slots] += np.nan_to_num(sections)
        self._ranks[slots, : ranks.shape[1]] += np.nan_to_num(ranks)

    def charge(self, slots: Integers, saved: Floats, step_time: float) -> None:
        """Add what one window's steps took longer for each of these.

        Args:
            slots: whose.
            saved: seconds per step that would have gone had it been typical.
            step_time: seconds.
        """
        self._cost[slots, 0] += saved
        self._cost[slots, 1] += step_time

    def slowdown(self, slot: int) -> float | None:
        """Share of the step time that would go were the node typical; None where nothing was charged."""
        saved, whole = self._cost[slot]
        return min(1.0, float(saved / whole)) if whole > 0 else None

    def ratio(self, slot: int) -> float:
        """Own work over what is typical; 1 where nothing was added."""
        own, typical = self._times[slot]
        return float(own / typical) if typical > 0 else 1.0

    def sections(self, slot: int) -> tuple[Floats, Floats]:
        """Sections of the node and of its peers, relative to the peers' own work."""
        typical = self._times[slot, 1]
        return self._sections[slot, 0] / typical, self._sections[slot, 1] / typical

    def ranks(self, slot: int) -> Floats:
        """By how much each rank exceeds what is typical, relative to the peers' own work."""
        excess: Floats = self._ranks[slot] / self._times[slot, 1]
        return excess

    def clear(self, slots: Integers) -> None:
        """Begin anew."""
        self._times[slots] = 0.0
        self._sections[slots] = 0.0
        self._ranks[slots] = 0.0
        self._cost[slots] = 0.0

    def reach(self, slots: int, ranks: int) -> None:
        """Make room."""
        more, wider = max(0, slots - len(self._times)), max(0, ranks - self._ranks.shape[1])
        if more or wider:
            self._times, self._cost = (np.pad(one, ((0, more), (0, 0))) for one in (self._times, self._cost))
            self._sections = np.pad(self._sections, ((0, more), (0, 0), (0, 0)))
            self._ranks = np.pad(self._ranks, ((0, more), (0, wider)))

    def freeze(self) -> SpellState:
        """All of it."""
        return SpellState(
            self._times.tobytes(),
            self._sections.tobytes(),
            self._ranks.tobytes(),
            self._ranks.shape[1],
            self._cost.tobytes(),
        )

    def restore(self, state: SpellState) -> None:
        """Go on from there."""
        self._times = np.frombuffer(state.times).reshape(-1, 2).copy()
        self._sections = np.frombuffer(state.sections).reshape(-1, 2, len(SECTIONS)).copy()
        self._cost = np.frombuffer(state.cost).reshape(-1, 2).copy()
        self._ranks = np.frombuffer(state.ranks, np.float32).reshape(len(self._times), state.width).copy()
