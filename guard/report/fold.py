"""From the newest records to health. Pure: no I/O, and the time is an argument.

What a node's verdict says stands until a later one replaces it, so its age tells nothing; job records are
repeated every minute, so theirs does. Silence is not health: where the detector has not been heard, or nothing
is known, the answer is ``UNANSWERED``, unless somebody is accused already. A detector with nothing to say (a fleet
without jobs) is heard by its snapshots.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from enum import IntEnum
from itertools import chain

from msgspec import Struct

from detectors.nearest import hint
from detectors.verdict import JobStatus, Status
from guard.bus import Topic
from guard.report.newest import JobHealth, Named, NodeHealth, State

_STATUS_ORDER = {Status.FAULT: 0, Status.STRAGGLER: 1, Status.WATCH: 2, Status.SILENT: 3, Status.OK: 4}


class Answer(IntEnum):
    """What the report concludes; the value is the exit code of ``guard report``."""

    HEALTHY = 0
    ACCUSED = 1
    UNANSWERED = 2


class NotAnsweredError(Exception):
    """The state holds no such job or node, or more than one. The text says which."""


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
        counts: nodes by status, all of them.
        accused: names of accused nodes.
        jobs: by cluster and name.
        nodes: accused first, then by how much they cost. One that is ok only where it was asked for by name.
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


def fleet_health(state: State, now: float, stale_after: float, cluster: str | None = None) -> Health:
    """The health of everything, or of one cluster. ``now`` in Unix seconds, ``stale_after`` in seconds."""
    nodes = [node for node in state.nodes.values() if cluster in (None, node.verdict.cluster)]
    jobs = [job for job in state.jobs.values() if cluster in (None, job.verdict.cluster)]
    fine = len(state.fine) if cluster is None else sum(home == cluster for home, _ in state.fine)
    return _conclude(state, _About("fleet", None, nodes, fine, jobs), now, stale_after)


def job_health(state: State, job: str, now: float, stale_after: float, cluster: str | None = None) -> Health:
    """The health of one job and its nodes.

    Raises:
        NotAnsweredError: no such job, or one in each of several clusters.
    """
    clusters = {home for home, name in state.jobs if name == job}
    clusters |= {home for (home, _), node in state.nodes.items() if _job(node) == job}
    clusters |= {home for (home, _), node in state.fine.items() if node.job == job}
    home = _only("job", job, clusters, cluster, (name for _, name in state.jobs))
    nodes = [node for node in state.nodes.values() if node.verdict.cluster == home and _job(node) == job]
    fine = sum(node.job == job and place == home for (place, _), node in state.fine.items())
    known = state.jobs.get((home, job))
    return _conclude(state, _About("job", job, nodes, fine, [known] if known else []), now, stale_after)


def node_health(state: State, name: str, now: float, stale_after: float, cluster: str | None = None) -> Health:
    """The health of one node, with the job it belongs to.

    Raises:
        NotAnsweredError: no such node, or one in each of several clusters.
    """
    found = state.named(name)
    home = _only("node", name, set(found), cluster, (known for _, known in chain(state.nodes, state.fine)))
    node = found[home]
    known = state.jobs.get((home, _job(node) or ""))
    return _conclude(state, _About("node", name, [node], 0, [known] if known else []), now, stale_after)


def quiet(state: State, now: float, stale_after: float) -> bool:
    """Whether the detector has said nothing for so long that other signs of it are to be looked for."""
    return state.heard is None or not now - state.heard <= stale_after


class _About(Struct, frozen=True):
    """What is concluded on: nodes, how many more there are that are ok, and jobs."""

    kind: str
    name: str | None
    nodes: Sequence[NodeHealth]
    fine: int
    jobs: Sequence[JobHealth]

    @property
    def counts(self) -> dict[str, int]:
        counted = Counter(node.verdict.status.value for node in self.nodes)
        if self.fine:
            counted[Status.OK.value] += self.fine
        return dict(counted)


def _job(node: NodeHealth) -> str | None:
    return node.verdict.job.id if node.verdict.job else None


def _only(kind: str, name: str, clusters: set[str], wanted: str | None, known: Iterable[str]) -> str:
    found = sorted(clusters if wanted is None else clusters & {wanted})
    if not found:
        place = "" if wanted is None else f" in cluster {wanted}"
        meant = hint(name, known) or "; guard report names who is known"
        raise NotAnsweredError(
            f"nothing is known of {kind} {name}{place}: no detector has said anything about it{meant}"
        )
    if len(found) > 1:
        raise NotAnsweredError(f"{kind} {name} is in {len(found)} clusters ({', '.join(found)}): add --cluster")
    return found[0]


def _conclude(state: State, about: _About, now: float, stale_after: float) -> Health:
    jobs = [_with_age(job, now, stale_after) for job in about.jobs]
    accused = _accused(state, about.nodes, jobs if about.kind != "node" else [])
    reasons = [
        *_silence(state, jobs, now, stale_after, known=bool(about.nodes or about.fine or jobs)),
        *_unnamed(about.kind, about.nodes, jobs),
    ]
    answer = Answer.ACCUSED if accused else Answer.UNANSWERED if reasons else Answer.HEALTHY
    if state.unreadable:
        reasons.append(f"{state.unreadable} records of the state could not be read, the first: {state.problem}")
    return Health(
        about=about.kind,
        name=about.name,
        now=now,
        answer=answer,
        notices=(*reasons, *_remarks(jobs)),
        heard=state.heard,
        unreadable=state.unreadable,
        counts=about.counts,
        accused=accused,
        jobs=tuple(sorted(jobs, key=lambda job: (job.verdict.cluster, job.verdict.job))),
        nodes=tuple(sorted(about.nodes, key=_urgency)),
    )


def _with_age(job: JobHealth, now: float, stale_after: float) -> JobHealth:
    unheard = job.verdict.status is not JobStatus.ENDED and not abs(now - job.taken) <= stale_after
    return JobHealth(job.verdict, job.taken, unheard)


def _accused(state: State, nodes: Sequence[NodeHealth], jobs: Sequence[JobHealth]) -> tuple[str, ...]:
    """Accused nodes, and those that a running job names while the state holds no record of the node itself."""
    names = {node.verdict.node for node in nodes if node.verdict.accused}
    for job in jobs:
        if job.verdict.status is not JobStatus.ENDED:
            places = ((job.verdict.cluster, name) for name in job.verdict.accused)
            names |= {place[1] for place in places if not _known(state, place)}
    return tuple(sorted(names))


def _known(state: State, node: Named) -> bool:
    return node in state.nodes or node in state.fine


def _silence(
    state: State, jobs: Sequence[JobHealth], now: float, stale_after: float, *, known: bool
) -> Iterator[str]:
    """Why nothing follows from silence."""
    heard, lately = state.heard, state.lately or ()
    if heard is None or not known:
        yield _nothing_said(lately)
    elif quiet(state, now, stale_after) and Topic.SNAPSHOTS not in lately:
        yield f"the detector has not been heard for {now - heard:.0f} s: what follows may be out of date"
        if state.lately is not None:
            yield _why_silent(lately)
    elif not heard - now <= stale_after:
        yield f"the newest record is {heard - now:.0f} s in the future: the clocks disagree"
    elif unheard := sorted(job.verdict.job for job in jobs if job.unheard):
        yield f"nothing heard for more than {stale_after:g} s about {len(unheard)} jobs, among them {unheard[0]}"


def _nothing_said(lately: Collection[Topic]) -> str:
    if Topic.SNAPSHOTS in lately:
        return "the detector works, and has not said anything yet: no job is known to it"
    if Topic.TELEMETRY in lately:
        return "no detector has said anything yet, and telemetry arrives: is guard detect running?"
    return "no detector has said anything yet: is guard detect running, and on this bus?"


def _why_silent(lately: Collection[Topic]) -> str:
    if Topic.TELEMETRY in lately:
        return "telemetry arrives and the detector writes no snapshot: it does not fold; is guard detect running?"
    return "no telemetry arrives, and the detector writes no snapshot: are the agents and the bus up?"


def _unnamed(about: str, nodes: Sequence[NodeHealth], jobs: Sequence[JobHealth]) -> Iterator[str]:
    if about == "job" and not jobs:
        yield "there are verdicts about its nodes, and none about the job itself"
    if about == "node" and nodes[0].verdict.status is Status.SILENT:
        yield "the node sends no telemetry: nothing is known, so nothing is concluded"
    for job in jobs:
        if job.verdict.status is JobStatus.HUNG and not job.verdict.accused:
            yield f"job {job.verdict.job} hangs and no node can be named: {_reason(job)}"


def _remarks(jobs: Sequence[JobHealth]) -> Iterator[str]:
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
