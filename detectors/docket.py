"""What stands against each node of one job: who is accused, suspected, silent or well, and when that is said.

Conclusions come and go with the windows; people must not see them flap. An accusation is taken back by good
windows alone, a fault never by this attempt, and what an earlier attempt said stands until the node shows that
it is well.
"""

from collections.abc import Sequence

import msgspec
import numpy as np

from detectors.board import OK, SILENT, Board, Conclusion, Subject
from detectors.faults import conclude_faults
from detectors.held import Held
from detectors.members import Member, Members
from detectors.observed import Flags, Integers
from detectors.policy import Policy
from detectors.verdict import JobAttempt, Role, Saying, Status, Verdict

_SUSPECTS = 32
"""Nodes of a job that are written about without being accused, the strongest first (the verdict contract)."""


_FAINT = 0.05
"""Least chance at which a suspect is written about. Below are the many against whom hardly anything speaks."""


class DocketState(msgspec.Struct):
    """What a snapshot holds: windows closed, and good ones in a row of each slot, as bytes."""

    closed: int
    good: bytes


class Docket:
    """Standings of the members of one job.

    Attributes:
        attempt: of the job.
    """

    def __init__(self, cluster: str, job: str, policy: Policy, board: Board, members: Members) -> None:
        self.attempt = 0
        self._cluster, self._job = cluster, job
        self._policy, self._board, self._members = policy, board, members
        self._closed = 0
        self._good = np.zeros(0, dtype=np.int64)

    def begin(self, attempt: int) -> None:
        """A new attempt: accusations are carried over, suspicions are not."""
        self.attempt = attempt
        self._closed = 0
        self._good[:] = 0
        for member in self._members.all():
            member.carried = member.carried or member.accused
            if not member.silent:
                member.standing = None

    def count(self, well: Flags, compared: Flags) -> None:
        """Note which nodes a window showed to be well. One in which a node was not compared is not counted."""
        self._closed += 1
        self._good = np.pad(self._good, (0, max(0, len(well) - len(self._good))))
        rows = np.flatnonzero(compared)
        self._good[rows] = np.where(well[rows], self._good[rows] + 1, 0)

    def meet(self, record: Held) -> tuple[Member, list[Saying]]:
        """A record of a node: it is new, or back, or there as before.

        Returns:
            Its member, and what is said.
        """
        sayings: list[Saying] = []
        member = self._members.get(record.node)
        if member is None:
            member = self._members.join(record.node, record.instance, record.time)
            member.carried = self._board.accused(self._subject(member))
        if member.silent and record.time <= member.last + self._policy.silence:
            # From before the silence, overtaken by the conclusion: it brings nobody back.
            return member, sayings
        if member.silent:
            member.standing = None
        member.last = max(member.last, record.time)
        if member.standing is None and not member.carried:
            sayings += self._say(member, OK, record.time)
        return member, sayings

    def fault(self, member: Member, record: Held) -> list[Saying]:
        """Hardware or runtime reported errors."""
        conclusion = conclude_faults(record.faults)
        if conclusion is None:
            return []
        member.renewed = self._closed
        if conclusion.status is not Status.FAULT and (member.accused or not self._room(member)):
            return []
        if member.standing is not None and member.standing.status is Status.FAULT:
            return []
        return self._stand(member, conclusion, record.time)

    def conclude(self, slot: int, conclusion: Conclusion, time: float, since: float | None) -> list[Saying]:
        """A window, or the lack of any, led to a conclusion about a node."""
        member = self._members.at(slot)
        if member is None or (member.standing is not None and member.standing.status is Status.FAULT):
            return []
        before = member.standing
        if not conclusion.timed and slot < len(self._good):
            # Its own work may be well all the time: good are windows that come after the newest such conclusion.
            self._good[slot] = 0
        if conclusion.status is Status.WATCH:
            if member.carried or not self._room(member):
                return []
            if before is None and conclusion.role is Role.INCONCLUSIVE and conclusion.confidence < _FAINT:
                return []
            if before is not None and before.status is Status.STRAGGLER and conclusion.role is not Role.COMMON:
                # One window that costs less does not take an accusation back; good windows do.
                return []
        member.renewed = self._closed
        if before is not None and (before.status, before.role) == (conclusion.status, conclusion.role):
            conclusion = conclusion.like(before)
        return self._stand(member, conclusion, time, since)

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
            sayings += self._say(member, SILENT, due)
        return sayings

    def depart(self, member: Member) -> list[Saying]:
        """A node left the job. What was said of it stands, except a mere suspicion."""
        if member.slot < len(self._good):
            self._good[member.slot] = 0
        if member.standing is None or member.accused:
            return []
        return self._say(member, OK, member.last)

    def settle(self, time: float) -> tuple[list[Saying], Integers]:
        """Clear who has been good for long enough, and repeat what stands.

        Returns:
            What is said, and the slots that were cleared.
        """
        sayings: list[Saying] = []
        cleared: list[int] = []
        for member in self._members.all():
            if member.silent or (member.standing is None and not member.carried):
                continue
            if self._well(member):
                member.standing, member.carried = None, False
                cleared.append(member.slot)
                sayings += self._say(member, OK, time)
            elif member.standing is not None and member.last > time - self._policy.silence:
                sayings += self._say(member, member.standing, time)
        return sayings, np.array(cleared, dtype=int)

    def said(self) -> list[Verdict]:
        """What was said last of each member, for a snapshot."""
        said = [self._board.last(self._cluster, member.node) for member in self._members.all()]
        return [verdict for verdict in said if verdict is not None]

    def freeze(self) -> DocketState:
        """All of it that members and board do not hold."""
        return DocketState(self._closed, self._good.tobytes())

    def restore(self, state: DocketState, said: Sequence[Verdict]) -> None:
        """Go on from there."""
        self._closed = state.closed
        self._good = np.frombuffer(state.good, np.int64).copy()
        for verdict in said:
            self._board.restore(verdict)

    def _subject(self, member: Member) -> Subject:
        return Subject(self._cluster, member.node, member.instance, JobAttempt(self._job, self.attempt))

    def _say(
        self, member: Member, conclusion: Conclusion, time: float, since: float | None = None
    ) -> list[Saying]:
        return list(self._board.say(self._subject(member), conclusion, time, since))

    def _stand(
        self, member: Member, conclusion: Conclusion, time: float, since: float | None = None
    ) -> list[Saying]:
        member.standing, member.carried = conclusion, False
        return self._say(member, conclusion, time, since)

    def _room(self, member: Member) -> bool:
        if member.standing is not None:
            return True
        return sum(other.standing is not None and not other.accused for other in self._members.all()) < _SUSPECTS

    def _well(self, member: Member) -> bool:
        standing = member.standing
        if standing is not None and standing.status is Status.FAULT:
            return False
        stale = self._closed - member.renewed > self._policy.clear
        if standing is not None and standing.evidence and standing.evidence[0].signal.startswith("fault."):
            return stale
        if stale and standing is not None and standing.status is Status.WATCH:
            # Where times tell nothing no window shows that a suspect is well; that it is one no longer must do.
            return True
        return member.slot < len(self._good) and int(self._good[member.slot]) >= self._policy.clear
