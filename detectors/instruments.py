"""What hardware signals add to the times: who is suspect where times cannot tell, and who has a bad link.

Signals never accuse by themselves, but for one case: transfers take longer than they did, nobody's own work
does, and one node's network counters stand out far beyond all others'. A slow link makes everybody wait alike,
so that no time names it.
"""

import math

import msgspec
import numpy as np

from detectors import budget
from detectors.board import Conclusion
from detectors.cause import cause_of_node
from detectors.forest import BETWEEN_BETS, Forest, ForestState
from detectors.links import Links, LinksState
from detectors.observed import Flags, Floats, Integers, Observed
from detectors.policy import Policy
from detectors.signal_kinds import cause_of
from detectors.signal_scores import SignalScores, SignalScoresState
from detectors.span import SECONDS, Span
from detectors.suspects import rank_suspects
from detectors.verdict import Cause, Evidence, Role, Severity, Status

_UNDECIDED = 0.5
"""The most confidence in a suspect whom the telemetry cannot convict."""

_NAMED = 5
"""Suspects named where times cannot tell."""


class InstrumentsState(msgspec.Struct):
    """What a snapshot holds."""

    scores: SignalScoresState
    forest: ForestState
    links: LinksState


class Instruments:
    """Signals of one job's nodes.

    Args:
        bar: log evidence that convicts by a link.
        policy: whether the forest may accuse, and within which budget.
        forest: whether the isolation forest takes part.
    """

    def __init__(self, bar: float, policy: Policy, *, forest: bool) -> None:
        spans = budget.per_check(policy.budget, BETWEEN_BETS * SECONDS)
        self._convicts = budget.bar(spans) if policy.forest.accuse else math.inf
        self.scores = SignalScores()
        self._forest = Forest() if forest else None
        self._links = Links(bar)
        self._span = Span()

    def push(self, observed: Observed, cohort: Integers, suspects: Flags, *, long: bool, blind: bool) -> None:
        """Take in one window.

        Args:
            observed: it.
            cohort: number of each node's cohort, -1 for none.
            suspects: who must not count as healthy.
            long: whether transfers take longer than they did.
            blind: whether times cannot tell who is slow.
        """
        signals = self._span.add(observed)
        if signals is None:
            return
        scores = self.scores.push(signals, cohort, observed.active)
        if self._forest is not None and signals.names:
            self._forest.push(self.scores, observed.active, suspects, asked=blind)
        traits = dict(zip(self.scores.names, self.scores.traits, strict=True))
        self._links.push(scores, traits, observed.active, self._span.start, long=long)

    @property
    def settled(self) -> bool:
        """Whether nothing is held back: then, and only then, can the state be frozen."""
        return self._span.empty

    def abandon(self) -> None:
        """Let go of what is held back."""
        self._span.empty = True

    def against(self, slot: int) -> list[Evidence]:
        """What speaks against a node, strongest first."""
        return self.scores.strength(slot)

    def suspects(self, active: Flags, priors: Floats | None) -> dict[int, Conclusion]:
        """The likeliest nodes where times cannot tell: to be looked at; acted on only if a setting says so.

        Args:
            active: nodes that are there.
            priors: factor on each one's odds, see `detectors.lemons`; None: nothing is known of their past.
        """
        if self._forest is None or not self.scores.names:
            return {}
        slots, chances = rank_suspects(self.scores, self._forest, active, priors, most=_NAMED)
        evidence = self._forest.evidence
        return {
            int(slot): self._suspicion(int(slot), float(chance), convicted=evidence[slot] >= self._convicts)
            for slot, chance in zip(slots, chances, strict=True)
        }

    def link(self, share: float, since: float) -> dict[int, Conclusion]:
        """The node whose link is slow, if one stands out. If several do, it is the network.

        Args:
            share: of the step time that transfers take longer than they did.
            since: when they began to, Unix seconds.
        """
        risen, alone = self._links.risen(since)
        return {slot: self._bad_link(slot, share, alone=alone) for slot in risen[:_NAMED]}

    def vacate(self, slot: int) -> None:
        """Forget a slot whose node has left."""
        self._span.vacate(slot)
        self.scores.vacate(slot)
        if self._forest is not None:
            self._forest.vacate(slot)
        self._links.clear(np.array([slot]))

    def freeze(self) -> InstrumentsState:
        """All of it."""
        forest = self._forest or Forest()
        return InstrumentsState(self.scores.freeze(), forest.freeze(), self._links.freeze())

    def restore(self, state: InstrumentsState) -> None:
        """Go on from there."""
        self.scores.restore(state.scores)
        if self._forest is not None:
            self._forest.restore(state.forest)
        self._links.restore(state.links)

    def _suspicion(self, slot: int, chance: float, *, convicted: bool) -> Conclusion:
        against = self.against(slot)
        # Without which signals it would be less unusual: these come first, each group by strength.
        odd = self._forest.signals(self.scores, slot) if self._forest is not None else []
        confidence = 0.8 if convicted else min(_UNDECIDED, round(chance, 3))
        return Conclusion(
            Status.STRAGGLER if convicted else Status.WATCH,
            Role.CULPRIT if convicted else Role.INCONCLUSIVE,
            cause_of_node({}, against).cause,
            severity=Severity.WARNING if convicted else Severity.INFO,
            confidence=confidence,
            evidence=tuple(sorted(against, key=lambda one: one.signal not in odd)[:4]),
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
