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
from detectors.gathering import Gathering, GatheringState
from detectors.instruments import Instruments, InstrumentsState
from detectors.observed import Flags, Floats, Integers, Observed, Totals
from detectors.pace import Pace, PaceState
from detectors.policy import Policy
from detectors.residuals import Residuals, Work, residuals, work_of
from detectors.step_model import Places, recovered
from detectors.together import Together, together
from detectors.verdict import Cause, Role
from detectors.writes import Writes, WritesState

_GATHERING = 0.25
"""Share of the evidence that convicts from which on a node counts as one of those who slowed together."""


_MOST_CHARGED = 256
"""Nodes whose cost is computed in a window, the strongest first. If more slow down, none is at fault."""


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
    gathering: GatheringState
    pace: PaceState
    instruments: InstrumentsState
    writes: WritesState
    seen: bytes


class Judge:
    """The judge of one attempt of one job. Windows must come in order."""

    def __init__(self, policy: Policy, parts: Parts = ALL_PARTS) -> None:
        self._policy, self._parts = policy, parts
        self._gathering = Gathering(policy)
        self._grouping = Grouping(policy.peers, stages=parts.stages)
        self._elasticity = Elasticity()
        self._writes = Writes(policy)
        self._pace = Pace()
        self._instruments = Instruments(self._gathering.bar, policy, forest=parts.forest)
        self._seen = np.zeros(0, dtype=np.int64)

    def judge(self, observed: Observed) -> Reading:
        """Judge one window."""
        totals, policy = observed.totals, self._policy
        self._reach(len(totals.count))
        self._gathering.spell.reach(*totals.count.shape)
        cohorts = self._grouping.find(totals, observed.among)
        work = work_of(totals, observed.among)
        expected = self._elasticity.expected(totals, work, cohorts) if self._parts.work else 0 * work.own
        found = residuals(work, expected, cohorts, policy.floor)
        step_time = _step_time(totals, observed.among)
        self._pace.note(work, observed.among, step_time, observed.start)
        margin = self._margin(cohorts)
        warm = self._warm(found)
        self._gathering.push(warm, margin, work, cohorts, observed)
        evidence = self._gathering.log()
        crowd = self._crowd(evidence, cohorts, observed)
        bar, spell = self._gathering.bar, self._gathering.spell
        case = Case(found, cohorts, work, totals, crowd, spell, self._instruments, bar, policy)
        suspects = self._suspects(evidence, found)
        self._charge(warm, evidence, suspects, totals, step_time)
        long = not np.isnan(self._pace.transfer_since())
        self._instruments.push(observed, cohorts.number, suspects, long=long, blind=bool(np.isnan(work.own).all()))
        self._writes.push(totals, observed.among, cohorts, observed.start)
        conclusions = self._conclude(case, suspects, evidence) or self._without_times(
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
            bar,
            self._gathering.large,
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
        return self._gathering.since(slot)

    def windows(self, slot: int) -> int:
        """Windows since then."""
        return self._gathering.windows(slot)

    def acquit(self, slots: Integers) -> None:
        """Begin anew with nodes that have shown that they are well."""
        self._gathering.clear(slots)
        self._writes.clear(slots)

    def vacate(self, slot: int) -> None:
        """Forget a slot whose node has left."""
        if slot < len(self._seen):
            self._gathering.vacate(slot)
            self._writes.clear(np.array([slot]))
            self._instruments.vacate(slot)
            self._seen[slot] = 0

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
            self._gathering.freeze(),
            self._pace.freeze(),
            self._instruments.freeze(),
            self._writes.freeze(),
            self._seen.tobytes(),
        )

    def restore(self, state: JudgeState) -> None:
        """Go on from there."""
        self._elasticity.restore(state.elasticity)
        self._gathering.restore(state.gathering)
        self._pace.restore(state.pace)
        self._instruments.restore(state.instruments)
        self._writes.restore(state.writes)
        self._seen = np.frombuffer(state.seen, np.int64).copy()

    def _reach(self, slots: int) -> None:
        more = slots - len(self._seen)
        if more > 0:
            self._seen = np.pad(self._seen, (0, more))

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

    def _crowd(self, evidence: Floats, cohorts: Cohorts, observed: Observed) -> Together:
        off = (evidence >= _GATHERING * self._gathering.bar) | self._gathering.held()
        return together(off, cohorts.number, observed.domains, self._policy.common)

    def _suspects(self, evidence: Floats, found: Residuals) -> Flags:
        suspects = np.zeros(len(evidence), dtype=bool)
        if self._parts.slow:
            suspects |= evidence >= self._gathering.bar
        if self._parts.fast:
            suspects |= self._gathering.held()
        return suspects & ~np.isnan(found.log)

    def _conclude(self, case: Case, suspects: Flags, evidence: Floats) -> dict[int, Conclusion]:
        """Say what each suspect is."""
        who = [int(slot) for slot in np.flatnonzero(suspects)]
        if not who:
            return {}
        spell = self._gathering.spell
        order = sorted(who, key=lambda slot: (-evidence[slot], -(spell.slowdown(slot) or 0.0), slot))
        conclusions = {}
        for slot in order:
            conclusions[slot] = conclude(
                case,
                slot,
                slowdown=spell.slowdown(slot),
                evidence=float(evidence[slot]),
                windows=self.windows(slot),
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

    def _charge(
        self, warm: Residuals, evidence: Floats, suspects: Flags, totals: Totals, step_time: float | None
    ) -> None:
        """Note what this window's steps took longer for the nodes that evidence gathers against."""
        gathering = self._gathering
        slots = np.flatnonzero(
            (suspects | (evidence >= _GATHERING * gathering.bar) | gathering.large) & ~np.isnan(warm.log)
        )
        if not len(slots) or not step_time:
            return
        slots = slots[np.argsort(-evidence[slots], kind="stable")[:_MOST_CHARGED]]
        candidates = np.zeros(len(evidence), dtype=bool)
        candidates[slots] = True
        if self._parts.what_if:
            saved = recovered(
                warm.own, warm.typical, candidates, Places(totals.pipeline[:, 0], totals.depth[:, 0])
            )
        else:
            saved = np.maximum(0.0, warm.own - warm.typical)
        gathering.spell.charge(slots, saved[slots], step_time)


def _step_time(totals: Totals, among: Flags) -> float | None:
    ended = totals.count[among]
    steps = totals.duration[among] / np.where(ended > 0, ended, np.nan)
    known = steps[np.isfinite(steps) & (steps > 0)]
    return float(np.median(known)) if known.size else None
