"""Reading a range from the bus: the ledger whole, then the verdicts, one partition at a time.

A job's records lie in one partition and are summed up when it has been read, so memory holds one partition's
records at most. Times are those of the records; when the bus took them only bounds the reading.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pandas as pd

from collectors.telemetry import RecordError
from detectors.verdict import Verdict, decode
from guard.bus import Bus, Message, Topic
from guard.report.accusations import NodeLog
from guard.report.chronicle import Chronicle, Chronicler
from guard.report.costs import Costs, blamed, costs
from guard.report.course import Course, Range, course
from guard.report.intervals import intervals
from guard.report.job_log import JobLog, UnbelievableError
from guard.report.stops import stops
from guard.report.stories import NotToldError
from remediation.ledger import LedgerError
from remediation.ledger import decode as decode_entry

_BEFORE = 900.0
"""Seconds read before a range: what holds at its start was said before it. Verdicts that accuse are repeated every
five minutes, records of jobs every minute."""
_LATE = 3600.0
"""Seconds for which a record may have waited for a bus that was away."""
_MOST_RECORDS = 20_000_000
"""Records of jobs in one partition: about 1.2 GB. A fleet's partition has a tenth of it in a quarter."""
_PROGRESS_EVERY = 2000


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for.

    Attributes:
        span: the range.
        cluster, job: only this one.
        stale: seconds after which a job's last record says nothing any more.
    """

    span: Range
    stale: float
    cluster: str | None = None
    job: str | None = None


@dataclass(slots=True)
class Read:
    """How much was read."""

    records: int = 0
    unreadable: int = 0
    problem: str | None = None

    def count_out(self, place: str, error: Exception) -> None:
        """Count what could not be read, and keep the first reason."""
        self.unreadable += 1
        self.problem = self.problem or f"{place}: {error}"


@dataclass(frozen=True, slots=True)
class History:
    """A range as it was told."""

    wanted: Wanted
    chronicle: Chronicle
    courses: tuple[Course, ...]
    verdicts: pd.DataFrame
    costs: Costs
    read: Read


Progress = Callable[[float, int], None]
"""Told now and then: the share that is read, and the records so far."""


@dataclass(slots=True)
class _Reading:
    wanted: Wanted
    nodes: NodeLog = field(default_factory=NodeLog)
    courses: list[Course] = field(default_factory=list)
    blamed: list[pd.DataFrame] = field(default_factory=list)
    read: Read = field(default_factory=Read)


def history(bus: Bus, wanted: Wanted, progress: Progress) -> History:
    """Read a range.

    Raises:
        BusError: the bus does not answer.
        NotToldError: the range holds more than memory should.
    """
    reading = _Reading(wanted)
    told = _chronicle(bus, wanted, reading.read)
    partitions = bus.partitions(Topic.VERDICTS)
    for partition in range(partitions):
        jobs: dict[tuple[str, str], JobLog] = {}
        for message in _messages(bus, partition, reading, progress):
            _hear(message, jobs, reading)
        for (cluster, job), log in sorted(jobs.items()):
            _sum_up(cluster, job, log, told, reading)
        progress((partition + 1) / partitions, reading.read.records)
    verdicts = reading.nodes.frame()
    courses = tuple(sorted(reading.courses, key=lambda one: (one.cluster, one.job)))
    return History(wanted, told, courses, verdicts, costs(reading.blamed, verdicts), reading.read)


def chronicle_alone(bus: Bus, wanted: Wanted) -> tuple[Chronicle, Read]:
    """Only the ledger.

    Raises:
        BusError: the bus does not answer.
    """
    read = Read()
    return _chronicle(bus, wanted, read), read


def _chronicle(bus: Bus, wanted: Wanted, read: Read) -> Chronicle:
    chronicler = Chronicler(wanted.cluster)
    for message in bus.scan(Topic.LEDGER):
        read.records += 1
        try:
            chronicler.hear(decode_entry(message.value or b""), message.position.offset)
        except LedgerError as error:
            read.count_out(_place(message), error)
    return chronicler.told()


def _messages(bus: Bus, partition: int, reading: _Reading, progress: Progress) -> Iterator[Message]:
    span, read, partitions = reading.wanted.span, reading.read, bus.partitions(Topic.VERDICTS)
    since = max(span.since - _BEFORE, 0.0)
    length = max(span.until - since, 1.0)
    for message in bus.scan(Topic.VERDICTS, partition=partition, since=since):
        if message.time >= span.until + _LATE:
            return
        read.records += 1
        if read.records % _PROGRESS_EVERY == 0:
            within = min(max((message.time - since) / length, 0.0), 1.0)
            progress((partition + within) / partitions, read.records)
        yield message


def _hear(message: Message, jobs: dict[tuple[str, str], JobLog], reading: _Reading) -> None:
    wanted = reading.wanted
    try:
        said = decode(message.value or b"")
        if wanted.cluster not in (None, said.cluster):
            return
        if isinstance(said, Verdict):
            reading.nodes.add(said)
        elif wanted.job in (None, said.job):
            jobs.setdefault((said.cluster, said.job), JobLog()).add(said)
    except (RecordError, UnbelievableError) as error:
        reading.read.count_out(_place(message), error)
        return
    if reading.read.records > _MOST_RECORDS and sum(map(len, jobs.values())) > _MOST_RECORDS:
        raise NotToldError(
            f"more than {_MOST_RECORDS:,} records of jobs in one partition: ask for a shorter time, "
            "for one cluster (--cluster), or for one job (guard report job JOB)"
        )


def _place(message: Message) -> str:
    place = message.position
    return f"{place.topic} {place.partition}:{place.offset}"


def _sum_up(cluster: str, job: str, log: JobLog, told: Chronicle, reading: _Reading) -> None:
    if not len(log):
        return
    wanted, said = reading.wanted, log.spoken()
    span = wanted.span
    known = intervals(said, wanted.stale)
    if known.first >= span.until or known.last <= span.since:
        return  # it was told of in the margins alone
    restarts = [one for one in told.restarts if (one.cluster, one.job) == (cluster, job)]
    reading.courses.append(course((cluster, job), known, stops(said, known, restarts), restarts, span))
    reading.blamed.append(blamed(cluster, job, known, span.since, span.until))
