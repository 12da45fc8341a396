"""So many nodes at once that they become one page."""

from collections.abc import Iterable

from msgspec.structs import replace

from detectors.verdict import Severity
from remediation.alerts.notice import About
from remediation.ledger import Alert, Breaker
from remediation.paging.pages import (
    LONGEST,
    cluster_of,
    ended,
    kept,
    key_of,
    news,
    with_cluster,
)
from remediation.paging.policy import Paging
from remediation.paging.state import NAMES, Ask, NodeStory, Page, State, StormStory

PAGES = 10_000
"""Pages about single nodes; with more, each new one is told in a storm."""
_WORDS = 20


def turn(state: State, record: Breaker, policy: Paging, now: float) -> State:
    """The state after the ledger's breaker tripped or was reset."""
    cluster = cluster_of(state, record.cluster)
    if record.time < cluster.turned:
        return state
    state = with_cluster(state, record.cluster, tripped=record.tripped, turned=record.time)
    if record.tripped:
        return _joined(state, record, record.reason, policy, now)
    return _calm(state, record.cluster, record.time)


def alarm(state: State, record: Alert, policy: Paging, now: float) -> State:
    """The state after the ledger's alert about a storm: the breaker has tripped."""
    cluster = cluster_of(state, record.cluster)
    if not cluster.tripped and record.time <= cluster.turned:
        return state
    state = with_cluster(state, record.cluster, tripped=True)
    return _joined(state, record, record.text, policy, now)


def gather(state: State, ripe: Iterable[Page], policy: Paging, now: float) -> State:
    """The state after those pages about nodes that are `ripe`, and told nobody, were told one by one or as one."""
    by_cluster: dict[str, list[Page]] = {}
    for page in ripe:
        if isinstance(page.story, NodeStory):
            by_cluster.setdefault(page.cluster, []).append(page)
    for name, pages in sorted(by_cluster.items()):
        state = _gather(state, name, pages, policy, now)
    return state


def leave(state: State, page: Page, storm: str, time: float) -> State:
    """The state after a node of a storm is well again, or gone."""
    whole = state.pages.get(storm)
    if whole is None or not isinstance(whole.story, StormStory):
        return state
    asks = tuple(ask for ask in whole.story.asks if ask.node != page.node)
    story = replace(whole.story, left=whole.story.left - 1, asks=asks)
    state = replace(state, pages=state.pages.put(storm, replace(whole, story=story)))
    return _calm(state, page.cluster, time)


def heard_of_member(state: State, page: Page, story: NodeStory, word: str, time: float) -> State:
    """The state after the ledger spoke of a node of a storm. What it asks for is told once for each word."""
    whole = state.pages.get(story.storm or "")
    if whole is None or not isinstance(whole.story, StormStory):
        return state
    asks = tuple(ask for ask in whole.story.asks if ask.node != page.node)
    if story.wish is not None and story.wish.waits and len(asks) < NAMES:
        asks = (*asks, Ask(page.node or "", story.wish.intent))
    changed = replace(whole, story=replace(whole.story, asks=asks))
    words = whole.story.words
    if word and word not in words and len(words) < _WORDS:
        told = replace(whole.story, asks=asks, words=(*words, word))
        changed = news(whole, time, loud=bool(asks), story=told)
    return kept(state, changed, whole)


def _gather(state: State, name: str, pages: list[Page], policy: Paging, now: float) -> State:
    cluster = cluster_of(state, name)
    pages = sorted(pages, key=lambda page: (page.node or "", page.key))
    limit = policy.storm.nodes
    lately = [time for time in cluster.lately if 0 <= now - time < policy.storm.within]
    many = len(lately) + len(pages) > limit
    times = (*lately, *[now] * len(pages))[-limit - 1 :]
    state = with_cluster(state, name, lately=times)
    storm = state.pages.get(cluster.storm) if cluster.storm is not None else None
    if not many and not (storm is not None and cluster.tripped) and not _crowded(state):
        return state
    if storm is None:
        storm = _page(name, now, f"{name}:{pages[0].key}", ready=now)
        storm = replace(storm, story=StormStory(before=len(lately)))
        state = with_cluster(state, name, storm=storm.key)
    return _join(state, storm, pages, now)


def _join(state: State, storm: Page, pages: list[Page], now: float) -> State:
    if not isinstance(storm.story, StormStory):
        return state
    members = {
        page.key: replace(page, story=replace(page.story, storm=storm.key))
        for page in pages
        if page.over is None and isinstance(page.story, NodeStory)
    }
    table = state.pages.changed(members, [page.key for page in pages if page.over is not None])
    restless = state.restless.changed({}, [page.key for page in pages])
    nodes = storm.story.nodes + len(pages)
    names = (*storm.story.names, *(page.node or "" for page in pages[:NAMES]))[:NAMES]
    grown = replace(storm.story, nodes=nodes, left=storm.story.left + len(members), names=names)
    since = min(storm.since, *(page.since for page in pages))
    doubled = storm.first is None or nodes >= max(2 * storm.story.news, 1)
    if doubled:
        changed = news(storm, now, since=since, story=replace(grown, news=nodes))
    else:
        changed = replace(storm, since=since, story=grown)
    state = kept(replace(state, pages=table, restless=restless), changed, storm)
    return _calm(state, storm.cluster, now)


def _joined(state: State, record: Alert | Breaker, reason: str, policy: Paging, now: float) -> State:
    name, time = record.cluster, record.time
    cluster = cluster_of(state, name)
    storm = state.pages.get(cluster.storm) if cluster.storm is not None else None
    if storm is None:
        storm = _page(name, time, reason, ready=now + policy.gather)
        state = with_cluster(state, name, storm=storm.key)
    if not isinstance(storm.story, StormStory):
        return state
    return kept(state, replace(storm, story=replace(storm.story, reason=reason[:LONGEST])), storm)


def _page(cluster: str, time: float, first: str, *, ready: float) -> Page:
    return Page(
        key=key_of("storm", cluster, time, first),
        about=About.STORM,
        cluster=cluster,
        severity=Severity.CRITICAL,
        since=time,
        opened=time,
        ready=ready,
        changed=time,
        word=About.STORM,
        story=StormStory(),
    )


def _calm(state: State, name: str, time: float) -> State:
    cluster = cluster_of(state, name)
    storm = state.pages.get(cluster.storm) if cluster.storm is not None else None
    if storm is None or not isinstance(storm.story, StormStory) or storm.story.left or cluster.tripped:
        return state
    state = with_cluster(state, name, storm=None)
    return ended(state, storm, time, "none of its nodes is in trouble, and no breaker is tripped")


def _crowded(state: State) -> bool:
    storms = (state.pages.get(cluster.storm) for cluster in state.clusters.values() if cluster.storm is not None)
    members = sum(page.story.left for page in storms if page is not None and isinstance(page.story, StormStory))
    return state.pages.size - members > PAGES
