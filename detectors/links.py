"""A node whose link is slow: transfers take longer for everybody, so no time names it, but its counters do.

Lost packets and time-outs are rare, noisy, and some nodes always have more than others. So each node is held
against its peers and against its own usual: a bet in each window, as in `detectors.sequential`, that its
counters have risen. That alone accuses nobody. They must have begun to rise when transfers began to take longer,
and of nobody else.
"""

import math

import msgspec
import numpy as np

from detectors.observed import Flags, Floats, Integers
from detectors.signal_kinds import Kind, Trait, cause_of
from detectors.verdict import Cause

_STRONGEST = 2
"""Counters that count in a window: one event shows in several, and the others' silence says nothing."""

_RISE = 0.75
_UNIT = 1.0
_MOST = 8.0
"""Rise of the score that a bet needs, what it is measured in, and its limit."""

_BETS = np.array([0.3, 0.9])

_WEIGHT = 1 / 10
"""Weight of a new window in what is usual: five minutes are remembered, of times when transfers are not long."""

_TOGETHER = 180.0
"""Seconds by which the counters' rise and the transfers' may lie apart."""

_COINCIDENCE = math.log(86_400 / (10 * 2 * _TOGETHER))
"""Log evidence that the coincidence is worth: were transfers to grow slow ten times a day, counters that rise by
chance would do so just then once in twenty-four times.
"""


class LinksState(msgspec.Struct):
    """What a snapshot holds: arrays as bytes, a row per slot."""

    usual: bytes
    evidence: bytes
    began: bytes


class Links:
    """Evidence against the links of all nodes of a job."""

    def __init__(self, bar: float) -> None:
        self._bar = bar
        self._usual = np.zeros(0)
        self._evidence = np.zeros((0, len(_BETS)))
        self._began = np.zeros(0)

    def push(self, scores: Floats, traits: dict[str, Trait], active: Flags, start: float, *, long: bool) -> None:
        """Take in one window.

        Args:
            scores: of each slot's signals, slots by signals, NaN where there is none.
            traits: of the signals by name, in their order.
            active: slots that are there.
            start: when it began, Unix seconds.
            long: whether transfers take longer than they did.
        """
        self._reach(len(active))
        columns = [
            index
            for index, (name, trait) in enumerate(traits.items())
            if trait.kind is Kind.EVENTS and cause_of(name) is Cause.NETWORK
        ]
        if not columns:
            return
        lost = np.sort(np.nan_to_num(scores[:, columns]), axis=1)[:, -_STRONGEST:]
        level = lost.sum(axis=1) / np.sqrt(_STRONGEST)
        here = np.flatnonzero(active & ~np.isnan(scores[:, columns]).all(axis=1))
        rise = level[here] - self._usual[here]
        if not long:
            self._usual[here] += _WEIGHT * rise
        self._began[here[self._evidence[here].max(axis=1) <= 0]] = start
        won = np.log1p(_BETS * np.clip((rise - _RISE) / _UNIT, -1.0, _MOST)[:, None])
        self._evidence[here] = np.clip(self._evidence[here] + won, 0.0, 2 * self._bar)

    def risen(self, since: float) -> tuple[list[int], bool]:
        """Nodes whose counters began to rise when transfers did, at `since`; and whether it is one alone."""
        enough = self._bar - _COINCIDENCE
        found = [int(slot) for slot in np.flatnonzero(self._evidence.max(axis=1, initial=0.0) >= enough)]
        near = [slot for slot in found if abs(self._began[slot] - since) <= _TOGETHER]
        return near, len(near) == 1

    def clear(self, slots: Integers) -> None:
        """Forget these."""
        slots = slots[slots < len(self._began)]
        self._evidence[slots] = 0.0
        self._usual[slots] = 0.0

    def freeze(self) -> LinksState:
        """All of it."""
        return LinksState(self._usual.tobytes(), self._evidence.tobytes(), self._began.tobytes())

    def restore(self, state: LinksState) -> None:
        """Go on from there."""
        self._usual, self._began = np.frombuffer(state.usual).copy(), np.frombuffer(state.began).copy()
        self._evidence = np.frombuffer(state.evidence).reshape(-1, len(_BETS)).copy()

    def _reach(self, slots: int) -> None:
        more = slots - len(self._began)
        if more <= 0:
            return
        self._usual, self._began = np.pad(self._usual, (0, more)), np.pad(self._began, (0, more))
        self._evidence = np.pad(self._evidence, ((0, more), (0, 0)))
