"""A node without a job: whether it is heard of, and what its hardware reports. There is nothing to compare."""

from detectors.arrival import Moment
from detectors.board import OK, SILENT, Board, Subject
from detectors.faults import conclude_faults
from detectors.held import Held
from detectors.policy import Policy
from detectors.snapshot import IdleState
from detectors.verdict import Saying


class IdleFold:
    """The state of one idle node. `take` must be given moments in order of event time."""

    def __init__(self, cluster: str, policy: Policy, board: Board) -> None:
        self._cluster = cluster
        self._policy, self._board = policy, board
        self._subject: Subject | None = None
        self._last = float("-inf")
        self._silent = False

    @property
    def empty(self) -> bool:
        """Whether the node is gone, to a job or for good."""
        return self._subject is None

    def advance(self, moment: Moment) -> list[Saying]:  # noqa: ARG002  (jobs have windows to close)
        """Nothing closes here."""
        return []

    def passed(self, time: float) -> list[Saying]:  # noqa: ARG002  (likewise)
        """Nothing waits here."""
        return []

    def take(self, moment: Moment) -> list[Saying]:
        """Fold the records of one event time."""
        return [saying for record in moment.records for saying in self._take(record)]

    def freeze(self) -> IdleState | None:
        """The state; None once the node is gone."""
        if self._subject is None:
            return None
        node = self._subject.node
        said = self._board.last(self._cluster, node)
        return IdleState(node, self._subject.instance, self._last, self._silent, said)

    def restore(self, state: IdleState) -> None:
        """Go on from a snapshot."""
        self._subject = Subject(self._cluster, state.node, state.instance, None)
        self._last, self._silent = state.last, state.silent
        if state.said is not None:
            self._board.restore(state.said)

    def homes(self) -> list[tuple[str, float]]:
        """The node that is there, with the event time of its newest record."""
        return [(self._subject.node, self._last)] if self._subject is not None else []

    def _take(self, record: Held) -> list[Saying]:
        subject = Subject(self._cluster, record.node, record.instance, None)
        back = not self._silent or record.time > self._last + self._policy.silence
        new = self._subject != subject
        self._subject, self._last = subject, max(self._last, record.time)
        conclusion = conclude_faults(record.faults)
        if conclusion is not None and (conclusion.severity == "critical" or not self._board.accused(subject)):
            return list(self._board.say(subject, conclusion, record.time))
        if (new or (self._silent and back)) and not self._board.accused(subject):
            # An accusation of the job that it left stands: idling proves nothing.
            self._silent = False
            return list(self._board.say(subject, OK, record.time))
        return []

    def quiet(self, time: float) -> list[Saying]:
        """Say that the node has been silent for too long at `time`."""
        due = self._last + self._policy.silence
        if self._subject is None or due >= time or self._board.accused(self._subject):
            return []
        if self._silent:
            due += self._policy.refresh * ((time - due) // self._policy.refresh)
        self._silent = True
        return list(self._board.say(self._subject, SILENT, due))

    def depart(self, node: str) -> list[Saying]:
        """The node took up a job."""
        if self._subject is not None and self._subject.node == node:
            self._subject = None
        return []
