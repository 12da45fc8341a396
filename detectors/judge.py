"""One window of one job is judged: whose own work stands out, for how long, and what that means.

The deciding core: arrays in, conclusions out. It knows no names, clocks or records; `detectors.job` feeds it from
telemetry, benchmarks feed it from simulated arrays.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import numpy as np

from detectors import budget
from detectors.board import Conclusion
from detectors.case import Case, conclude
from detectors.cohorts import Cohorts, Grouping
from detectors.elasticity import Elasticity, ElasticityState
from detectors.fast import Fast, FastState, without_slowest
from detectors.instruments import Instruments, InstrumentsState
from detectors.observed import Flags, Floats, Integers, Observed, Totals
from detectors.pace import Pace, PaceState
from detectors.policy import Policy
from detectors.residuals import Residuals, Work, middle, residuals, work_of
from detectors.sequential import SCALES, Sequential, SequentialState
from detectors.spell import Spell, SpellState
from detectors.step_model import Places, recovered
from detectors.together import Together, together
from detectors.verdict import Cause, Role
from detectors.writes import Writes, WritesState

_MEMORY = 0.95
"""Weight that a node's usual residual keeps when the next window comes: some twenty windows count."""

_GATHERING = 0.25
"""Share of the evidence that convicts from which on a node counts as one of those who slowed together."""


class Parts(msgspec.Struct, frozen=True):
    """Parts of the judgement that can be switched off, to measure what each is worth."""

    stages: bool = True
    work: bool = True
    what_if: bool = True
    fast: bool = True
    slow: bool = True
    forest: bool = True


ALL_PARTS = Parts()


@dataclass(frozen=True, slots=True)
class Reading:
    """What one window came to, an entry per node slot.

    Attributes:
        conclusions: of suspects, by slot, the strongest first.
        cohorts, residuals, work: who was compared with whom, how they stand, and what was compared.
        margin: log ratio up to which each counts as healthy.
        evidence: log evidence against each; `bar` convicts.
        large: who deviated so largely that the fast path counts it.
        well: compared, and within the margin.
        together: who slowed together.
        network: whether transfers take longer than they did.
        storage: whether many nodes' checkpoints stall.
        step_time: the job's, seconds; None where no step ended or none is known.
    """

    conclusions: Mapping[int, Conclusion]
    cohorts: Cohorts
    residuals: Residuals
    work: Work
    margin: Floats
    evidence: Floats
    bar: float
    large: Flags
    well: Flags
    together: Together
    network: bool
    storage: bool
    step_time: float | None


class JudgeState(msgspec.Struct):
    """What a snapshot holds."""

    elasticity: ElasticityState
    fast: FastState
    slow: SequentialState
    spell: SpellState
    pace: PaceState
    instruments: InstrumentsState
    writes: WritesState
    seen: bytes
    usual: bytes


