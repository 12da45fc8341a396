"""What is known of the fleet while it is watched: a fold over verdicts, state and ledger, bounded in memory."""

from collections import deque
from contextlib import suppress
from dataclasses import dataclass

from collectors.telemetry import RecordError
from detectors.plain import plain, seconds, share
from detectors.verdict import JobStatus, JobVerdict, Status, Verdict, decode
from guard.bus import Message, Topic
from guard.remediate.ledger import entered
from guard.remediate.words import kind, subject, told
from guard.report.newest import Named, Newest, State
from remediation.fold import fold
from remediation.incidents import Durable
from remediation.ledger import LedgerError, Opened

_POINTS = 60
"""Step times remembered of a job: one comes each minute."""
_JOBS = 5000
"""Jobs whose step times are remembered; the one that was silent for longest gives way."""
_HAPPENED = 200
_INCIDENTS = 10_000
"""Incidents whose node is remembered, to say whom a record of the ledger is about."""


@dataclass(frozen=True, slots=True)
class Happened:
    """Something of late: when (Unix seconds), about whom, what, and whether it is bad; harmless text."""

    time: float
    about: str
    text: str
    bad: bool = False


class Seen:
    """The fold.

    Args:
        cluster: whose ledger is told of.
    """

    def __init__(self, cluster: str) -> None:
        self._cluster = cluster
        self._newest = Newest()
        self._unusual: dict[tuple[str, str, str], str] = {}
        self._paces: dict[Named, deque[tuple[float, float]]] = {}
        self._happened: deque[Happened] = deque(maxlen=_HAPPENED)
        self._nodes: dict[str, str] = {}
        self._begun = False
        self.durable = Durable()

    def take(self, message: Message) -> None:
        """Take a record of the verdicts, of which step times alone are kept, of the state, or of the ledger."""
        if message.position.topic is Topic.LEDGER:
            self._take_entry(message)
        elif message.position.topic is Topic.VERDICTS:
            with suppress(RecordError):
                saying = decode(message.value or b"")
                if isinstance(saying, JobVerdict):
                    self._pace(saying)
        else:
            self._take_saying(message)

    def begin(self) -> None:
        """All that was there has been read: what changes from now on happens."""
        self._begun = True

    def state(self, lately: frozenset[Topic] | None) -> State:
        """The newest records, and which topics took something of late."""
        return self._newest.state(lately)

    def happened(self) -> list[Happened]:
        """What happened of late, the newest first."""
        return sorted(self._happened, key=lambda one: one.time, reverse=True)

    def pace(self, job: Named) -> list[tuple[float, float]]:
        """Moments (Unix seconds) and step times (seconds) of a job, the oldest first."""
        return list(self._paces.get(job, ()))

    def _take_saying(self, message: Message) -> None:
        saying = self._newest.take(message)
        if saying is None:
            return
        if isinstance(saying, JobVerdict):
            self._pace(saying)
            named, usual = ("job", saying.cluster, saying.job), saying.status is JobStatus.NORMAL
            now = saying.status.value
        else:
            named, usual = ("node", saying.cluster, saying.node), saying.status is Status.OK
            now = f"{saying.status} {saying.role}"
        before = self._unusual.pop(named, None)
        if not usual:
            self._unusual[named] = now
        if self._begun and before != (None if usual else now):
            self._happened.append(_change(saying, message.time))

    def _pace(self, saying: JobVerdict) -> None:
        named = (saying.cluster, saying.job)
        points = self._paces.pop(named, None)
        if points is None:
            points = deque(maxlen=_POINTS)
            if len(self._paces) >= _JOBS:
                del self._paces[next(iter(self._paces))]
        self._paces[named] = points
        if saying.step_time is not None and (not points or saying.time > points[-1][0]):
            points.append((saying.time, saying.step_time))

    def _take_entry(self, message: Message) -> None:
        with suppress(LedgerError):
            one = entered(message, self._cluster)
            if one is None:
                return
            record = one.record
            self.durable = fold(self.durable, record, one.offset)
            if isinstance(record, Opened) and record.incident is not None:
                if len(self._nodes) >= _INCIDENTS:
                    del self._nodes[next(iter(self._nodes))]
                self._nodes[record.incident] = record.node
            about = self._nodes.get(record.incident or "") or subject(record)
            bad = kind(record) in ("opened", "alert") or getattr(record, "tripped", False)
            self._happened.append(
                Happened(message.time, plain(about) or "-", f"{kind(record)}: {told(record)}", bad)
            )


def _change(saying: Verdict | JobVerdict, time: float) -> Happened:
    if isinstance(saying, JobVerdict):
        bad = saying.status in (JobStatus.SLOW, JobStatus.HUNG)
        reason = f": {plain(saying.reason)}" if saying.reason else ""
        pace = f", step {seconds(saying.step_time)}" if saying.step_time is not None else ""
        return Happened(time, f"job {plain(saying.job)}", f"{saying.status}{pace}{reason}", bad)
    words = " ".join(str(word) for word in (saying.status, saying.role, saying.cause) if word)
    cost = f", costs {share(saying.slowdown)} of the step" if saying.slowdown is not None else ""
    return Happened(time, plain(saying.node), words + cost, saying.accused)
