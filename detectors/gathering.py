"""All evidence against the nodes of a job by their own work, gathered window by window on three paths."""

import msgspec
import numpy as np

from detectors import budget
from detectors.cohorts import Cohorts
from detectors.fast import Fast, FastState, without_slowest
from detectors.observed import Flags, Floats, Integers, Observed
from detectors.policy import Policy
from detectors.recurrence import Recurrence, RecurrenceState
from detectors.residuals import Residuals, Work, middle
from detectors.sequential import SCALES, Sequential, SequentialState
from detectors.spell import Spell, SpellState


class GatheringState(msgspec.Struct):
    """What a snapshot holds."""

    fast: FastState
    slow: SequentialState
    recurrence: RecurrenceState
    spell: SpellState


class Gathering:
    """The fast path, the slow one, and that of spells that recur; and the figures of each node's present spell.

    Attributes:
        bar: log evidence that convicts.
        spell: what each node did since evidence against it began to gather.
        large: nodes that deviated largely in the newest window.
    """

    def __init__(self, policy: Policy) -> None:
        self.bar = budget.bar(budget.per_check(policy.budget, policy.window, len(SCALES)))
        self.spell = Spell()
        self.large: Flags = np.zeros(0, dtype=bool)
        self._fast = Fast(policy.fast, budget.per_check(policy.budget, policy.window, checks=2))
        self._slow = Sequential(self.bar)
        self._recurrence = Recurrence(self.bar)

    def push(self, warm: Residuals, margin: Floats, work: Work, cohorts: Cohorts, observed: Observed) -> None:
        """Add one window.

        Args:
            warm: how nodes stand, without those that are not warmed up.
            margin: log ratio up to which each counts as healthy.
            work: what was compared.
            cohorts: with whom.
            observed: the window.
        """
        ratio = without_slowest(warm, observed.totals)
        self.large = self._fast.push(ratio, warm.log / warm.scale, observed.start)
        self._slow.push(warm.own, warm.typical, margin, observed.start)
        scale = np.fmax(warm.scale, self._slow.noise())
        self._recurrence.push(warm.log, scale, observed.start, observed.end - observed.start)
        quiet = (self._slow.quiet() & self._recurrence.quiet())[: len(margin)] & ~self.large
        self.spell.clear(np.flatnonzero(quiet))
        open_ = np.flatnonzero(~quiet & ~np.isnan(warm.log))
        if len(open_):
            mine = _of_rank(work.sections, warm.rank)
            others = middle(mine, cohorts)
            beyond = work.own[open_] * (1 - np.exp(-warm.beyond[open_]))
            times = np.stack([warm.own[open_], warm.typical[open_]], axis=1)
            self.spell.push(open_, times, np.stack([mine[open_], others[open_]], axis=1), beyond)

    def log(self) -> Floats:
        """Log evidence against each node: of the slow path, or that its spells recur."""
        most: Floats = np.maximum(self._slow.log(), self._recurrence.log())
        return most

    def held(self) -> Flags:
        """Nodes that the fast path convicts."""
        return self._fast.held()

    def since(self, slot: int) -> float:
        """When the evidence against a node began to gather, Unix seconds."""
        return self._stronger(slot).since(slot)

    def windows(self, slot: int) -> int:
        """Windows since then."""
        return self._stronger(slot).windows(slot)

    def clear(self, slots: Integers) -> None:
        """Begin anew with nodes that have shown that they are well."""
        for part in (self._fast, self._slow, self._recurrence, self.spell):
            part.clear(slots)

    def vacate(self, slot: int) -> None:
        """Forget a slot whose node has left."""
        self.clear(np.array([slot]))
        self._slow.vacate(slot)

    def freeze(self) -> GatheringState:
        """All of it."""
        return GatheringState(
            self._fast.freeze(),
            self._slow.freeze(),
            self._recurrence.freeze(),
            self.spell.freeze(),
        )

    def restore(self, state: GatheringState) -> None:
        """Go on from there."""
        self._fast.restore(state.fast)
        self._slow.restore(state.slow)
        self._recurrence.restore(state.recurrence)
        self.spell.restore(state.spell)

    def _stronger(self, slot: int) -> Sequential | Recurrence:
        return self._recurrence if self._recurrence.log()[slot] > self._slow.log()[slot] else self._slow


def _of_rank(sections: Floats, rank: Integers) -> Floats:
    """Seconds per step of each node's chosen rank, nodes by sections."""
    chosen: Floats = sections[:, np.arange(len(rank)), rank].T
    return chosen
