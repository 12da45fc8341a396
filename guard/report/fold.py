"""From the records of ``guard.state`` to health. Pure: no I/O, and the time is an argument.

What a node's verdict says stands until a later one replaces it, so its age tells nothing; job records are
repeated every minute, so theirs does. Silence is not health: where the detector has not been heard, or nothing
is known, the answer is ``UNANSWERED``, unless somebody is accused already.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from enum import IntEnum

from msgspec import Struct

from collectors.telemetry import RecordError
from detectors.verdict import JobStatus, JobVerdict, Status, Verdict, decode
from guard.bus import Message

_STATUS_ORDER = {Status.FAULT: 0, Status.STRAGGLER: 1, Status.WATCH: 2, Status.SILENT: 3, Status.OK: 4}


class Answer(IntEnum):
    """What the report concludes; the value is the exit code of ``guard report``."""

    HEALTHY = 0
    ACCUSED = 1
    UNANSWERED = 2


class NotAnsweredError(Exception):
    """The state holds no such job or node, or more than one. The text says which."""


class NodeHealth(Struct, frozen=True):
    """The newest verdict about a node, and when the bus took it (Unix seconds)."""

    verdict: Verdict
    taken: float


class JobHealth(Struct, frozen=True):
    """The newest record about a job, when the bus took it (Unix seconds), and whether that is too long ago."""

    verdict: JobVerdict
    taken: float
    unheard: bool = False


class State(Struct, frozen=True):
    """The newest record of each node and job by (cluster, name), and when the bus took the newest of all."""

    nodes: dict[tuple[str, str], NodeHealth] = {}
    jobs: dict[tuple[str, str], JobHealth] = {}
    heard: float | None = None
    unreadable: int = 0
    problem: str | None = None


class Health(Struct, frozen=True):
    """What a report says.

    Attributes:
        about: ``fleet``, ``job`` or ``node``.
        name: of the job or node; None for the fleet.
        now: when the question was asked, Unix seconds.
        answer: the conclusion.
        notices: sentences that a reader must not miss, among them why a question is unanswered.
        heard: when the detector was last heard, Unix seconds; None: never.
        unreadable: records of the state that could not be read.
        counts: nodes by status.
        accused: names of accused nodes.
        jobs: by cluster and name.
        nodes: accused first, then by how much they cost.
    """

    about: str
    name: str | None
    now: float
    answer: Answer
    notices: tuple[str, ...]
    heard: float | None
    unreadable: int
    counts: dict[str, int]
    accused: tuple[str, ...]
    jobs: tuple[JobHealth, ...]
    nodes: tuple[NodeHealth, ...]


def fold(messages: Iterable[Message]) -> State:
    """Keep the newest record of each node and job. What cannot be read is counted, with the first reason."""
    nodes: dict[tuple[str, str], NodeHealth] = {}
    jobs: dict[tuple[str, str], JobHealth] = {}
    heard: float | None = None
    unreadable, problem = 0, None
    for message in messages:
        if message.value is None:
            cluster, _, name = message.key.partition("/")
            nodes.pop((cluster, name), None)
            jobs.pop((cluster, name), None)
            continue
        try:
            saying = decode(message.value)
        except RecordError as error:
            unreadable, problem = unreadable + 1, problem or str(error)
            continue
        heard = message.time if heard is None else max(heard, message.time)
        if isinstance(saying, Verdict):
            nodes[saying.cluster, saying.node] = NodeHealth(saying, message.time)
        else:
            jobs[saying.cluster, saying.job] = JobHealth(saying, message.time)
    return State(nodes, jobs, heard, unreadable, problem)


def fleet_health(state: State, now: float, stale_after: float, cluster: str | None = None) -> Health:
    """The health of everything, or of one cluster. ``now`` in Unix seconds, ``stale_after`` in seconds."""
    nodes = [node for node in state.nodes.values() if cluster in (None, node.verdict.cluster)]
    jobs = [job for job in state.jobs.values() if cluster in (None, job.verdict.cluster)]
    return _conclude(state, "fleet", None, nodes=nodes, jobs=jobs, now=now, stale_after=stale_after)


def job_health(state: State, job: str, now: float, stale_after: float, cluster: str | None = None) -> Health:
    """The health of one job and its nodes.

    Raises:
        NotAnsweredError: no such job, or one in each of several clusters.
    """
    clusters = {home for home, name in state.jobs if name == job}
    clusters |= {home for (home, _), node in state.nodes.items() if _job(node) == job}
    home = _only("job", job, clusters, cluster)
    nodes = [node for node in state.nodes.values() if node.verdict.cluster == home and _job(node) == job]
    known = state.jobs.get((home, job))
    return _conclude(
        state, "job", job, nodes=nodes, jobs=[known] if known else [], now=now, stale_after=stale_after
    )


def node_health(state: State, name: str, now: float, stale_after: float, cluster: str | None = None) -> Health:
    """The health of one node, with the job it belongs to.

    Raises:
        NotAnsweredError: no such node, or one in each of several clusters.
    """
    home = _only("node", name, {place for place, node in state.nodes if node == name}, cluster)
    node = state.nodes[home, name]
    known = state.jobs.get((home, _job(node) or ""))
    return _conclude(
        state, "node", name, nodes=[node], jobs=[known] if known else [], now=now, stale_after=stale_after
    )


def _job(node: NodeHealth) -> str | None:
    return node.verdict.job.id if node.verdict.job else None


def _only(kind: str, name: str, clusters: set[str], wanted: str | None) -> str:
    found = sorted(clusters if wanted is None else clusters & {wanted})
    if not found:
        place = "" if wanted is None else f" in cluster {wanted}"
        raise NotAnsweredError(f"nothing is known of {kind} {name}{place}: no detector has said anything about it")
    if len(found) > 1:
        raise NotAnsweredError(f"{kind} {name} is in {len(found)} clusters ({', '.join(found)}): add --cluster")
    return found[0]


def _conclude(
    state: State,
    about: str,
    name: str | None,
    *,
    nodes: list[NodeHealth],
    jobs: list[JobHealth],
    now: float,
    stale_after: float,
) -> Health:
    jobs = [_with_age(job, now, stale_after) for job in jobs]
    accused = _accused(state, nodes, jobs if about != "node" else [])
    if state.heard is None or not (nodes or jobs):
        reasons = ["no detector has said anything yet: is guard detect running, and on this bus?"]
    else:
        reasons = [*_silence(state.heard, jobs, now, stale_after), *_unnamed(about, nodes, jobs)]
    answer = Answer.ACCUSED if accused else Answer.UNANSWERED if reasons else Answer.HEALTHY
    if state.unreadable:
        reasons.append(f"{state.unreadable} records of the state could not be read, the first: {state.problem}")
    return Health(
        about=about,
        name=name,
        now=now,
        answer=answer,
        notices=(*reasons, *_remarks(jobs)),
        heard=state.heard,
        unreadable=state.unreadable,
        counts=dict(Counter(node.verdict.status.value for node in nodes)),
        accused=accused,
        jobs=tuple(sorted(jobs, key=lambda job: (job.verdict.cluster, job.verdict.job))),
        nodes=tuple(sorted(nodes, key=_urgency)),
    )


def _with_age(job: JobHealth, now: float, stale_after: float) -> JobHealth:
    unheard = job.verdict.status is not JobStatus.ENDED and not abs(now - job.taken) <= stale_after
    return JobHealth(job.verdict, job.taken, unheard)


def _accused(state: State, nodes: list[NodeHealth], jobs: list[JobHealth]) -> tuple[str, ...]:
    """Accused nodes, and those that a running job names while the state holds no record of the node itself."""
    names = {node.verdict.node for node in nodes if node.verdict.accused}
    for job in jobs:
        if job.verdict.status is not JobStatus.ENDED:
            names |= {name for name in job.verdict.accused if (job.verdict.cluster, name) not in state.nodes}
    return tuple(sorted(names))


def _silence(heard: float, jobs: list[JobHealth], now: float, stale_after: float) -> Iterator[str]:
    if not now - heard <= stale_after:
        yield f"the detector has not been heard for {now - heard:.0f} s: what follows may be out of date"
    elif not heard - now <= stale_after:
        yield f"the newest record is {heard - now:.0f} s in the future: the clocks disagree"
    elif unheard := sorted(job.verdict.job for job in jobs if job.unheard):
        yield f"nothing heard for more than {stale_after:g} s about {len(unheard)} jobs, among them {unheard[0]}"


def _unnamed(about: str, nodes: list[NodeHealth], jobs: list[JobHealth]) -> Iterator[str]:
    if about == "job" and not jobs:
        yield "there are verdicts about its nodes, and none about the job itself"
    if about == "node" and nodes[0].verdict.status is Status.SILENT:
        yield "the node sends no telemetry: nothing is known, so nothing is concluded"
    for job in jobs:
        if job.verdict.status is JobStatus.HUNG and not job.verdict.accused:
            yield f"job {job.verdict.job} hangs and no node can be named: {_reason(job)}"


def _remarks(jobs: list[JobHealth]) -> Iterator[str]:
    for job in jobs:
        if job.verdict.status is JobStatus.SLOW and not job.verdict.accused:
            yield f"job {job.verdict.job} is slow and nobody is accused: {_reason(job)}"


def _reason(job: JobHealth) -> str:
    return job.verdict.reason or "no reason given"


def _urgency(node: NodeHealth) -> tuple[bool, int, float, float, str, str]:
    said = node.verdict
    return (
        not said.accused,
        _STATUS_ORDER[said.status],
        -(said.slowdown or 0.0),
        -said.confidence,
        said.cluster,
        said.node,
    )
