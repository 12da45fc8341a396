"""The slow path: evidence against each node, gathered window by window until it convicts.

A bet against "this node is no slower than its peers": in each window log(1 + λ·y) is won, where y is how far the
residual lies beyond the margin, in units of a few standard deviations of its noise, at least -1 and at most
`_MOST`. While the node is healthy y is at most zero in the mean, so that the wealth grows by luck alone, and ARL
bounds hold (`detectors.budget`). Several λ bet at once, and their mean counts: a large one wins quickly on
steady slowness, a small one survives the good stretches of an intermittent one.

The same is done over longer windows too, 6 and 36 of them summed up: a node that is three times slower in one
step of ten is 20 % slower by the minute, and by the step hardly ever. Sums are compared, so slow steps are
neither averaged away nor hidden by a median.
"""

import msgspec
import numpy as np

from detectors.observed import Flags, Floats, Integers

SCALES = (1, 6, 36)
"""Windows summed up before they are bet on: at the default 10 s, one minute, six minutes."""

_RARER = np.log(SCALES)

_BETS = np.array([0.1, 0.3, 0.9])
_MOST = (8.0, 15.0, 45.0)
"""How much more one window, of each scale, can win than one loses at worst. Of the shortest a dozen are needed to
convict, which is two minutes: whatever stalls a healthy node is over by then. Longer ones cover more time each.
"""

_NOISE = 2.5
"""Standard deviations of the residual's noise that make the unit of a bet."""

_MEMORY = 0.9
"""Weight that the noise keeps when the next window tells it anew."""

_LEAST = 1e-3
"""Smallest unit of a bet, as a log ratio."""


class SequentialState(msgspec.Struct):
    """What a snapshot holds: arrays as bytes, a row per slot."""

    evidence: bytes
    sums: bytes
    counted: bytes
    before: bytes
    began: bytes
    windows: bytes
    noise: list[float]


