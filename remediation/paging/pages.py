"""A page's life: it is opened, there is news, it is over; and where it is kept."""

from typing import Any

from msgspec.structs import replace

from detectors.verdict import Severity, identify
from remediation.paging.policy import Paging
from remediation.paging.routes import team_of
from remediation.paging.state import Cluster, NodeStory, Over, Page, State, place

LIMIT = 100_000
"""Pages kept, those in storms among them. What comes on top is counted, and people are told that."""
LONGEST = 300
"""Characters of a text from outside that are kept; a page shows fewer."""
_RANK = {severity: rank for rank, severity in enumerate((Severity.INFO, Severity.WARNING, Severity.CRITICAL))}


def key_of(kind: str, *parts: object) -> str:
    """A key for deduplication: the same beginning has the same key."""
    return f"guard-{kind}-{identify(*parts)}"


def worse(one: Severity, other: Severity) -> Severity:
    """The worse of two."""
    return one if _RANK[one] >= _RANK[other] else other


def severity_of(word: str) -> Severity:
    """A severity of the ledger, which has it as text; what is none asks for a look."""
    return Severity(word) if word in _RANK else Severity.WARNING


def cluster_of(state: State, name: str) -> Cluster:
    """What is remembered of a cluster."""
    return state.clusters.get(name) or Cluster()


def with_cluster(state: State, name: str, **changes: Any) -> State:
    """The state with changes to a cluster."""
    changed = replace(cluster_of(state, name), **changes)
    return replace(state, clusters={**state.clusters, name: changed})


def kept(state: State, page: Page, before: Page | None = None) -> State:
    """The state with the page as it is now. It is looked at when something of it may have to be told."""
    pages = state.pages.put(page.key, page)
    told_elsewhere = isinstance(page.story, NodeStory) and page.story.storm is not None
    if told_elsewhere or (before is not None and before.first is not None and _same(before, page)):
        return replace(state, pages=pages)
    return replace(state, pages=pages, restless=state.restless.put(page.key, True))


def _same(before: Page, page: Page) -> bool:
    return (before.number, before.job, before.team) == (page.number, page.job, page.team)


def forgotten(state: State, key: str) -> State:
    """The state without a page."""
    late = tuple(other for other in state.late if other != key) if key in state.late else state.late
    return replace(state, pages=state.pages.drop(key), restless=state.restless.drop(key), late=late)


def room(state: State) -> bool:
    """Whether one more page can be kept."""
    return state.pages.size < LIMIT


def lost(state: State) -> State:
    """The state after a trouble that could not be kept."""
    return replace(state, lost=state.lost + 1)


def owned(policy: Paging, page: Page) -> Page:
    """The page with the team that it belongs to."""
    return replace(page, team=team_of(policy, page.job, page.node)) if policy.teams else page


def news(page: Page, time: float, *, severity: Severity | None = None, loud: bool = False, **changes: Any) -> Page:
    """The page with changes that people should know.

    Until it was told, it only changes; once somebody looks after it, only what is `loud` or more severe is news.
    """
    risen = worse(page.severity, severity or page.severity)
    silent = page.acknowledged is not None and not loud and risen is page.severity
    number = page.number + (page.first is not None and not silent)
    changed = page.changed if silent else max(page.changed, time)
    return replace(page, number=number, severity=risen, changed=changed, **changes)


def ended(state: State, page: Page, time: float, reason: str, *, told_elsewhere: bool = False) -> State:
    """The state after a page's trouble is over. It is forgotten if it was told nobody and need not be.

    That is so when the trouble ended within its `brief`, or when another page has it (`told_elsewhere`).
    """
    if page.over is not None:
        return state
    short = page.brief is not None and time - page.opened <= page.brief
    if page.first is None and (told_elsewhere or short):
        return forgotten(state, page.key)
    over = Over(max(time, page.opened), reason)
    state = kept(state, replace(page, over=over, number=page.number + 1, changed=max(page.changed, time)))
    return replace(state, late=tuple(key for key in state.late if key != page.key)) if state.late else state


def node_page(state: State, where: str) -> tuple[Page, NodeStory] | None:
    """The open page of a node."""
    key = state.nodes.get(where)
    page = state.pages.get(key) if key is not None else None
    return (page, page.story) if page is not None and isinstance(page.story, NodeStory) else None


def place_of(page: Page) -> str:
    """Where a page about a node is found."""
    return place(page.cluster, page.node or "")
