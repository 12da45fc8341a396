"""What hardware signals add to the times: who is suspect where times cannot tell, and who has a bad link.

Signals never accuse by themselves, but for one case: transfers take longer than they did, nobody's own work
does, and one node's network counters stand out far beyond all others'. A slow link makes everybody wait alike,
so that no time names it.
"""

import msgspec
import numpy as np

from detectors.board import Conclusion
from detectors.forest import Forest, ForestState
from detectors.observed import Flags, Floats, Observed
from detectors.signal_kinds import cause_of
from detectors.signal_scores import SignalScores, SignalScoresState
from detectors.verdict import Cause, Evidence, Role, Severity, Status

_LINK = 6.0
"""Smoothed score of its strongest network counter from which a node's link is suspect."""

_APART = 2.0
"""How many times as strong as the next node's it must be."""

_HELD = 6
"""Windows that it must have been so."""

_NAMED = 5
"""Suspects named where times cannot tell."""


class InstrumentsState(msgspec.Struct):
    """What a snapshot holds."""

    scores: SignalScoresState
    forest: ForestState
    linked: bytes


class Instruments:
    """Signals of one job's nodes.

    Args:
        forest: whether the isolation forest takes part.
    """

    def __init__(self, *, forest: bool) -> None:
        self.scores = SignalScores()
        self._forest = Forest() if forest else None
        self._linked = np.zeros(0, dtype=np.int64)

    def push(self, observed: Observed, cohort: np.ndarray, suspects: Flags) -> None:
        """Take in one window."""
        self.scores.push(observed.signals, cohort, observed.active)
        if self._forest is not None and len(observed.signals.names):
            self._forest.push(self.scores, observed.active, suspects)
        self._follow_links(observed.active)

    def against(self, slot: int) -> list[Evidence]:
        """What speaks against a node, strongest first."""
        return self.scores.strength(slot)

    def suspects(self, active: Flags) -> dict[int, Conclusion]:
        """The likeliest nodes where times cannot tell: to be looked at, never to be acted on."""
        strength = np.where(active, self.scores.overall[: len(active)], 0.0)
        order = np.argsort(-strength, kind="stable")[:_NAMED]
        return {int(slot): self._suspicion(int(slot), 0.3) for slot in order if strength[slot] > 0}

    def link(self, share: float) -> dict[int, Conclusion]:
        """The node whose link is slow, if one stands out.

        Args:
            share: of the step time that transfers take longer than they did.
        """
        found = {}
        for slot in np.flatnonzero(self._linked >= _HELD):
            against = [one for one in self.against(int(slot)) if cause_of(one.signal) is Cause.NETWORK]
            found[int(slot)] = Conclusion(
                Status.STRAGGLER,
                Role.LINK,
                Cause.NETWORK,
                None,
                round(share, 4),
                Severity.WARNING,
                0.9,
                tuple(against),
            )
        return found

    def vacate(self, slot: int) -> None:
        """Forget a slot whose node has left."""
        self.scores.vacate(slot)
        if self._forest is not None:
            self._forest.vacate(slot)
        if slot < len(self._linked):
            self._linked[slot] = 0

    def freeze(self) -> InstrumentsState:
        """All of it."""
        forest = self._forest or Forest()
        return InstrumentsState(self.scores.freeze(), forest.freeze(), self._linked.tobytes())

    def restore(self, state: InstrumentsState) -> None:
        """Go on from there."""
        self.scores.restore(state.scores)
        if self._forest is not None:
            self._forest.restore(state.forest)
        self._linked = np.frombuffer(state.linked, np.int64).copy()

    def _suspicion(self, slot: int, confidence: float) -> Conclusion:
        against = self.against(slot)
        cause = cause_of(against[0].signal) if against else Cause.UNKNOWN
        return Conclusion(
            Status.WATCH, Role.INCONCLUSIVE, cause, confidence=confidence, evidence=tuple(against[:4])
        )

    def _follow_links(self, active: Flags) -> None:
        """Count for how long one node's network counters have stood out from all others'."""
        slots = len(active)
        self._linked = np.pad(self._linked, (0, max(0, slots - len(self._linked))))
        strength = self._network(slots)
        strength[~active] = 0.0
        order = np.argsort(-strength, kind="stable")[:2]
        alone = len(order) == 2 and strength[order[0]] > max(_LINK, _APART * strength[order[1]])
        before = self._linked[order[0]] if alone else 0
        self._linked[:] = 0
        if alone:
            self._linked[order[0]] = before + 1

    def _network(self, slots: int) -> Floats:
        columns = [index for index, name in enumerate(self.scores.names) if cause_of(name) is Cause.NETWORK]
        if not columns:
            return np.zeros(slots)
        worst: Floats = self.scores.smooth[:slots, columns].astype(np.float32).max(axis=1)
        return worst