class Sequential:
    """Evidence of all nodes of a job at once.

    Args:
        bar: log evidence that convicts. No more than twice as much is gathered, so that a node that is well again
            can show it.
    """

    def __init__(self, bar: float) -> None:
        self._most = 2 * bar
        self._evidence = np.zeros((0, len(SCALES), len(_BETS)))
        self._sums = np.zeros((0, len(SCALES), 2))
        self._counted = np.zeros((0, len(SCALES)), dtype=np.int64)
        self._before = np.zeros((0, len(SCALES)))
        self._began = np.zeros(0)
        self._windows = np.zeros(0, dtype=np.int64)
        self._noise = [float("nan")] * len(SCALES)

    def push(self, own: Floats, typical: Floats, margin: Floats, start: float) -> None:
        """Bet on one window.

        Args:
            own: seconds of own work per step of each slot, NaN where not compared.
            typical: what its peers' median would have taken.
            margin: log ratio up to which a node counts as healthy.
            start: when the window began, Unix seconds.
        """
        self._reach(len(own))
        here = np.flatnonzero(~np.isnan(own) & ~np.isnan(typical))
        if not len(here):
            return
        quiet = self._evidence[here].max(axis=(1, 2)) <= 0
        self._began[here[quiet]] = start
        self._windows[here[quiet]] = 0
        self._windows[here] += 1
        for index, windows in enumerate(SCALES):
            self._sums[here, index, 0] += own[here]
            self._sums[here, index, 1] += typical[here]
            self._counted[here, index] += 1
            full = here[self._counted[here, index] >= windows]
            if len(full):
                sums = self._sums[full, index]
                self._bet(index, full, np.log(sums[:, 0] / sums[:, 1]), margin[full])
                self._sums[full, index] = 0.0
                self._counted[full, index] = 0

    def log(self) -> Floats:
        """Log evidence of each slot: the mean over the bets, the most over the scales.

        A scale that is looked at once in six windows has as many chances less to be wrong, and may convict with
        as much less.
        """
        top = self._evidence.max(axis=2)
        mean = top + np.log(np.exp(self._evidence - top[:, :, None]).mean(axis=2))
        strongest: Floats = np.where(top > 0, mean + _RARER, 0.0).max(axis=1, initial=0.0)
        return strongest

    def quiet(self) -> Flags:
        """Slots with no evidence against them on any scale."""
        silent: Flags = self._evidence.max(axis=(1, 2), initial=0.0) <= 0
        return silent

    def noise(self) -> float:
        """Standard deviation of the residual's noise from window to window; NaN at first."""
        return self._noise[0]

    def since(self, slot: int) -> float:
        """When the evidence began to gather, Unix seconds."""
        return float(self._began[slot])

    def windows(self, slot: int) -> int:
        """Windows since then."""
        return int(self._windows[slot])

    def clear(self, slots: Integers) -> None:
        """Begin anew with these: they have shown that they are well."""
        self._evidence[slots] = 0.0
        self._sums[slots] = 0.0
        self._counted[slots] = 0

    def vacate(self, slot: int) -> None:
        """Forget a slot whose node has left."""
        if slot < len(self._began):
            self.clear(np.array([slot]))
            self._before[slot] = np.nan

    def freeze(self) -> SequentialState:
        """All of it."""
        return SequentialState(
            self._evidence.tobytes(),
            self._sums.tobytes(),
            self._counted.tobytes(),
            self._before.tobytes(),
            self._began.tobytes(),
            self._windows.tobytes(),
            list(self._noise),
        )

    def restore(self, state: SequentialState) -> None:
        """Go on from there."""
        scales, bets = len(SCALES), len(_BETS)
        self._evidence = np.frombuffer(state.evidence).reshape(-1, scales, bets).copy()
        self._sums = np.frombuffer(state.sums).reshape(-1, scales, 2).copy()
        self._counted = np.frombuffer(state.counted, np.int64).reshape(-1, scales).copy()
        self._before = np.frombuffer(state.before).reshape(-1, scales).copy()
        self._began = np.frombuffer(state.began).copy()
        self._windows = np.frombuffer(state.windows, np.int64).copy()
        self._noise = list(state.noise)

    def _bet(self, index: int, slots: Integers, ratio: Floats, margin: Floats) -> None:
        self._listen(index, slots, ratio)
        noise = self._noise[index]
        # Before the noise is known a bet is on the margin alone, which is the smallest stake.
        unit = np.maximum(margin, _LEAST if np.isnan(noise) else max(_NOISE * noise, _LEAST))
        beyond = np.clip((ratio - margin) / unit, -1.0, _MOST[index])
        won = np.log1p(_BETS * beyond[:, None])
        self._evidence[slots, index] = np.clip(self._evidence[slots, index] + won, 0.0, self._most)

    def _listen(self, index: int, slots: Integers, ratio: Floats) -> None:
        """Learn the noise from how much residuals change from one window to the next, whatever their level."""
        change = np.abs(ratio - self._before[slots, index])
        self._before[slots, index] = ratio
        change = change[~np.isnan(change)]
        if not len(change):
            return
        # A median absolute difference of two equal normal variables is 0.954 of their standard deviation.
        now = float(np.median(change)) / 0.954
        known = self._noise[index]
        self._noise[index] = now if np.isnan(known) else _MEMORY * known + (1 - _MEMORY) * now

    def _reach(self, slots: int) -> None:
        more = slots - len(self._began)
        if more > 0:
            self._evidence = np.pad(self._evidence, ((0, more), (0, 0), (0, 0)))
            self._sums = np.pad(self._sums, ((0, more), (0, 0), (0, 0)))
            self._counted = np.pad(self._counted, ((0, more), (0, 0)))
            self._before = np.pad(self._before, ((0, more), (0, 0)), constant_values=np.nan)
            self._began = np.pad(self._began, (0, more))
            self._windows = np.pad(self._windows, (0, more))
