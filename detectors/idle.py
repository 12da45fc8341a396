"""A node without a job: whether it is heard of, and what its hardware reports. There is nothing to compare."""

from collections import Counter

from collectors.telemetry import Telemetry
from detectors.board import OK, SILENT, Board, Subject
from detectors.faults import conclude_faults
from detectors.policy import Policy
from detectors.verdict import Saying


class IdleFold:
    """The state of one idle node. `take` must be given records in order of event time."""

    def __init__(self, cluster: str, policy: Policy, board: Board, counts: Counter[str]) -> None:
        self._cluster = cluster
        self._policy, self._board, self._counts = policy, board, counts
        self._subject: Subject | None = None
        self._last = float("-inf")
        self._silent = False

    @property
    def empty(self) -> bool:
        """Whether the node is gone, to a job or for good."""
        return self._subject is None

    def take(self, record: Telemetry) -> list[Saying]:
        """Fold one record."""
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
