"""Pages about what guard does not see: nodes without telemetry, sources, channels, and what it could not keep."""

from collections.abc import Mapping
from typing import TypeVar

from msgspec.structs import replace

from detectors.verdict import JobStatus, JobVerdict, Severity, Status, Verdict
from remediation.alerts.notice import About
from remediation.paging.events import Looked, Source, Tried
from remediation.paging.pages import (
    LIMIT,
    LONGEST,
    cluster_of,
    ended,
    kept,
    key_of,
    lost,
    news,
    with_cluster,
    worse,
)
from remediation.paging.policy import Paging
from remediation.paging.state import (
    NAMES,
    Cluster,
    Mute,
    Page,
    SilentStory,
    State,
    Trouble,
    WordStory,
    place,
)

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

_MUTE = 100_000
"""Nodes without telemetry remembered of a cluster."""
_ROOM = 0.9
"""Share of the limits below which there is room again."""
_COUNT_EVERY = 10.0
"""Seconds between two counts of silent nodes: they are many when a cluster is away."""
_MANY, _SHARE = 10, 0.1
_BLIND = {
    Source.BUS: "the bus cannot be read or written",
    Source.TELEMETRY: "no agent sends telemetry",
    Source.DETECTOR: "telemetry comes, and no detector folds it",
}


def hear_silence(state: State, verdict: Verdict) -> State:
    """The state after a verdict, as far as it tells whether the node sends anything."""
    cluster = state.clusters.get(verdict.cluster)
    before = cluster.mute.get(verdict.node) if cluster is not None else None
    if verdict.status is not Status.SILENT:
        if cluster is None or before is None or verdict.time <= before.said:
            return state
        mute = cluster.mute.drop(verdict.node)
        return _none_left(with_cluster(state, verdict.cluster, mute=mute), verdict.cluster, verdict.time)
    if before is not None and verdict.time <= before.said:
        return state
    cluster = cluster or Cluster()
    if before is None and cluster.mute.size >= _MUTE:
        return lost(state)
    job = verdict.job.id if verdict.job else None
    seen = state.jobs.get(place(verdict.cluster, job)) if job is not None else None
    if seen is not None and seen.status is JobStatus.ENDED and verdict.time <= seen.time:
        return state
    silent = Mute(since=verdict.since, said=verdict.time, job=job)
    look = verdict.since if cluster.look is None else min(cluster.look, verdict.since)
    return with_cluster(state, verdict.cluster, mute=cluster.mute.put(verdict.node, silent), look=look)


def job_ended(state: State, verdict: JobVerdict) -> State:
    """The state after the end of a job: its nodes need not send anything any more."""
    cluster = state.clusters.get(verdict.cluster)
    if cluster is None or not cluster.mute.size:
        return state
    mute = cluster.mute
    for node, silent in cluster.mute.items():
        if silent.job == verdict.job and silent.said <= verdict.time:
            mute = mute.drop(node)
    return _none_left(with_cluster(state, verdict.cluster, mute=mute), verdict.cluster, verdict.time)


def hear_sources(state: State, event: Looked, now: float) -> State:
    """The state after a look at what guard sees by: what is heard again ends its page."""
    for source, key in state.sources_paged.items():
        page = state.pages.get(key)
        if source not in event.silent and page is not None:
            state = ended(state, page, now, f"the {source} is heard again")
            state = replace(state, sources_paged=_without(state.sources_paged, source))
    return replace(state, sources=dict(event.silent)) if event.silent != state.sources else state


def hear_channel(state: State, event: Tried, now: float) -> State:
    """The state after a channel was tried: one that takes what it is sent ends its page."""
    if event.since is not None:
        trouble = Trouble(event.since, event.reason[:LONGEST])
        if state.channels.get(event.channel) == trouble:
            return state
        return replace(state, channels={**state.channels, event.channel: trouble})
    if event.channel not in state.channels:
        return state
    state = replace(state, channels=_without(state.channels, event.channel))
    return _channel_over(state, event.channel, now, "it takes what it is sent")


