"""One job: its records in order of event time go in, what is to be said comes out."""

import math
from collections import Counter

import numpy as np

from detectors.alignment import in_step
from detectors.arrival import Moment
from detectors.board import OK, SILENT, Board, Subject
from detectors.conclude import conclude
from detectors.course import Course
from detectors.faults import conclude_faults
from detectors.held import Held
from detectors.members import Member, Members
from detectors.observed import Flags, Totals
from detectors.peers import Comparison, compare
from detectors.persistence import Persistence
from detectors.policy import Policy
from detectors.snapshot import JobState
from detectors.standing import standing_of
from detectors.verdict import JobAttempt, Role, Saying, Status
from detectors.window import Window

_SUSPECTS = 32
"""Nodes of a job that are written about without being accused, the strongest first (the verdict contract)."""

_PATIENCE = 3
"""Windows joined at most while ranges of steps differ: a lost record or a late start is over by then."""


class JobFold:
    """The state of one job. `advance` and `take` must be given moments in order of event time."""

    def __init__(self, cluster: str, job: str, policy: Policy, board: Board, counts: Counter[str]) -> None:
        self._cluster, self._job = cluster, job
        self._policy, self._board, self._counts = policy, board, counts
        self._attempt = -1
        self._edge = -math.inf
        self._members = Members()
        self._begin(0)

    @property
    def empty(self) -> bool:
        """Whether no node is left."""
        return not len(self._members)

    def advance(self, moment: Moment) -> list[Saying]:
        """Close the window if the moment lies beyond it. Then comes `take`."""
        current = any(record.attempt >= self._attempt for record in moment.records)
        return self._cross(moment.time) if current and moment.time > self._edge else []

    def take(self, moment: Moment) -> list[Saying]:
        """Fold the records of one event time."""
        sayings: list[Saying] = []
        speak = False
        for record in moment.records:
            if record.attempt < self._attempt:
                self._counts["stale"] += 1
                continue
            if record.attempt > self._attempt:
                self._begin(record.attempt)
            sayings += self._meet(record)
            member = self._members.get(record.node)
            if member is None:
                continue
            self._collect(member.slot, record)
            if record.faults:
                faults = self._fault(member, record)
                sayings += faults
                speak = speak or bool(faults)
            if record.leaving:
                sayings += self.depart(record.node)
                speak = True
                if self.empty:
                    self._course.end()
        self._flush()
        if speak or not self._course.spoken:
            sayings += self._course.say(moment.time, standing_of(self._members.all(), unsynced=self._unsynced))
        return sayings

    def freeze(self) -> JobState | None:
        """The state between two windows; None within one, or while windows are joined."""
        if not self._window.empty or self._joined:
            return None
        said = [self._board.last(self._cluster, member.node) for member in self._members.all()]
        return JobState(
            attempt=self._attempt,
            edge=self._edge,
            start=self._start,
            closed=self._closed,
            unsynced=self._unsynced,
            apart=[int(slot) for slot in self._apart],
            groups=self._window.groups,
            members=self._members.freeze(),
            free=self._members.free,
            persistence=self._persistence.freeze(),
            course=self._course.freeze(),
            said=[verdict for verdict in said if verdict is not None],
        )

    def restore(self, state: JobState) -> None:
        """Go on from a snapshot."""
        self._begin(state.attempt)
        self._edge, self._start, self._closed = state.edge, state.start, state.closed
        self._unsynced = state.unsynced
        self._apart = np.array(state.apart, dtype=int)
        self._window.know(state.groups)
        self._members.restore(state.members, state.free)
        self._persistence.restore(state.persistence)
        self._course.restore(state.course)
        for verdict in state.said:
            self._board.restore(verdict)

    def homes(self) -> list[tuple[str, float]]:
        """The nodes that are there, each with the event time of its newest record."""
        return [(member.node, member.last) for member in self._members.all()]

    def quiet(self, time: float) -> list[Saying]:
        """Say which nodes have been silent for too long at `time`, and repeat what is said of silent ones."""
        sayings: list[Saying] = []
        for member in self._members.all():
            due = member.last + self._policy.silence
            if due >= time:
                continue
            if member.silent:
                # Repeats fall on multiples of the refresh after the first, whenever this is called.
                due += self._policy.refresh * ((time - due) // self._policy.refresh)
            elif member.accused or member.carried:
                # An accusation stands; that its evidence grows old shows in its time.
                continue
            member.standing = SILENT
            sayings += self._board.say(self._subject(member), SILENT, due)
        if sayings and all(member.silent for member in self._members.all()):
            # Nothing is known of anybody: what half a window gathered is too old to be compared with what comes.
            self._abandon()
            sayings += self._course.say(time, standing_of(self._members.all(), unsynced=self._unsynced))
        return sayings

    def depart(self, node: str) -> list[Saying]:
        """A node left the job. What was said of it stands, except a mere suspicion."""
        member = self._members.get(node)
        if member is None:
            return []
        sayings: list[Saying] = []
        if member.standing is not None and not member.accused:
            sayings += self._board.say(self._subject(member), OK, member.last)
        self._flush()
        self._members.leave(node)
        self._window.vacate(member.slot)
        self._persistence.vacate(member.slot)
        if self.empty:
            self._abandon()
        return sayings

    def _begin(self, attempt: int) -> None:
        """Nothing learned from one attempt survives into the next. Nodes stay known until they leave."""
        self._attempt = attempt
        self._collected: dict[int, Held] = {}
        self._window = Window()
        self._persistence = Persistence(self._policy)
        self._course = Course(self._policy, self._cluster, self._job, attempt)
        self._start = self._edge
        self._joined = 0
        self._closed = 0
        self._apart = np.zeros(0, dtype=int)
        self._unsynced = False
        for member in self._members.all():
            member.carried = member.carried or member.accused
            if not member.silent:
                member.standing = None

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
        self._joined = 0

    def _subject(self, member: Member) -> Subject:
        return Subject(self._cluster, member.node, member.instance, JobAttempt(self._job, self._attempt))

    def _meet(self, record: Held) -> list[Saying]:
        """A record of a node: it is new, or back, or there as before."""
        member = self._members.get(record.node)
        sayings: list[Saying] = []
        if member is not None and member.instance != record.instance:
            sayings += self.depart(record.node)
            member = None
        if member is None:
            member = self._members.join(record.node, record.instance, record.time)
            member.carried = self._board.accused(self._subject(member))
        if member.silent and record.time <= member.last + self._policy.silence:
            # From before the silence, overtaken by the conclusion: it brings nobody back.
            return sayings
        if member.silent:
            member.standing = None
        member.last = max(member.last, record.time)
        if member.standing is None and not member.carried:
            sayings += self._board.say(self._subject(member), OK, record.time)
        return sayings

    def _fault(self, member: Member, record: Held) -> list[Saying]:
        conclusion = conclude_faults(record.faults)
        if conclusion is None:
            return []
        member.reported = self._closed
        if conclusion.status is not Status.FAULT and (member.accused or not self._room(member)):
            return []
        if member.standing is not None and member.standing.status is Status.FAULT:
            return []
        member.standing, member.carried = conclusion, False
        return list(self._board.say(self._subject(member), conclusion, record.time))

    def _room(self, member: Member) -> bool:
        if member.standing is not None:
            return True
        return sum(other.standing is not None and not other.accused for other in self._members.all()) < _SUSPECTS

    def _cross(self, time: float) -> list[Saying]:
        """Event time passed the end of the window."""
        sayings: list[Saying] = []
        first = math.isinf(self._edge)
        if not first:
            sayings += self._close()
        self._edge = math.ceil(time / self._policy.window) * self._policy.window
        if self._joined == 0:
            self._start = self._edge - self._policy.window
        sayings += self.quiet(self._edge - self._policy.window)
        return sayings

    def _close(self) -> list[Saying]:
        """End the window, or join it with the next one while nodes have not done the same steps."""
        self._closed += 1
        totals = self._window.totals(self._members.slots)
        active = self._members.active()[: len(totals.count)]
        stepped, agrees = in_step(totals, active)
        if not stepped.any():
            self._abandon()
            return self._settle(self._edge)
        waited = active.copy()
        waited[self._apart] = False
        patience = _PATIENCE if stepped[waited].all() else self._policy.joined
        if (waited & ~agrees).any() and self._joined < patience:
            self._joined += 1
            return self._settle(self._edge)
        self._joined = 0
        among = stepped & agrees
        self._apart = np.flatnonzero(active & ~among)
        self._counts["not compared"] += len(self._apart)
        sayings = self._judge(totals, among) if among.any() else []
        self._window.clear()
        return sayings + self._settle(self._edge)

    def _judge(self, totals: Totals, among: Flags) -> list[Saying]:
        comparison = compare(totals, among, self._policy)
        self._persistence.push(comparison.bad, comparison.compared, self._start)
        self._unsynced = bool(np.isnan(comparison.sections[:, among]).all())
        steps = totals.duration[among] / np.where(totals.count[among] > 0, totals.count[among], np.nan)
        known = steps[~np.isnan(steps) & (steps > 0)]
        now = float(np.median(known)) if known.size else None
        self._course.note(now, healthy=not comparison.bad.any(), time=self._start, nodes=len(self._members))
        sayings: list[Saying] = []
        held = np.flatnonzero(self._persistence.held & comparison.compared)
        for slot in sorted(held, key=lambda slot: (-comparison.score[slot], slot)):
            sayings += self._suspect(int(slot), comparison, totals, now)
        return sayings

    def _suspect(self, slot: int, comparison: Comparison, totals: Totals, step_time: float | None) -> list[Saying]:
        member = self._members.at(slot)
        if member is None or (member.standing is not None and member.standing.status is Status.FAULT):
            return []
        windows = self._persistence.windows(slot)
        conclusion = conclude(slot, comparison, totals, windows=windows, step_time=step_time, policy=self._policy)
        before = member.standing
        if conclusion.status is Status.WATCH:
            if member.carried or not self._room(member):
                return []
            if before is not None and before.status is Status.STRAGGLER and conclusion.role is not Role.COMMON:
                # One window that costs less does not take an accusation back; good windows do.
                return []
        if before is not None and (before.status, before.role) == (conclusion.status, conclusion.role):
            conclusion = conclusion.like(before)
        member.standing, member.carried = conclusion, False
        return list(self._board.say(self._subject(member), conclusion, self._edge, self._persistence.since(slot)))

    def _settle(self, time: float) -> list[Saying]:
        """Clear who has been good for long enough, repeat what stands, and report the job."""
        sayings: list[Saying] = []
        for member in self._members.all():
            if member.silent or (member.standing is None and not member.carried):
                continue
            if self._cleared(member):
                member.standing, member.carried = None, False
                sayings += self._board.say(self._subject(member), OK, time)
            elif member.standing is not None and member.last > time - self._policy.silence:
                sayings += self._board.say(self._subject(member), member.standing, time)
        return sayings + list(self._course.say(time, standing_of(self._members.all(), unsynced=self._unsynced)))

    def _cleared(self, member: Member) -> bool:
        standing = member.standing
        if standing is not None and standing.status is Status.FAULT:
            return False
        if standing is not None and standing.evidence[0].signal.startswith("fault."):
            return self._closed - member.reported > self._policy.clear
        good = self._persistence.good
        return member.slot < len(good) and int(good[member.slot]) >= self._policy.clear
