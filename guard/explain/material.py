"""What an explanation is made from: the newest verdict of the node, and its job's telemetry before a moment."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from collectors.telemetry import RecordError
from detectors.nearest import hint
from detectors.plain import moment, plain
from detectors.verdict import Verdict, decode
from guard.bus import Bus, Message, Topic
from guard.detect.intake import SetAsideError, admit
from guard.explain.records import Kept, Records, keep
from guard.report.fold import NotAnsweredError
from guard.report.newest import State, fold
from guard.telemetry_files import SetAside, read

_SLACK = 600.0
"""Seconds that clocks of agents and brokers may differ, and records lie in a spool, without being missed here."""

_LAST_WORD = 60.0
"""Seconds after the last record about a job of which its telemetry may tell: nothing more came."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked.

    Attributes:
        node: its name.
        cluster: None: the only one that has such a node.
        at: moment, Unix seconds; None: the newest.
        span: seconds of telemetry before it.
        now: Unix seconds.
    """

    node: str
    cluster: str | None
    at: float | None
    span: float
    now: float


@dataclass(frozen=True, slots=True)
class Material:
    """What was found.

    Attributes:
        cluster, job: where the node is; job None: in none.
        at: the moment that is explained, Unix seconds.
        said: the newest verdict by then; None: only the telemetry tells.
        records: of the job, of the span before the moment.
        aside: records that could not be read.
        source: where it comes from, for people.
    """

    cluster: str
    job: str | None
    at: float
    said: Verdict | None
    records: Records
    aside: int
    source: str


def from_bus(bus: Bus, question: Question) -> Material:
    """Read verdict and telemetry from the bus.

    Raises:
        NotAnsweredError: nothing was said of such a node by then, or there is one in each of several clusters.
        BusError: the bus does not answer.
    """
    if question.at is None:
        state = fold(bus.scan(Topic.STATE))
        known = (name for _, name in chain(state.nodes, state.fine))
        said = _only((one.verdict for one in state.named(question.node).values()), question, known)
        at = _moment(state, said, question.now)
    else:
        said, at = _only(_newest(bus, question, question.at), question), question.at
    if said.job is None:
        return Material(said.cluster, None, at, said, Records(), 0, "the bus")
    records, aside = _telemetry(bus, f"{said.cluster}/{said.job.id}", at - question.span, at)
    return Material(said.cluster, said.job.id, at, said, records, aside, "the bus")


def from_files(paths: Sequence[str], question: Question) -> Material:
    """Read telemetry from files; the verdict is what the detector makes of it.

    Raises:
        NotAnsweredError: no record of such a node, or one in each of several clusters.
        OSError: a file cannot be read.
    """
    aside = SetAside()
    upto = float("inf") if question.at is None else question.at
    every = chain.from_iterable(read(path, aside) for path in paths)
    by_job: dict[tuple[str, str | None], list[Kept]] = defaultdict(list)
    homes: dict[str, tuple[float, str | None]] = {}
    for record in every:
        job = record.job.id if record.job else None
        if record.time > upto:
            continue
        by_job[record.cluster, job].append(keep(record))
        if record.node == question.node:
            before, home = homes.get(record.cluster, (float("-inf"), None))
            homes[record.cluster] = (record.time, job) if record.time >= before else (before, home)
    cluster = _cluster(question, set(homes), f"no record of it in {sum(map(len, by_job.values())):,} of the files")
    newest, job = homes[cluster]
    kept = by_job[cluster, job] if job is not None else []
    at = question.at if question.at is not None else max((one.time for one in kept), default=newest)
    records = Records(one for one in kept if one.time >= at - question.span)
    return Material(cluster, job, at, None, records, aside.counts.total(), "the files")


def _moment(state: State, said: Verdict, now: float) -> float:
    """Now, or when the job was heard of last: an ended one is explained by what came before its end."""
    job = state.jobs.get((said.cluster, said.job.id)) if said.job else None
    return now if job is None else min(now, max(job.verdict.time, said.time) + _LAST_WORD)


def _newest(bus: Bus, question: Question, at: float) -> list[Verdict]:
    """Of each cluster the newest verdict about such a node at that moment."""
    found: dict[str, Verdict] = {}
    for message in _taken_before(bus, Topic.VERDICTS, 0.0, at + _SLACK):
        if message.value is None or not message.key.endswith(f"/{question.node}"):
            continue
        try:
            said = decode(message.value)
        except RecordError:
            continue
        if not isinstance(said, Verdict) or said.node != question.node or said.time > at:
            continue
        before = found.get(said.cluster)
        if before is None or said.time >= before.time:
            found[said.cluster] = said
    return list(found.values())


def _only(found: Iterable[Verdict], question: Question, known: Iterable[str] = ()) -> Verdict:
    by_cluster = {said.cluster: said for said in found}
    by_then = "" if question.at is None else f" by {moment(question.at)}"
    meant = "" if by_cluster else hint(question.node, known) or "; guard report names who is known"
    never = f"no detector has said anything about it{by_then}{meant}"
    return by_cluster[_cluster(question, set(by_cluster), never)]


def _cluster(question: Question, found: set[str], otherwise: str) -> str:
    """The cluster that is meant.

    Raises:
        NotAnsweredError: none, or several.
    """
    name = plain(question.node)
    wanted = sorted(found if question.cluster is None else found & {question.cluster})
    if not wanted:
        place = "" if question.cluster is None else f" in cluster {plain(question.cluster)}"
        raise NotAnsweredError(f"nothing is known of node {name}{place}: {otherwise}")
    if len(wanted) > 1:
        clusters = ", ".join(plain(one) for one in wanted)
        raise NotAnsweredError(f"node {name} is in {len(wanted)} clusters ({clusters}): add --cluster")
    return wanted[0]


def _telemetry(bus: Bus, key: str, since: float, until: float) -> tuple[Records, int]:
    """A job's records between two moments, and how many could not be read."""
    kept: list[Kept] = []
    aside = 0
    for message in _taken_before(bus, Topic.TELEMETRY, since - _SLACK, until + _SLACK):
        if message.key != key:
            continue
        try:
            record = admit(message)
        except SetAsideError:
            aside += 1
            continue
        if record.key == key and record.job is not None and since <= record.time <= until:
            kept.append(keep(record, message.value))
    return Records(kept), aside


def _taken_before(bus: Bus, topic: Topic, since: float, until: float) -> Iterator[Message]:
    for partition in range(bus.partitions(topic)):
        for message in bus.scan(topic, partition=partition, since=max(since, 0.0)):
            if message.time > until + _SLACK:
                break
            if message.time <= until:
                yield message