class Judge:
    """The judge of one attempt of one job. Windows must come in order."""

    def __init__(self, policy: Policy, parts: Parts = ALL_PARTS) -> None:
        self._policy, self._parts = policy, parts
        self._bar = budget.bar(budget.per_check(policy.budget, policy.window, len(SCALES)))
        self._grouping = Grouping(policy.peers, stages=parts.stages)
        self._elasticity = Elasticity()
        self._fast = Fast(policy.fast, budget.per_check(policy.budget, policy.window, checks=2))
        self._writes = Writes(policy)
        self._slow = Sequential(self._bar)
        self._spell = Spell()
        self._pace = Pace()
        self._instruments = Instruments(self._bar, policy, forest=parts.forest)
        self._seen = np.zeros(0, dtype=np.int64)
        self._usual = np.zeros(0)

    def judge(self, observed: Observed) -> Reading:
        """Judge one window."""
        totals, policy = observed.totals, self._policy
        self._reach(*totals.count.shape)
        cohorts = self._grouping.find(totals, observed.among)
        work = work_of(totals, observed.among)
        expected = self._elasticity.expected(totals, work, cohorts) if self._parts.work else 0 * work.own
        found = residuals(work, expected, cohorts, policy.floor)
        step_time = _step_time(totals, observed.among)
        self._pace.note(work, observed.among, step_time, observed.start)
        margin = self._margin(cohorts)
        warm = self._warm(found)
        large = self._gather(warm, margin, work, cohorts, observed)
        evidence = self._slow.log()
        crowd = self._crowd(evidence, cohorts, observed)
        case = Case(found, cohorts, work, totals, crowd, self._spell, self._instruments, self._bar, policy)
        suspects = self._suspects(evidence, found)
        long = not np.isnan(self._pace.transfer_since())
        self._instruments.push(observed, cohorts.number, suspects, long=long, blind=bool(np.isnan(work.own).all()))
        self._writes.push(totals, observed.among, cohorts, observed.start)
        conclusions = self._conclude(case, suspects, evidence, observed) or self._without_times(
            observed, work, cohorts, step_time
        )
        well = ~np.isnan(found.log) & (found.log <= margin)
        return Reading(
            conclusions,
            cohorts,
            found,
            work,
            margin,
            evidence,
            self._bar,
            large,
            well,
            crowd,
            long,
            any(one.cause is Cause.STORAGE and one.role is Role.COMMON for one in conclusions.values()),
            step_time,
        )

    def unsteadiness(self) -> float | None:
        """How much the job's pace changes from window to window, see :meth:`Pace.unsteadiness`."""
        return self._pace.unsteadiness()

    def since(self, slot: int) -> float:
        """When the evidence against a node began to gather, Unix seconds."""
        return self._slow.since(slot)

    def windows(self, slot: int) -> int:
        """Windows since then."""
        return self._slow.windows(slot)

    def acquit(self, slots: Integers) -> None:
        """Begin anew with nodes that have shown that they are well."""
        for part in (self._fast, self._slow, self._spell, self._writes):
            part.clear(slots)

    def vacate(self, slot: int) -> None:
        """Forget a slot whose node has left."""
        if slot < len(self._seen):
            self.acquit(np.array([slot]))
            self._slow.vacate(slot)
            self._instruments.vacate(slot)
            self._seen[slot] = 0
            self._usual[slot] = 0.0

    @property
    def settled(self) -> bool:
        """Whether nothing is held back: then, and only then, can the state be frozen."""
        return self._instruments.settled

    def abandon(self) -> None:
        """Let go of what is held back."""
        self._instruments.abandon()

    def freeze(self) -> JudgeState:
        """All of it."""
        return JudgeState(
            self._elasticity.freeze(),
            self._fast.freeze(),
            self._slow.freeze(),
            self._spell.freeze(),
            self._pace.freeze(),
            self._instruments.freeze(),
            self._writes.freeze(),
            self._seen.tobytes(),
            self._usual.tobytes(),
        )

    def restore(self, state: JudgeState) -> None:
        """Go on from there."""
        self._elasticity.restore(state.elasticity)
        self._fast.restore(state.fast)
        self._slow.restore(state.slow)
        self._spell.restore(state.spell)
        self._pace.restore(state.pace)
        self._instruments.restore(state.instruments)
        self._writes.restore(state.writes)
        self._seen = np.frombuffer(state.seen, np.int64).copy()
        self._usual = np.frombuffer(state.usual).copy()

    def _reach(self, slots: int, ranks: int) -> None:
        more = slots - len(self._seen)
        if more > 0:
            self._seen, self._usual = np.pad(self._seen, (0, more)), np.pad(self._usual, (0, more))
        self._spell.reach(slots, ranks)

    def _margin(self, cohorts: Cohorts) -> Floats:
        known = np.unique(cohorts.peers)
        by_size = np.full(int(known.max(initial=0)) + 1, np.nan)
        by_size[known] = [budget.margin(self._policy.tolerance, max(1, int(size))) for size in known]
        return by_size[cohorts.peers]

    def _warm(self, found: Residuals) -> Residuals:
        """The same without nodes in their first windows: a restart compiles, fills caches, opens files."""
        there = ~np.isnan(found.log)
        self._seen[: len(there)] += there
        cold = self._seen[: len(there)] <= self._policy.warm_up
        log, scale, own, typical = (
            np.where(cold, np.nan, column) for column in (found.log, found.scale, found.own, found.typical)
        )
        return Residuals(log, scale, found.rank, own, typical, found.beyond)

    def _gather(self, warm: Residuals, margin: Floats, work: Work, cohorts: Cohorts, observed: Observed) -> Flags:
        """Add the window to the evidence.

        Returns:
            Nodes with a large deviation.
        """
        here = np.flatnonzero(~np.isnan(warm.log))
        self._usual[here] += (1 - _MEMORY) * (warm.log[here] - self._usual[here])
        large = self._fast.push(without_slowest(warm, observed.totals), warm.log / warm.scale, observed.start)
        self._slow.push(warm.own, warm.typical, margin, observed.start)
        quiet = self._slow.quiet()[: len(margin)] & ~large
        self._spell.clear(np.flatnonzero(quiet))
        open_ = np.flatnonzero(~quiet & ~np.isnan(warm.log))
        if len(open_):
            mine = _of_rank(work.sections, warm.rank)
            others = middle(mine, cohorts)
            beyond = work.own[open_] * (1 - np.exp(-warm.beyond[open_]))
            times = np.stack([warm.own[open_], warm.typical[open_]], axis=1)
            self._spell.push(open_, times, np.stack([mine[open_], others[open_]], axis=1), beyond)
        return large

    def _crowd(self, evidence: Floats, cohorts: Cohorts, observed: Observed) -> Together:
        off = (evidence >= _GATHERING * self._bar) | self._fast.held()
        return together(off, cohorts.number, observed.domains, self._policy.common)

    def _suspects(self, evidence: Floats, found: Residuals) -> Flags:
        suspects = np.zeros(len(evidence), dtype=bool)
        if self._parts.slow:
            suspects |= evidence >= self._bar
        if self._parts.fast:
            suspects |= self._fast.held()
        return suspects & ~np.isnan(found.log)

    def _conclude(
        self, case: Case, suspects: Flags, evidence: Floats, observed: Observed
    ) -> dict[int, Conclusion]:
        """Say what each suspect is."""
        who = [int(slot) for slot in np.flatnonzero(suspects)]
        if not who:
            return {}
        # Usual times, not this window's: where batches differ, some healthy node is slow by chance in each.
        own = case.found.typical * np.exp(self._usual[: len(evidence)])
        for slot in who:
            own[slot] = case.found.typical[slot] * self._spell.ratio(slot)
        saved = self._saved(own, case.found.typical, suspects, observed.totals)
        order = sorted(who, key=lambda slot: (-evidence[slot], -saved[slot], slot))
        conclusions = {}
        for slot in order:
            step_time = self._pace.step_time(self.since(slot))
            slowdown = min(1.0, float(saved[slot]) / step_time) if step_time else None
            conclusions[slot] = conclude(
                case, slot, slowdown=slowdown, evidence=float(evidence[slot]), windows=self.windows(slot)
            )
        return conclusions

    def _without_times(
        self, observed: Observed, work: Work, cohorts: Cohorts, step_time: float | None
    ) -> dict[int, Conclusion]:
        """Nobody's own work stands out. Checkpoints or signals may tell who is at fault, or whom to look at."""
        stalled = self._writes.conclusions(cohorts, observed.end, step_time)
        if stalled:
            return stalled
        if not step_time:
            return {}
        since = self._pace.transfer_since()
        if not np.isnan(since):
            return self._instruments.link(self._pace.transfer_excess() / step_time, since)
        if np.isnan(work.own).all() and self._pace.slowed():
            return self._instruments.suspects(observed.active, observed.priors)
        return {}

    def _saved(self, own: Floats, typical: Floats, suspects: Flags, totals: Totals) -> Floats:
        if not self._parts.what_if:
            return np.where(suspects, np.maximum(0.0, own - typical), 0.0)
        return recovered(own, typical, suspects, Places(totals.pipeline[:, 0], totals.depth[:, 0]))


def _of_rank(sections: Floats, rank: Integers) -> Floats:
    """Seconds per step of each node's chosen rank, nodes by sections."""
    chosen: Floats = sections[:, np.arange(len(rank)), rank].T
    return chosen


def _step_time(totals: Totals, among: Flags) -> float | None:
    ended = totals.count[among]
    steps = totals.duration[among] / np.where(ended > 0, ended, np.nan)
    known = steps[np.isfinite(steps) & (steps > 0)]
    return float(np.median(known)) if known.size else None
