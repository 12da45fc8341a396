"""One job: its records in order of event time go in, what is to be said comes out."""

import math
from collections import Counter

import numpy as np

from detectors.alignment import in_step
from detectors.arrival import Moment
from detectors.board import Board
from detectors.course import Course
from detectors.docket import Docket
from detectors.grounds import grounds_of
from detectors.hang import find_hang
from detectors.hang_conclude import conclude_hang
from detectors.held import Held
from detectors.judge import Judge, Reading
from detectors.members import Members
from detectors.observed import NO_SECTION, Flags, Floats, Latest, Observed, Totals
from detectors.policy import Policy
from detectors.snapshot import JobState
from detectors.standing import Grounds, standing_of
from detectors.verdict import JobStatus, Saying
from detectors.watch import Watch, Watched
from detectors.window import Window

_PATIENCE = 3
"""Windows joined at most while ranges of steps differ: a lost record or a late start is over by then."""

_FEW = 0.1
"""Share of the nodes that, having done other steps, are left out at once: some record or other is always lost."""


class JobFold:
    """The state of one job. `advance` and `take` must be given moments in order of event time."""

    def __init__(
        self,
        cluster: str,
        job: str,
        policy: Policy,
        board: Board,
        counts: Counter[str],
        *,
        watch: Watch | None = None,
    ) -> None:
        self._cluster, self._job, self._watch = cluster, job, watch
        self._policy, self._counts, self._lemons = policy, counts, board.lemons
        self._edge = -math.inf
        self._open = False
        self._members = Members()
        self._docket = Docket(cluster, job, policy, board, self._members)
        self._begin(0)
        self._docket.attempt = -1

    @property
    def empty(self) -> bool:
        """Whether no node is left."""
        return not len(self._members)

    @property
    def status(self) -> JobStatus | None:
        """What was said of the job last; None: nothing yet."""
        return self._course.status

    def advance(self, moment: Moment) -> list[Saying]:
        """Close the window if the moment lies beyond it. Then comes `take`."""
        current = any(record.attempt >= self._docket.attempt for record in moment.records)
        return self._cross(moment.time) if current and moment.time > self._edge else []

    def take(self, moment: Moment) -> list[Saying]:
        """Fold the records of one event time."""
        sayings: list[Saying] = []
        speak = False
        for record in moment.records:
            if record.attempt < self._docket.attempt:
                self._counts["stale"] += 1
                continue
            if record.attempt > self._docket.attempt:
                self._begin(record.attempt)
            known = self._members.get(record.node)
            if known is not None and known.instance != record.instance:
                sayings += self.depart(record.node)
            member, met = self._docket.meet(record)
            sayings += met
            self._collect(member.slot, record)
            if record.faults:
                faults = self._docket.fault(member, record)
                sayings += faults
                speak = speak or bool(faults)
            if record.leaving:
                sayings += self.depart(record.node)
                speak = True
                if self.empty:
                    self._course.end()
        self._flush()
        return sayings + (self._report(moment.time) if speak or not self._course.spoken else [])

    def passed(self, time: float) -> list[Saying]:
        """All records up to `time` have been taken: a window that ends by then need not wait for later ones."""
        return self._close() if self._open and self._edge <= time else []

    def freeze(self) -> JobState | None:
        """The state between two windows; None within one, or while windows are joined."""
        if not self._window.empty or not self._judge.settled:
            return None
        return JobState(
            attempt=self._docket.attempt,
            edge=self._edge,
            open=self._open,
            start=self._start,
            stepped=self._stepped,
            longest=self._longest,
            unsynced=self._unsynced,
            apart=[int(slot) for slot in self._apart],
            window=self._window.numbering,
            grounds=self._grounds,
            members=self._members.freeze(),
            free=self._members.free,
            docket=self._docket.freeze(),
            judge=self._judge.freeze(),
            course=self._course.freeze(),
            said=self._docket.said(),
            past={
                one.instance: past for one in self._members.all() if (past := self._lemons.past.get(one.instance))
            },
        )

    def restore(self, state: JobState) -> None:
        """Go on from a snapshot."""
        self._begin(state.attempt)
        self._edge, self._open, self._start = state.edge, state.open, state.start
        self._stepped, self._longest = state.stepped, state.longest
        self._unsynced, self._grounds = state.unsynced, state.grounds
        self._apart = np.array(state.apart, dtype=int)
        self._window.restore(state.window)
        self._members.restore(state.members, state.free)
        self._docket.restore(state.docket, state.said)
        self._judge.restore(state.judge)
        for instance, times in state.past.items():
            for time in times:
                self._lemons.add(instance, time)
        self._course.restore(state.course)

    def homes(self) -> list[tuple[str, float]]:
        """The nodes that are there, each with the event time of its newest record."""
        return [(member.node, member.last) for member in self._members.all()]

    def quiet(self, time: float) -> list[Saying]:
        """Say which nodes have been silent for too long at `time`, and repeat what is said of silent ones."""
        sayings = self._docket.quiet(time)
        if sayings and all(member.silent for member in self._members.all()):
            # Nothing is known of anybody: what half a window gathered is too old to be compared with what comes.
            self._abandon()
            sayings += self._report(time)
        return sayings

    def depart(self, node: str) -> list[Saying]:
        """A node left the job."""
        member = self._members.get(node)
        if member is None:
            return []
        sayings = self._docket.depart(member)
        self._flush()
        self._members.leave(node)
        self._window.vacate(member.slot)
        self._judge.vacate(member.slot)
        if self.empty:
            self._abandon()
        return sayings

    def _begin(self, attempt: int) -> None:
        """Nothing learned from one attempt survives into the next. Nodes stay known until they leave."""
        self._docket.begin(attempt)
        self._collected: dict[int, Held] = {}
        self._window = Window()
        self._judge = Judge(self._policy)
        self._course = Course(self._policy, self._cluster, self._job, attempt)
        self._start = self._stepped = self._edge
        self._longest = 0.0
        self._joined = 0
        self._apart = np.zeros(0, dtype=int)
        self._unsynced = False
        self._grounds = Grounds()

    def _collect(self, slot: int, record: Held) -> None:
        """Keep a record for the window: it takes in those of many nodes at once, one per node."""
        if slot in self._collected:
            self._flush()
        self._collected[slot] = record

    def _flush(self) -> None:
        self._window.add(list(self._collected), list(self._collected.values()))
        self._collected.clear()

    def _abandon(self) -> None:
        """Let go of what the open window has gathered."""
        self._window.clear()
        self._judge.abandon()
        self._joined = 0

    def _cross(self, time: float) -> list[Saying]:
        """Event time passed the end of the window."""
        sayings = self._close() if self._open else []
        if self._window.empty:
            self._start = (math.ceil(time / self._policy.window) - 1) * self._policy.window
        self._edge = math.ceil(time / self._policy.window) * self._policy.window
        self._open = True
        return sayings + self.quiet(self._edge - self._policy.window)

    def _close(self) -> list[Saying]:
        """End the window, or join it with the next one while nodes have not done the same steps."""
        self._open = False
        totals = self._window.totals(self._members.slots)
        active = self._members.active()[: len(totals.count)]
        stepped, agrees = in_step(totals, active, self._judge.unsteadiness())
        if not stepped.any():
            # A step can take longer than a window, and what was measured meanwhile belongs to it; in a hang it
            # would gather for ever.
            if self._edge - self._start >= self._policy.joined * self._policy.window:
                self._abandon()
            return self._stuck(active) + self._settle()
        waited = active.copy()
        waited[self._apart] = False
        waited &= self._window.latest(len(active)).time > self._start  # of others no step can be told by waiting
        apart, all_stepped = int((waited & ~agrees).sum()), bool(stepped[waited].all())
        few = all_stepped and apart <= max(1, _FEW * waited.sum())
        patience = _PATIENCE if all_stepped else self._policy.joined
        if apart and not few and self._joined < patience:
            self._joined += 1
            return self._settle()
        self._joined = 0
        among = stepped & agrees
        self._apart = np.flatnonzero(active & ~among)
        self._counts["not compared"] += len(self._apart)
        sayings = self._judged(totals, among, active) if among.any() else []
        self._window.clear()
        return sayings + self._settle()

    def _judged(self, totals: Totals, among: Flags, active: Flags) -> list[Saying]:
        # What a hang lasted for which somebody was accused is no pause that the job should be granted again.
        if self._edge - self._stepped > self._longest and not any(one.stopped for one in self._members.all()):
            self._longest = self._edge - self._stepped
        self._stepped = self._edge
        self._course.unhang()
        slots = len(totals.count)
        observed = Observed(
            self._start,
            self._edge,
            totals,
            self._window.signals(slots),
            among,
            active,
            self._window.domains(slots),
            self._priors(slots),
        )
        reading = self._judge.judge(observed)
        self._counts["judged"] += 1
        if self._watch is not None:
            names = [one.node if one else None for one in map(self._members.at, range(slots))]
            self._watch(Watched(self._cluster, self._job, self._docket.attempt, observed, reading, names))
        self._note(reading, among)
        sayings: list[Saying] = []
        for slot, conclusion in reading.conclusions.items():
            since = self._judge.since(slot) if conclusion.timed else self._course.slow_since
            sayings += self._docket.conclude(slot, conclusion, self._edge, since)
        return sayings

    def _priors(self, slots: int) -> Floats | None:
        """What the nodes' past is worth among suspects, if any has one."""
        if not self._lemons.past or not self._unsynced:
            return None
        priors = np.ones(slots)
        for member in self._members.all():
            priors[member.slot] = self._lemons.prior(member.instance, self._edge)
        return priors

    def _note(self, reading: Reading, among: Flags) -> None:
        own = reading.work.own[among]
        self._unsynced = bool(np.isnan(own).all())
        self._docket.count(reading.well, ~np.isnan(reading.residuals.log))
        self._course.note(
            reading.step_time, healthy=not reading.large.any(), time=self._start, nodes=len(self._members)
        )
        self._grounds = grounds_of(
            reading,
            self._window,
            self._members,
            apart=self._apart if self._course.slow_since is not None else self._apart[:0],
            start=self._start,
            peers=self._policy.peers,
        )

    def _stuck(self, active: Flags) -> list[Saying]:
        """No step ended: perhaps none will."""
        hang = find_hang(
            self._now(len(active)),
            active,
            now=self._edge,
            step_time=self._course.step_time,
            longest=self._longest,
            policy=self._policy.hang,
        )
        if hang is None:
            return []
        self._course.hang(hang.since, hang.reason)
        sayings: list[Saying] = []
        for slot in (*hang.culprits, *hang.suspects):
            sayings += self._docket.conclude(slot, conclude_hang(hang, slot), self._edge, hang.since)
        return sayings

    def _now(self, slots: int) -> Latest:
        """How nodes stand: those heard of in this window. Of the others no more is known than when that was."""
        latest = self._window.latest(slots)
        times = np.full(slots, np.nan)
        for member in self._members.all():
            times[member.slot] = member.last
        heard = (latest.time > self._start)[:, None]
        return Latest(
            time=times,
            current=np.where(heard, latest.current, NO_SECTION),
            age=np.where(heard, latest.age, np.nan),
            alive=np.where(heard, latest.alive, -1),
            last_step=np.where(heard, latest.last_step, -1),
            last_end=np.where(heard, latest.last_end, np.nan),
            rank=latest.rank,
            sections=latest.sections,
        )

    def _settle(self) -> list[Saying]:
        sayings, cleared = self._docket.settle(self._edge)
        self._judge.acquit(cleared)
        return sayings + self._report(self._edge)

    def _report(self, time: float) -> list[Saying]:
        return list(
            self._course.say(
                time, standing_of(self._members.all(), unsynced=self._unsynced, grounds=self._grounds)
            )
        )
