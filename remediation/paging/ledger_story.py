"""What the ledger tells: incidents that open, change and end the pages of their nodes."""

from typing import Any

from msgspec.structs import replace

from detectors.plain import plain
from detectors.verdict import Cause, Severity
from remediation.alerts.notice import About
from remediation.fold import CLOSING
from remediation.ledger import Alert, Applied, Breaker, Cleared, Denied, Leader, Moved, Opened, Outcome, Record
from remediation.paging import ledger_alerts, storms
from remediation.paging.events import Entered
from remediation.paging.ledger_deeds import STEPS
from remediation.paging.nodes import close, opened
from remediation.paging.pages import (
    LONGEST,
    cluster_of,
    kept,
    lost,
    news,
    node_page,
    owned,
    room,
    severity_of,
    with_cluster,
)
from remediation.paging.policy import Paging
from remediation.paging.state import NodeStory, Page, State, place

_RECENT = 512
"""Records remembered, by which a repeat is known."""
_FACTS = frozenset({Leader, Outcome, Alert, Cleared, Breaker, Applied})
"""They count whoever wrote them, as in `remediation.fold`; all else only under its leader."""


def hear_record(state: State, event: Entered, policy: Paging, now: float) -> State:
    """The state after a record of the ledger. One heard before, or of a leader that was replaced, is none."""
    record = event.record
    mark = f"{record.id}:{record.time!r}"
    if mark in state.recent:
        return state
    state = replace(state, recent=(*state.recent, mark)[-_RECENT:])
    epoch = event.offset if isinstance(record, Leader) else record.epoch
    led = cluster_of(state, record.cluster).epoch
    if epoch is not None and epoch > led:
        state = with_cluster(state, record.cluster, epoch=epoch)
    elif epoch is not None and epoch < led and type(record) not in _FACTS:
        return state
    if isinstance(record, Alert):
        return ledger_alerts.hear_alert(state, record, policy, now)
    if isinstance(record, Breaker):
        return storms.turn(state, record, policy, now)
    if isinstance(record, Opened):
        return _open(state, record, policy, now)
    return _follow(state, record)


def _follow(state: State, record: Record) -> State:
    if isinstance(record, Cleared):
        return ledger_alerts.cleared(state, record)
    if isinstance(record, Moved) and record.after in CLOSING:
        return _close(state, record)
    step = STEPS.get(type(record))
    known = _page(state, record)
    if step is None or known is None:
        return state
    return _told(state, known[0], step(*known, record), record)


def _page(state: State, record: Record) -> tuple[Page, NodeStory] | None:
    where = state.incidents.get(record.incident) if record.incident else None
    if where is not None:
        known = node_page(state, where)
        return known if known is not None and known[0].incident == record.incident else None
    # A refusal before there is an incident names the node alone.
    return node_page(state, place(record.cluster, record.subject)) if isinstance(record, Denied) else None


def _told(state: State, before: Page, page: Page, record: Record) -> State:
    state = kept(state, page, before)
    story = page.story
    if not isinstance(story, NodeStory) or story.storm is None:
        return state
    waits = story.wish is not None and story.wish.waits
    return storms.heard_of_member(state, page, story, "proposed" if waits else "", record.time)


def _open(state: State, record: Opened, policy: Paging, now: float) -> State:
    node, instance, incident = record.node[:LONGEST], record.instance[:LONGEST], record.incident
    if not incident or state.incidents.get(incident) is not None:
        return state
    where = place(record.cluster, node)
    known = node_page(state, where)
    if known is not None:
        page, story = known
        if not story.instance or not instance or story.instance == instance:
            return _join(state, page, story, record, policy)
        if record.time <= story.said:
            return state  # another machine has the name by now
        state = close(state, page, record.time, f"replaced by {plain(instance)}")
    end = state.ended.get(where)
    if not room(state):
        return lost(state)
    state = replace(state, incidents=state.incidents.put(incident, where))
    if end is not None and end.instance == instance and record.time <= end.time:
        if end.incident is not None:
            state = replace(state, incidents=state.incidents.drop(end.incident))
        heard = replace(end, incident=incident, open=True)
        return replace(state, ended=state.ended.put(where, heard))
    story = NodeStory(
        instance=instance,
        said=record.since,
        accusation=record.since,
        open=True,
        cause=record.cause[:LONGEST],
        slowdown=record.slowdown,
    )
    return opened(
        state,
        policy,
        now,
        story,
        incident,
        about=About.FAULT if record.cause == Cause.DEVICE else About.STRAGGLER,
        cluster=record.cluster,
        node=node,
        job=record.job[:LONGEST] if record.job else None,
        incident=incident,
        severity=severity_of(record.severity),
        since=record.since,
        opened=record.time,
    )


def _join(state: State, page: Page, story: NodeStory, record: Opened, policy: Paging) -> State:
    incident = record.incident or ""
    incidents = state.incidents.drop(page.incident) if page.incident else state.incidents
    state = replace(state, incidents=incidents.put(incident, place(page.cluster, page.node or "")))
    changes = {
        "incident": incident,
        "job": page.job or (record.job[:LONGEST] if record.job else None),
        "since": min(page.since, record.since),
        "story": replace(
            story,
            open=True,
            instance=story.instance or record.instance[:LONGEST],
            cause=story.cause or record.cause[:LONGEST],
            slowdown=record.slowdown if story.slowdown is None else story.slowdown,
        ),
    }
    changed = _raised(page, record.time, severity_of(record.severity), changes)
    return kept(state, owned(policy, changed), page)


def _raised(page: Page, time: float, severity: Severity, changes: dict[str, Any]) -> Page:
    risen = news(page, time, severity=severity)
    return replace(risen if risen.severity is not page.severity else page, **changes)


def _close(state: State, record: Moved) -> State:
    incident = record.incident or ""
    where = state.incidents.get(incident)
    if where is None:
        return ledger_alerts.incident_closed(state, record)
    known, end = node_page(state, where), state.ended.get(where)
    if known is not None and known[0].incident == incident:
        page, story = known
        if story.accused and story.accusation > record.time:
            return _detached(state, page, story, record.time)
        return close(state, page, record.time, record.reason[:LONGEST])
    if end is not None and end.incident == incident:
        return replace(state, ended=state.ended.put(where, replace(end, open=False)))
    return state


def _detached(state: State, page: Page, story: NodeStory, time: float) -> State:
    """An older trouble of the node is over; what stands began after that."""
    fresh = NodeStory(
        instance=story.instance,
        accused=True,
        said=story.said,
        accusation=story.accusation,
        cause=story.cause,
        device=story.device,
        slowdown=story.slowdown,
        evidence=story.evidence,
        denied_told=story.denied_told,
        storm=story.storm,
    )
    changes: dict[str, Any] = {"incident": None, "word": page.about, "since": story.accusation, "story": fresh}
    busy = (story.service, story.run, story.wish) != (fresh.service, fresh.run, fresh.wish)
    changed = news(page, time, **changes) if busy else replace(page, **changes)
    incidents = state.incidents.drop(page.incident) if page.incident else state.incidents
    return kept(replace(state, incidents=incidents), changed, page)
