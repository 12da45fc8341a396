"""The third path: a node that stalls again and again, each time for too short to convict, and is well in between.

One step in ten that takes three times as long costs a job 20 %, and leaves nine windows in ten without a trace. No
mean of windows shows that soon where a step takes ten seconds: a healthy node may stall for a moment, and the
larger the stall the more it weighs. What a healthy node does not do is stall often. So spells are counted, each
once however long it lasts, and their rate is held against a tolerated one, and against that of the node's peers:
where many stall (batches of unequal length, a busy storage), nobody stands out.

The evidence is the log likelihood ratio of two Poisson processes, kept at zero or above (as in
`detectors.sequential`): each spell adds log(λ₁/λ₀), each second takes λ₁ - λ₀.
"""

import msgspec
import numpy as np

from detectors.observed import Flags, Floats, Integers

RATIOS = (1.25, 2.0, 3.0)
"""Own work over the peers' median from which a window belongs to a spell: levels, each counted apart."""

_TOLERATED = np.array([5.0, 1.0, 0.2]) / 86_400
"""Spells a second of each level that a healthy node may have: five a day, one a day, one in five days."""

_ACCUSED = 1 / 180
"""Spells a second that are looked for: one in three minutes. Others near it are found hardly later."""

_SCORE = 6.0
"""Robust standard deviations that a window of a spell must stand out by, besides its ratio."""

QUIET = 2
"""Windows in a row without a deviation that end a spell: one that flickers is still the same."""

_WORSE = 3.0
"""How many times the mean rate of its peers a healthy node's own may be."""

_CULPRITS = 2
"""Nodes with the most spells that are left out of the peers' mean: their rate is not a healthy node's."""


class RecurrenceState(msgspec.Struct):
    """What a snapshot holds: arrays as bytes, a row per slot."""

    evidence: bytes
    spells: bytes
    quiet: bytes
    seconds: bytes
    began: bytes
    windows: bytes


class Recurrence:
    """Spells of all nodes of a job, and the evidence that they recur.

    Args:
        bar: log evidence that convicts. No more than twice as much is gathered.
    """

    def __init__(self, bar: float) -> None:
        levels = len(RATIOS)
        self._most = 2 * bar
        self._evidence = np.zeros((0, levels))
        self._spells = np.zeros((0, levels))
        self._quiet = np.zeros((0, levels), dtype=np.int64)
        self._seconds = np.zeros(0)
        self._began = np.zeros(0)
        self._windows = np.zeros(0, dtype=np.int64)

    def push(self, residual: Floats, scale: Floats, start: float, seconds: float) -> None:
        """Count one window.

        Args:
            residual: log of own work over the peers' median of each slot; NaN where not compared.
            scale: its robust standard deviation.
            start: when the window began, Unix seconds.
            seconds: how long it was.
        """
        self._reach(len(residual))
        here = np.flatnonzero(~np.isnan(residual))
        if not len(here):
            return
        off = (residual[here, None] > np.log(RATIOS)) & (residual[here] > _SCORE * scale[here])[:, None]
        begun = off & (self._quiet[here] >= QUIET)
        silent = self._evidence[here].max(axis=1) <= 0
        self._began[here[silent]] = start
        self._windows[here] = np.where(silent, 1, self._windows[here] + 1)
        self._quiet[here] = np.where(off, 0, self._quiet[here] + 1)
        self._seconds[here] += seconds
        self._spells[here] += begun
        rate = self._healthy()
        sought = np.maximum(_ACCUSED, 4 * rate)
        won = begun * np.log(sought / rate) - (sought - rate) * seconds
        self._evidence[here] = np.clip(self._evidence[here] + won, 0.0, self._most)

    def log(self) -> Floats:
        """Log evidence of each slot: the most over the levels, less what it costs to look at several."""
        most = self._evidence.max(axis=1, initial=0.0)
        strongest: Floats = np.maximum(0.0, most - np.log(len(RATIOS)))
        return strongest

    def quiet(self) -> Flags:
        """Slots that have no spell behind them that counts still."""
        silent: Flags = self._evidence.max(axis=1, initial=0.0) <= 0
        return silent

    def since(self, slot: int) -> float:
        """When the first of the spells that count began, Unix seconds."""
        return float(self._began[slot])

    def windows(self, slot: int) -> int:
        """Windows since then."""
        return int(self._windows[slot])

    def clear(self, slots: Integers) -> None:
        """Begin anew with these: a node that left, or that has shown that it is well."""
        slots = slots[slots < len(self._seconds)]
        self._evidence[slots] = 0.0
        self._spells[slots] = 0.0
        self._quiet[slots] = 0
        self._seconds[slots] = 0.0

    def freeze(self) -> RecurrenceState:
        """All of it."""
        return RecurrenceState(
            self._evidence.tobytes(),
            self._spells.tobytes(),
            self._quiet.tobytes(),
            self._seconds.tobytes(),
            self._began.tobytes(),
            self._windows.tobytes(),
        )

    def restore(self, state: RecurrenceState) -> None:
        """Go on from there."""
        levels = len(RATIOS)
        self._evidence = np.frombuffer(state.evidence).reshape(-1, levels).copy()
        self._spells = np.frombuffer(state.spells).reshape(-1, levels).copy()
        self._quiet = np.frombuffer(state.quiet, np.int64).reshape(-1, levels).copy()
        self._seconds = np.frombuffer(state.seconds).copy()
        self._began = np.frombuffer(state.began).copy()
        self._windows = np.frombuffer(state.windows, np.int64).copy()

    def _healthy(self) -> Floats:
        """Spells a second that a healthy node may have, by level: what is tolerated, or what its peers have."""
        spells, seconds = (
            np.sort(values, axis=0)[:-_CULPRITS].sum(axis=0) for values in (self._spells, self._seconds)
        )
        known: Floats = np.maximum(_TOLERATED, _WORSE * spells / max(float(seconds), 1.0))
        return known

    def _reach(self, slots: int) -> None:
        more = slots - len(self._seconds)
        if more > 0:
            wide = ((0, more), (0, 0))
            self._evidence, self._spells = np.pad(self._evidence, wide), np.pad(self._spells, wide)
            self._quiet, self._windows = np.pad(self._quiet, wide), np.pad(self._windows, (0, more))
            self._seconds, self._began = (np.pad(values, (0, more)) for values in (self._seconds, self._began))
