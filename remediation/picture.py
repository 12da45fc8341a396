"""What is known of the world now: verdicts, the newest look at the cluster, how jobs go. A restart forgets it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from detectors.verdict import JobVerdict, Verdict
from remediation.events import JobSaid, Observed, Progress, Progressed, Said, Unobserved
from remediation.table import Table, added, newest
from remediation.views import ClusterView, NodeView

# A cluster does not lose more than this share of its nodes between two looks: such a look is not believed until it
# has stood for `DOUBT` seconds and three looks.
_LOST = 0.3
_DOUBT = 900.0
ENOUGH_LOOKS = 3
"""A clock may jump: what takes time takes this many looks too."""
_JOBS = 5000
_REMEMBERED = 86400.0


@dataclass(frozen=True, slots=True)
class Look:
    """A look at the cluster, with what the rails ask of it counted once.

    Attributes:
        time: when, Unix seconds.
        out: nodes that are cordoned, by whomever, or not ready.
        idle: nodes that could take work and have none.
        out_by_domain: those of `out` by kind and name of their fault domains.
        stamped: incident that stands on a node's cordon, by node.
        doubtful: why this look is no ground for anything; None: it is believed.
    """

    view: ClusterView
    time: float
    out: frozenset[str]
    idle: int
    out_by_domain: Mapping[tuple[str, str], frozenset[str]]
    stamped: Mapping[str, str]
    doubtful: str | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """The newest verdict of a node, and its newest accusation.

    Attributes:
        accused: when its present accusation was first heard; None: it is not accused.
    """

    verdict: Verdict
    accusation: Verdict | None = None
    accused: float | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """The world.

    Attributes:
        accused: when it was last heard that a node is accused anew, by node, also of those that no longer are.
        absent: since when, and for how many looks, nodes of open incidents were not seen.
        usual: how many nodes the cluster has. `shrunk`: since when, and how many looks, it shows far fewer.
        blind: when it was first not to be looked at since the last look, and why.
    """

    heard: Table[Heard] = field(default_factory=Table)
    accused: Table[float] = field(default_factory=Table)
    look: Look | None = None
    absent: Mapping[str, tuple[float, int]] = field(default_factory=lambda: MappingProxyType({}))
    usual: int = 0
    shrunk: tuple[float, int] | None = None
    blind: tuple[float, str] | None = None
    jobs: Mapping[str, JobVerdict] = field(default_factory=lambda: MappingProxyType({}))
    progress: Mapping[str, Progress] = field(default_factory=lambda: MappingProxyType({}))


def say(picture: Picture, event: Said, now: float) -> Picture:
    """A verdict is heard. One that is older than what was heard changes nothing."""
    verdict = event.verdict
    before = picture.heard.get(verdict.node)
    same = before is not None and before.verdict.instance == verdict.instance
    if before is not None and verdict.time < before.verdict.time and same:
        return picture
    if not verdict.accused:
        last = before.accusation if before is not None and same else None
        return replace(picture, heard=picture.heard.put(verdict.node, Heard(verdict, last)))
    since = before.accused if before is not None and same else None
    heard = picture.heard.put(verdict.node, Heard(verdict, verdict, now if since is None else since))
    accused = picture.accused if since is not None else picture.accused.put(verdict.node, now)
    return replace(picture, heard=heard, accused=accused)


def say_of_job(picture: Picture, event: JobSaid) -> Picture:
    """A word on a job is heard."""
    jobs = {name: job for name, job in picture.jobs.items() if name != event.job.job}
    return replace(picture, jobs=newest(added(jobs, event.job.job, event.job), _JOBS))


def progress(picture: Picture, event: Progressed, followed: frozenset[str]) -> Picture:
    """A job has come further. Those that nobody follows are forgotten."""
    kept = {job: known for job, known in picture.progress.items() if job in followed}
    return replace(picture, progress={**kept, event.job: event.progress})


def unobserve(picture: Picture, event: Unobserved, now: float) -> Picture:
    """The cluster could not be looked at."""
    return picture if picture.blind else replace(picture, blind=(now, event.reason[:300]))


def observe(picture: Picture, event: Observed, awaited: frozenset[str], now: float) -> Picture:
    """The cluster was looked at; `awaited` are the nodes of open incidents."""
    count = len(event.view.nodes)
    shrunk = _shrunk(picture, count, now)
    doubt = None
    if count == 0:
        doubt = "the cluster shows no nodes"
    elif shrunk is not None:
        doubt = f"the cluster shows {count} nodes, it had {picture.usual}"
    absent = picture.absent
    if doubt is None:
        missing = sorted(name for name in awaited if name not in event.view.nodes)
        absent = {name: _once_more(absent.get(name), now) for name in missing}
    return replace(
        picture,
        look=_counted(event.view, now, doubt),
        accused=_forgotten(picture, now),
        absent=absent,
        usual=picture.usual if doubt else count,
        shrunk=shrunk,
        blind=None,
    )


def _shrunk(picture: Picture, count: int, now: float) -> tuple[float, int] | None:
    if count >= picture.usual * (1 - _LOST):
        return None
    since, looks = _once_more(picture.shrunk, now)
    stood = now - since >= _DOUBT and looks > ENOUGH_LOOKS
    return None if stood and count > 0 else (since, looks)


def _once_more(before: tuple[float, int] | None, now: float) -> tuple[float, int]:
    return (before[0], before[1] + 1) if before else (now, 1)


def _forgotten(picture: Picture, now: float) -> Table[float]:
    accused = picture.accused
    for name, since in picture.accused.items():
        heard = picture.heard.get(name)
        if (heard is None or heard.accused is None) and abs(now - since) > _REMEMBERED:
            accused = accused.drop(name)
    return accused


def _counted(view: ClusterView, now: float, doubt: str | None) -> Look:
    out: set[str] = set()
    stamped: dict[str, str] = {}
    by_domain: dict[tuple[str, str], set[str]] = {}
    idle = 0
    for name, node in view.nodes.items():
        if node.cordoned or not node.ready:
            out.add(name)
            for domain in node.domains.items():
                by_domain.setdefault(domain, set()).add(name)
            if node.cordoned and node.incident is not None:
                stamped[name] = node.incident
        elif not node.jobs and not node.opted_out:
            idle += 1
    domains = {domain: frozenset(names) for domain, names in by_domain.items()}
    return Look(view, now, frozenset(out), idle, domains, dict(sorted(stamped.items())), doubt)


def same_machine(node: NodeView, instance: str, identity: str) -> bool:
    """Whether `node` is the machine that was known by these, as far as its cluster can tell."""
    if node.instance is not None and instance and node.instance != instance:
        return False
    return not (node.identity and identity) or node.identity == identity
