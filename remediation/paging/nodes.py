"""Pages about nodes, as verdicts open, change and end them."""

from typing import Any

from msgspec.structs import replace

from detectors.plain import plain
from detectors.verdict import JobStatus, JobVerdict, Status, Verdict
from remediation.alerts.notice import About
from remediation.paging import jobs, storms
from remediation.paging.pages import (
    ended,
    forgotten,
    kept,
    key_of,
    lost,
    news,
    node_page,
    owned,
    place_of,
    room,
    worse,
)
from remediation.paging.policy import Paging
from remediation.paging.state import Ended, NodeStory, Page, State, place

_ENDED = 10_000
"""Ends remembered; pruned when there are a quarter more."""


def hear_node(state: State, verdict: Verdict, policy: Paging, now: float) -> State:
    """The state after a verdict. Silence is neither guilt nor health, and an old verdict is none."""
    where = place(verdict.cluster, verdict.node)
    known = node_page(state, where)
    if known is None:
        return _unknown(state, where, verdict, policy, now)
    page, story = known
    repeated = verdict.time == story.said and story.accused is not None
    if verdict.status is Status.SILENT or verdict.time < story.said or repeated:
        return state
    if story.instance and verdict.instance != story.instance:
        state = close(state, page, verdict.time, f"replaced by {plain(verdict.instance)}", said=verdict.time)
        return _open(state, verdict, policy, now) if verdict.accused else state
    if verdict.accused:
        return _accused(state, page, story, verdict, policy)
    return _withdrawn(state, page, story, verdict)


def close(
    state: State, page: Page, time: float, reason: str, *, said: float | None = None, open_: bool = False
) -> State:
    """The state after a node's page is over; `open_`: whether its incident is not."""
    story, where = page.story, place_of(page)
    if not isinstance(story, NodeStory):
        return state
    end = Ended(
        instance=story.instance,
        time=time,
        said=story.said if said is None else said,
        withdrawn=story.accused is False,
        incident=page.incident,
        open=open_,
        job=page.job,
    )
    state = _remember(replace(state, nodes=state.nodes.drop(where)), where, end)
    if story.storm is not None:
        return storms.leave(forgotten(state, page.key), page, story.storm, time)
    return ended(state, page, time, reason)


def opened(
    state: State,
    policy: Paging,
    now: float,
    story: NodeStory,
    *key: object,
    **known: Any,
) -> State:
    """The state with a new page about a node; what is `known` of it are fields of `Page`."""
    if not room(state):
        return lost(state)
    page = Page(
        key=key_of("node", known["cluster"], known["node"], story.instance, *key),
        ready=now + policy.gather,
        brief=policy.gather,
        changed=known["opened"],
        word=known["about"],
        story=story,
        **known,
    )
    where = place_of(page)
    before = state.ended.get(where)
    # The ledger was quicker to open than the bus to tell the accusation.
    if before is not None and before.open and page.incident is None and before.instance == story.instance:
        page = replace(page, incident=before.incident, story=replace(story, open=True))
    return kept(replace(state, nodes=state.nodes.put(where, page.key)), owned(policy, page))


def end_late(state: State, verdict: JobVerdict) -> State:
    """The state after a job runs well or has ended: alerts about it that came after their incident are over."""
    if verdict.status not in (JobStatus.NORMAL, JobStatus.ENDED):
        return state
    for key in state.late:
        page = state.pages.get(key)
        mine = page is not None and page.cluster == verdict.cluster and page.job == verdict.job
        waits = isinstance(page.story, NodeStory) and page.story.open if page is not None else True
        if page is not None and mine and not waits and verdict.time > page.opened:
            state = close(state, page, verdict.time, f"its job: {verdict.status}")
    return state


def _unknown(state: State, where: str, verdict: Verdict, policy: Paging, now: float) -> State:
    end = state.ended.get(where)
    if not verdict.accused:
        if end is None or verdict.status is Status.SILENT or verdict.time <= end.said or end.withdrawn:
            return state
        heard = replace(end, said=verdict.time, withdrawn=True)
        return replace(state, ended=state.ended.put(where, heard))
    if end is None:
        return _open(state, verdict, policy, now)
    # The same accusation, said again, was ended by what the ledger said of it.
    new = verdict.instance != end.instance or end.withdrawn or verdict.since > end.time
    return _open(state, verdict, policy, now) if new and verdict.time > end.said else state


def _open(state: State, verdict: Verdict, policy: Paging, now: float) -> State:
    state = _blame(state, verdict)
    return opened(
        state,
        policy,
        now,
        _facts(NodeStory(instance=verdict.instance), verdict),
        verdict.since,
        verdict.time,
        about=About(verdict.status),
        cluster=verdict.cluster,
        node=verdict.node,
        job=verdict.job.id if verdict.job else None,
        severity=verdict.severity,
        since=verdict.since,
        opened=verdict.time,
    )


def _accused(state: State, page: Page, story: NodeStory, verdict: Verdict, policy: Paging) -> State:
    state = _blame(state, verdict)
    job = verdict.job.id if verdict.job else page.job
    about = page.about if page.first is not None else About(verdict.status)
    changes: dict[str, Any] = {
        "job": job,
        "about": about,
        "word": about if page.word == page.about else page.word,
        "since": min(page.since, verdict.since),
        "story": _facts(story, verdict),
    }
    if worse(page.severity, verdict.severity) is page.severity:
        changed = replace(page, **changes)
    else:
        changed = news(page, verdict.time, severity=verdict.severity, **changes)
    return kept(state, owned(policy, changed) if job != page.job else changed, page)


def _withdrawn(state: State, page: Page, story: NodeStory, verdict: Verdict) -> State:
    story = replace(story, accused=False, said=verdict.time)
    page = replace(page, story=story)
    if story.open:
        return replace(state, pages=state.pages.put(page.key, page))
    return close(state, page, verdict.time, f"no longer accused: {verdict.status}")


def _facts(story: NodeStory, verdict: Verdict) -> NodeStory:
    return replace(
        story,
        instance=verdict.instance,
        accused=True,
        said=verdict.time,
        accusation=verdict.since,
        cause=str(verdict.cause or ""),
        device=verdict.device,
        slowdown=verdict.slowdown,
        evidence=verdict.evidence[0] if verdict.evidence else None,
    )


def _blame(state: State, verdict: Verdict) -> State:
    return jobs.blame(state, verdict) if verdict.job is not None else state


def _remember(state: State, where: str, end: Ended) -> State:
    before = state.ended.get(where)
    if before is not None and before.incident is not None and before.incident != end.incident:
        state = replace(state, incidents=state.incidents.drop(before.incident))
    ends = state.ended.put(where, end)
    state = replace(state, ended=ends)
    if ends.size <= _ENDED * 5 // 4:
        return state
    oldest = sorted(ends.items(), key=lambda pair: (pair[1].time, pair[0]))[: ends.size - _ENDED]
    gone = [old.incident for name, old in oldest if old.incident is not None and not _lives(state, name, old)]
    return replace(
        state,
        ended=ends.changed({}, [name for name, _ in oldest]),
        incidents=state.incidents.changed({}, gone),
    )


def _lives(state: State, where: str, end: Ended) -> bool:
    """Whether an alert opened a page about an incident that had ended."""
    known = node_page(state, where)
    return known is not None and known[0].incident == end.incident
