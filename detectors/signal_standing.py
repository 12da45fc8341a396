"""How scores of signals stand over time: smoothed, against each node's habit, in spreads of the nodes.

Healthy nodes differ for good (one is warmer, one has slower disks), so that a level says less than a change; a
change is forgotten in time, and a fault may be older than the job, so that it does not replace the level. Both
count, each in units of its own spread among the nodes: for 154 simulated faults without sections this puts the
culprit among the first three in nine of ten, and levels by themselves, in units of the window's noise, in eight.

Arrays lie signal by signal.
"""

from collections.abc import Sequence
from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.observed import Floats, Integers
from detectors.signal_groups import median
from detectors.signal_kinds import Bad, Trait

_T = TypeVar("_T", bound=np.generic)

BEYOND = 4.0
"""Smoothed score from which a window counts as held."""

_NEWEST = 2 / 7
"""Weight of the newest window in the smoothed score: as that of a mean over six windows."""

_STALE = 0.97
"""What is left of a smoothed score after a window without a value: some sources speak once a minute."""

_LEARNED = 30
"""Windows from whose plain mean a habit is known."""

_SLOW = 1 / 180
"""Weight of a window in the habit after that."""

_STEP = 1.0
"""Score by which a window can then pull the habit: a fault must not become one within the hour."""

_FINE = 4096.0
"""Steps to a unit of the habit, which is kept in 16 bits: half precision would swallow the slow steps."""

_USUAL = 0.7
"""Weight that the spread of the nodes keeps when a window tells it anew."""

_TURNS = 4
"""Windows in which every signal's spread is learned once."""

_LEAST = np.array([0.25, 0.15])
"""Least spread of levels and of changes: of rare events most nodes have none."""

_FARTHEST = 12.0
"""Spreads beyond which nothing is told apart."""

_MAD = 1.4826
_TOP = 3
"""Signals that make a node's strength: of more the noise counts too."""


class StandingState(msgspec.Struct):
    """What a snapshot holds: arrays as bytes. `held` only where it is not 0: places, counts."""

    slots: int
    windows: int
    smooth: bytes
    habit: bytes
    seen: bytes
    spreads: bytes
    places: bytes
    held: bytes
    strongest: bytes


