"""Nodes whose checkpoints take much longer than their peers': the others wait for them at each one.

A checkpoint is written once in many windows, so evidence by windows comes too slowly; but a write that stalls is
not a few per cent slower. The rule of the fast path is applied to the checkpoints instead. A file system that
stalls everybody moves the median, and a node that alone writes has no peers to be compared with.
"""

import msgspec
import numpy as np

from detectors import budget
from detectors.board import Conclusion
from detectors.cohorts import Cohorts
from detectors.fast import Fast, FastState
from detectors.observed import SECTIONS, Flags, Floats, Integers, Totals
from detectors.policy import Fast as FastPolicy
from detectors.policy import Policy
from detectors.residuals import typical
from detectors.verdict import Cause, Evidence, Role, Severity, Status

_CHECKPOINT = SECTIONS.index("checkpoint")

_RULE = FastPolicy(ratio=1.3, held=6, of=7, severe_ratio=1.5, severe_held=3)
_FLOOR = 0.05
"""Least spread of log seconds of a write among peers."""

_LEAST = 0.5
"""Seconds that a write must be longer than the peers': shorter ones are no stall."""

_EACH = 60.0
"""Seconds from one checkpoint to the next at least, as far as the budget goes."""


class WritesState(msgspec.Struct):
    """What a snapshot holds: arrays as bytes, a row per slot."""

    fast: FastState
    lost: bytes
    own: bytes
    typical: bytes


class Writes:
    """The newest checkpoints of all nodes of a job."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._fast = Fast(_RULE, budget.per_check(policy.budget, _EACH, checks=2))
        self._lost = np.zeros(0)
        self._own, self._typical = np.zeros(0), np.zeros(0)

    def push(self, totals: Totals, among: Flags, cohorts: Cohorts, start: float) -> None:
        """Take in one window that began at `start`."""
        self._reach(len(among))
        seconds = totals.sections[_CHECKPOINT]
        own = np.where(np.isfinite(seconds) & (seconds > 0), seconds, 0.0).max(axis=1, initial=0.0)
        own = np.where(among & (own > 0), own, np.nan)
        if np.isnan(own).all():
            return
        others = typical(own, cohorts)
        log = np.log(own / others)
        ratio = np.where(own - others > _LEAST, own / others, np.fmin(own / others, 1.0))
        large = self._fast.push(ratio, log / _scale(log), start)
        compared = ~np.isnan(ratio)
        self._lost[large] += (own - others)[large]
        self._lost[compared & ~large] = 0.0
        self._own[compared], self._typical[compared] = own[compared], others[compared]

    def conclusions(self, cohorts: Cohorts, end: float, step_time: float | None) -> dict[int, Conclusion]:
        """Whom the others wait for at checkpoints, as of `end`. Many together are the storage's fault."""
        held = self._fast.held()
        slow = np.flatnonzero(held & (self._lost[: len(held)] > 0))
        crowd = len(slow) > max(1, self._policy.common * np.count_nonzero(cohorts.number >= 0))
        found = {}
        for slot in (int(one) for one in slow):
            share = self._lost[slot] / max(end - self._fast.since(slot), 1e-9)
            if not step_time or share < self._policy.slowdown or cohorts.peers[slot] < self._policy.peers:
                continue
            own, others = float(self._own[slot]), float(self._typical[slot])
            found[slot] = Conclusion(
                Status.WATCH if crowd else Status.STRAGGLER,
                Role.COMMON if crowd else Role.CULPRIT,
                Cause.STORAGE,
                None,
                round(min(1.0, float(share)), 4),
                Severity.INFO if crowd else Severity.WARNING,
                0.5 if crowd else 0.9,
                (Evidence("steps.checkpoint", round(own, 6), round(others, 6), 0.0, _RULE.severe_held),),
            )
        return found

    def since(self, slot: int) -> float:
        """When the first of the slow writes in a row began."""
        return self._fast.since(slot)

    def clear(self, slots: Integers) -> None:
        """Begin anew with these."""
        self._fast.clear(slots)
        self._lost[slots[slots < len(self._lost)]] = 0.0

    def freeze(self) -> WritesState:
        """All of it."""
        return WritesState(self._fast.freeze(), self._lost.tobytes(), self._own.tobytes(), self._typical.tobytes())

    def restore(self, state: WritesState) -> None:
        """Go on from there."""
        self._fast.restore(state.fast)
        self._lost, self._own, self._typical = (
            np.frombuffer(raw).copy() for raw in (state.lost, state.own, state.typical)
        )

    def _reach(self, slots: int) -> None:
        more = slots - len(self._lost)
        if more <= 0:
            return
        self._lost = np.pad(self._lost, (0, more))
        self._own, self._typical = np.pad(self._own, (0, more)), np.pad(self._typical, (0, more))


def _scale(log: Floats) -> float:
    """Spread of the writers of this checkpoint, each against its own peers."""
    known = log[~np.isnan(log)]
    return max(_FLOOR, 1.4826 * float(np.median(np.abs(known))) if len(known) else _FLOOR)