def look(state: State, policy: Paging, channels: tuple[str, ...], now: float) -> State:
    """The state with pages about all that was away for too long by now."""
    for source, since in sorted(state.sources.items()):
        if source not in state.sources_paged and now - since >= policy.blind:
            page = _words(About.BLIND, source, _BLIND[source], Severity.CRITICAL, since=since, now=now)
            state = kept(replace(state, sources_paged={**state.sources_paged, source: page.key}), page)
    for name, trouble in sorted(state.channels.items()):
        if name not in channels:
            state = replace(state, channels=_without(state.channels, name))
            state = _channel_over(state, name, now, "it is no longer configured")
        elif name not in state.channels_paged and now - trouble.since >= policy.trouble:
            page = _words(About.CHANNEL, name, trouble.reason, Severity.WARNING, since=trouble.since, now=now)
            state = kept(replace(state, channels_paged={**state.channels_paged, name: page.key}), page)
    for name, cluster in sorted(state.clusters.items()):
        if cluster.look is not None and now >= cluster.look + policy.silent:
            state = _count(state, name, cluster, policy, now)
    return _say_lost(state, now) if state.lost else state


def _say_lost(state: State, now: float) -> State:
    known = state.pages.get(state.lost_page) if state.lost_page is not None else None
    if known is None:
        page = _words(About.BLIND, "pager", "", Severity.CRITICAL, since=now, now=now)
        return kept(replace(state, lost_page=page.key), page)
    largest = max((cluster.mute.size for cluster in state.clusters.values()), default=0)
    if state.pages.size > LIMIT * _ROOM or largest > _MUTE * _ROOM:
        return state
    state = replace(state, lost=0, lost_page=None)
    return ended(state, known, now, "there is room again: what stands is heard again as it is refreshed")


def _words(about: About, subject: str, text: str, severity: Severity, *, since: float, now: float) -> Page:
    return Page(
        key=key_of(about, subject, since, now),
        about=about,
        cluster="",
        severity=severity,
        since=since,
        opened=now,
        ready=now,
        changed=now,
        word=about,
        story=WordStory(subject=str(subject), text=text),
    )


def _channel_over(state: State, name: str, now: float, reason: str) -> State:
    page = state.pages.get(state.channels_paged.get(name, ""))
    if page is None:
        return state
    state = replace(state, channels_paged=_without(state.channels_paged, name))
    return ended(state, page, now, reason)


def _count(state: State, name: str, cluster: Cluster, policy: Paging, now: float) -> State:
    long: dict[str | None, int] = {}
    names: list[str] = []
    since, total = now, 0
    later: list[float] = []
    for node, mute in cluster.mute.items():
        if now - mute.since < policy.silent:
            later.append(mute.since)
            continue
        total += 1
        since = min(since, mute.since)
        long[mute.job] = long.get(mute.job, 0) + 1
        if len(names) < NAMES:
            names.append(node)
    soon = None if not later else max(min(later), now + _COUNT_EVERY - policy.silent)
    state = with_cluster(state, name, look=soon)
    if not total:
        return state
    hurt = sorted(str(job) for job, count in long.items() if job is not None and _hurts(state, name, job, count))
    severity = Severity.WARNING if hurt else Severity.INFO
    story = SilentStory(nodes=total, names=tuple(names), job=hurt[0] if hurt else "")
    page = state.pages.get(cluster.silence) if cluster.silence is not None else None
    if page is None:
        page = Page(
            key=key_of("silent", name, since, now),
            about=About.SILENT,
            cluster=name,
            severity=severity,
            since=since,
            opened=now,
            ready=now,
            changed=now,
            word=About.SILENT,
            story=story,
        )
        return kept(with_cluster(state, name, silence=page.key), page)
    if worse(page.severity, severity) is page.severity:
        return kept(state, replace(page, story=story), page)
    return kept(state, news(page, now, severity=severity, story=story), page)


def _hurts(state: State, cluster: str, job: str, silent: int) -> bool:
    seen = state.jobs.get(place(cluster, job))
    running = seen is not None and seen.status is not JobStatus.ENDED and seen.nodes > 0
    return running and seen is not None and (silent >= _MANY or silent >= _SHARE * seen.nodes)


def _none_left(state: State, name: str, time: float) -> State:
    cluster = cluster_of(state, name)
    if cluster.mute.size:
        return state
    page = state.pages.get(cluster.silence) if cluster.silence is not None else None
    state = with_cluster(state, name, silence=None, look=None)
    return state if page is None else ended(state, page, time, "all of them are heard again, or their job ended")


def _without(mapping: Mapping[_Key, _Value], name: _Key) -> dict[_Key, _Value]:
    return {other: value for other, value in mapping.items() if other != name}
