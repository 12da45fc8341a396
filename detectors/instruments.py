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
from detectors.suspects import rank_suspects
from detectors.verdict import Cause, Evidence, Role, Severity, Status

_LINK = 3.0
"""Score of a node's strongest network counter above which a window speaks against its link, else for it."""

_UNIT = 1.5
_MOST = 5.0
_BETS = np.array([0.3, 0.9])
"""Bets on it as in `detectors.sequential`."""

_TOGETHER = 120.0
"""Seconds by which the counters' rise and the transfers' may lie apart. A node that always loses packets is not
why they grew slow just now.
"""

_UNDECIDED = 0.5
"""The most confidence in a suspect whom the telemetry cannot convict."""

_NAMED = 5
"""Suspects named where times cannot tell."""


class InstrumentsState(msgspec.Struct):
    """What a snapshot holds."""

    scores: SignalScoresState
    forest: ForestState
    links: bytes
    began: bytes


class Instruments:
    """Signals of one job's nodes.

    Args:
        bar: log evidence that convicts.
        forest: whether the isolation forest takes part.
    """

    def __init__(self, bar: float, *, forest: bool) -> None:
        self._bar = bar
        self.scores = SignalScores()
        self._forest = Forest() if forest else None
        self._links = np.zeros((0, len(_BETS)))
        self._began = np.zeros(0)

    def push(self, observed: Observed, cohort: np.ndarray, suspects: Flags) -> None:
        """Take in one window."""
        scores = self.scores.push(observed.signals, cohort, observed.active)
        if self._forest is not None and len(observed.signals.names):
            self._forest.push(self.scores, observed.active, suspects)
        self._follow_links(scores, observed.active, observed.start)

    def against(self, slot: int) -> list[Evidence]:
        """What speaks against a node, strongest first."""
        return self.scores.strength(slot)

    def suspects(self, active: Flags) -> dict[int, Conclusion]:
        """The likeliest nodes where times cannot tell: to be looked at, never to be acted on."""
        if self._forest is None or not self.scores.names:
            return {}
        slots, chances = rank_suspects(self.scores, self._forest, active, most=_NAMED)
        return {
            int(slot): self._suspicion(int(slot), min(_UNDECIDED, round(float(chance), 3)))
            for slot, chance in zip(slots, chances, strict=True)
        }

    def link(self, share: float, since: float) -> dict[int, Conclusion]:
        """The node whose link is slow, if one stands out. If several do, it is the network.

        Args:
            share: of the step time that transfers take longer than they did.
            since: when they began to, Unix seconds.
        """
        evidence = self._links.max(axis=1, initial=0.0)
        found = [int(slot) for slot in np.flatnonzero(evidence >= self._bar)]
        late = [slot for slot in found if abs(self._began[slot] - since) <= _TOGETHER]
        alone = len(found) == 1 and found == late
        return {slot: self._bad_link(slot, share, alone=alone) for slot in late[:_NAMED]}

    def vacate(self, slot: int) -> None:
        """Forget a slot whose node has left."""
        self.scores.vacate(slot)
        if self._forest is not None:
            self._forest.vacate(slot)
        if slot < len(self._began):
            self._links[slot] = 0.0

    def freeze(self) -> InstrumentsState:
        """All of it."""
        forest = self._forest or Forest()
        return InstrumentsState(
            self.scores.freeze(), forest.freeze(), self._links.tobytes(), self._began.tobytes()
        )

    def restore(self, state: InstrumentsState) -> None:
        """Go on from there."""
        self.scores.restore(state.scores)
        if self._forest is not None:
            self._forest.restore(state.forest)
        self._links = np.frombuffer(state.links).reshape(-1, len(_BETS)).copy()
        self._began = np.frombuffer(state.began).copy()

    def _suspicion(self, slot: int, confidence: float) -> Conclusion:
        against = self.against(slot)
        cause = cause_of(against[0].signal) if against else Cause.UNKNOWN
        return Conclusion(
            Status.WATCH, Role.INCONCLUSIVE, cause, confidence=confidence, evidence=tuple(against[:4])
        )

    def _bad_link(self, slot: int, share: float, *, alone: bool) -> Conclusion:
        against = [one for one in self.against(slot) if cause_of(one.signal) is Cause.NETWORK]
        return Conclusion(
            Status.STRAGGLER if alone else Status.WATCH,
            Role.LINK if alone else Role.COMMON,
            Cause.NETWORK,
            None,
            round(share, 4),
            Severity.WARNING if alone else Severity.INFO,
            0.9 if alone else 0.5,
            tuple(against),
        )

    def _follow_links(self, scores: Floats, active: Flags, start: float) -> None:
        """Bet against each node's link."""
        more = max(0, len(active) - len(self._began))
        self._links = np.pad(self._links, ((0, more), (0, 0)))
        self._began = np.pad(self._began, (0, more))
        columns = [index for index, name in enumerate(self.scores.names) if cause_of(name) is Cause.NETWORK]
        if not columns:
            return
        network = scores[:, columns]
        here = np.flatnonzero(active & ~np.isnan(network).all(axis=1))
        worst = np.nanmax(network[here], axis=1)
        self._began[here[self._links[here].max(axis=1) <= 0]] = start
        won = np.log1p(_BETS * np.clip((worst - _LINK) / _UNIT, -1.0, _MOST)[:, None])
        self._links[here] = np.clip(self._links[here] + won, 0.0, 2 * self._bar)