class Standing:
    """Of all signals and slots of a job.

    Attributes:
        smooth: smoothed scores, signals by slots, half precision: a snapshot of 62,500 nodes stays small.
        held: for how many windows each has been beyond `BEYOND`.
        strongest: the `_TOP` largest squares of adverse standings of each slot, largest first.
    """

    def __init__(self) -> None:
        self.smooth = np.zeros((0, 0), dtype=np.float16)
        self.held = np.zeros((0, 0), dtype=np.uint16)
        self.strongest = np.zeros((_TOP, 0), dtype=np.float32)
        self._habit = np.zeros((0, 0), dtype=np.int16)
        self._seen = np.zeros(0, dtype=np.uint16)
        self._spreads = np.zeros((0, 2))
        self._windows = 0

    def begin(self, here: Integers) -> None:
        """Begin a window in which these slots are there."""
        self.strongest = np.zeros((_TOP, len(self._seen)), dtype=np.float32)
        self._windows += 1
        self._seen[here] += self._seen[here] < _LEARNED

    def follow(self, rows: Integers, scores: Floats, traits: Sequence[Trait], here: Integers) -> None:
        """Take in the window's scores of some signals.

        Args:
            rows: which.
            scores: signals by slots, NaN where there is none.
            traits: of each signal.
            here: slots that are there.
        """
        unknown = np.isnan(scores)
        before = self.smooth[rows].astype(np.float32)
        smooth = np.where(unknown, np.float32(_STALE) * before, before + np.float32(_NEWEST) * (scores - before))
        self.smooth[rows] = smooth
        beyond = np.abs(smooth) > BEYOND
        held = self.held[rows] * beyond
        held[beyond] += held[beyond] < np.iinfo(np.uint16).max
        self.held[rows] = held
        change = smooth - self._pull(rows, scores)
        spreads = self._learn_spreads(rows, smooth, change, here)
        level, change = smooth / spreads[:, :1], change / spreads[:, 1:]
        for square in adverse(level, traits) ** 2 + adverse(change, traits) ** 2:
            self._rank(square)

    def relative(self, slots: Integers) -> Floats:
        """Level and change of these slots together, signed, in spreads of the nodes: signals by slots."""
        smooth = self.smooth[:, slots].astype(np.float32)
        habit = self._habit[:, slots] / np.float32(_FINE)
        spreads = np.maximum(self._spreads, _LEAST).astype(np.float32)
        found: Floats = (smooth / spreads[:, :1] + (smooth - habit) / spreads[:, 1:]) / 2
        return found

    def reach(self, kept: Integers, names: int, slots: int) -> None:
        """Make room: the signals so far come to lie at `kept` among so many, and there are so many slots."""
        self.smooth = _widened(self.smooth, kept, (names, slots))
        self.held = _widened(self.held, kept, (names, slots))
        self._habit = _widened(self._habit, kept, (names, slots))
        self._spreads = _widened(self._spreads, kept, (names, 2))
        self._seen = np.pad(self._seen, (0, slots - len(self._seen)))

    def vacate(self, slot: int) -> None:
        """Forget a slot whose node has left."""
        if slot < len(self._seen):
            self.smooth[:, slot] = 0
            self.held[:, slot] = 0
            self._habit[:, slot] = 0
            self._seen[slot] = 0

    def freeze(self) -> StandingState:
        """All of it."""
        places = np.flatnonzero(self.held)
        return StandingState(
            len(self._seen),
            self._windows,
            self.smooth.tobytes(),
            self._habit.tobytes(),
            self._seen.tobytes(),
            self._spreads.tobytes(),
            places.astype(np.int64).tobytes(),
            self.held.ravel()[places].tobytes(),
            self.strongest.tobytes(),
        )

    def restore(self, state: StandingState, names: int) -> None:
        """Go on from there."""
        shape, self._windows = (names, state.slots), state.windows
        self.smooth = np.frombuffer(state.smooth, np.float16).reshape(shape).copy()
        self._habit = np.frombuffer(state.habit, np.int16).reshape(shape).copy()
        self._seen = np.frombuffer(state.seen, np.uint16).copy()
        self._spreads = np.frombuffer(state.spreads).reshape(names, 2).copy()
        held = np.zeros(names * state.slots, dtype=np.uint16)
        held[np.frombuffer(state.places, np.int64)] = np.frombuffer(state.held, np.uint16)
        self.held = held.reshape(shape)
        self.strongest = np.frombuffer(state.strongest, np.float32).reshape(_TOP, -1).copy()

    def _pull(self, rows: Integers, scores: Floats) -> Floats:
        """Learn the habits, and give what they were before."""
        habit = self._habit[rows] / np.float32(_FINE)
        young = self._seen < _LEARNED
        weight = np.where(young, 1 / np.maximum(self._seen, 1), _SLOW).astype(np.float32)
        step = np.where(young, np.float32(np.inf), np.float32(_STEP))
        pulled = habit + weight * np.clip(scores - habit, -step, step)
        most = np.iinfo(np.int16).max
        fine = np.clip(np.rint(np.where(np.isnan(pulled), habit, pulled) * np.float32(_FINE)), -most, most)
        self._habit[rows] = fine.astype(np.int16)
        return habit

    def _learn_spreads(self, rows: Integers, level: Floats, change: Floats, here: Integers) -> Floats:
        """Learn the nodes' spreads: of a signal in one window of `_TURNS`, as they hardly change."""
        due = ((rows + self._windows) % _TURNS == 0) | (self._spreads[rows, 0] == 0)
        if len(here) and due.any():
            taken = (np.abs(one[due][:, here]) for one in (level, change))
            now = np.column_stack([_MAD * median(one, fewest=1)[0][:, 0] for one in taken])
            usual = self._spreads[rows[due]]
            self._spreads[rows[due]] = np.where(usual > 0, _USUAL * usual + (1 - _USUAL) * now, now)
        found: Floats = np.maximum(self._spreads[rows], _LEAST).astype(np.float32)
        return found

    def _rank(self, square: Floats) -> None:
        """Insert one signal's squares among each slot's largest."""
        for place in range(_TOP):
            larger = np.maximum(self.strongest[place], square)
            square = np.minimum(self.strongest[place], square)
            self.strongest[place] = larger


def adverse(scores: Floats, traits: Sequence[Trait]) -> Floats:
    """What of these scores, signals by slots, speaks against a node: 0 or more."""
    # A column also where there are no signals at all.
    higher = np.array([trait.bad in (Bad.HIGHER, Bad.EITHER) for trait in traits], dtype=np.float32)[:, None]
    lower = np.array([trait.bad in (Bad.LOWER, Bad.EITHER) for trait in traits], dtype=np.float32)[:, None]
    against: Floats = np.clip(np.maximum(scores * higher, -scores * lower), 0, _FARTHEST)
    return against


def _widened(rows: NDArray[_T], places: Integers, shape: tuple[int, int]) -> NDArray[_T]:
    wider = np.zeros(shape, dtype=rows.dtype)
    wider[places, : rows.shape[1]] = rows
    return wider
