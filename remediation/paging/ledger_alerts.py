"""Alerts of the ledger: pages of their own, or news of a node's page."""

import re
from typing import Any

from msgspec.structs import replace

from remediation.alerts.notice import About
from remediation.ledger import Alert, Cleared, Moved
from remediation.paging import storms
from remediation.paging.nodes import opened
from remediation.paging.pages import (
    LONGEST,
    ended,
    kept,
    key_of,
    lost,
    news,
    node_page,
    owned,
    room,
    severity_of,
    worse,
)
from remediation.paging.policy import Paging
from remediation.paging.state import Ended, NodeStory, Page, Run, State, WordStory

_OWN = {"blind": About.BLIND, "halted": About.HALTED, "leftover": About.LEFTOVER}
_IMPLIED = frozenset({"held", "proposed", "unverified"})
"""A record beside the alert says the same."""
_LATE = 100
_WORD = re.compile(r"[a-z][a-z0-9-]{0,40}")


def hear_alert(state: State, record: Alert, policy: Paging, now: float) -> State:
    """The state after an alert."""
    if record.about == About.STORM:
        return storms.alarm(state, record, policy, now)
    where = state.incidents.get(record.incident) if record.incident else None
    if record.about in _OWN or where is None:
        return _own(state, record, policy, now)
    known, end = node_page(state, where), state.ended.get(where)
    if known is not None and known[0].incident == record.incident:
        return _news(state, *known, record)
    if known is None and end is not None and end.incident == record.incident:
        return _late(state, record, end, policy, now)
    return _own(state, record, policy, now)


def cleared(state: State, record: Cleared) -> State:
    """The state after an alert's end was seen."""
    return _over(state, record.alert, record.time, record.reason)


def incident_closed(state: State, record: Moved) -> State:
    """The state after the end of an incident that was not known when an alert spoke of it."""
    return _over(state, _incident(record.incident or ""), record.time, record.reason)


def _over(state: State, name: str, time: float, reason: str) -> State:
    key = state.alerts.get(name)
    page = state.pages.get(key) if key is not None else None
    if page is None:
        return replace(state, alerts=state.alerts.drop(name))
    names = [other for other, its in state.alerts.items() if its == key]
    return ended(replace(state, alerts=state.alerts.changed({}, names)), page, time, reason[:LONGEST])


def _news(state: State, page: Page, story: NodeStory, record: Alert) -> State:
    word = _word(record.about, page.about)
    severity = severity_of(record.severity)
    changes: dict[str, Any] = {"word": word, "story": replace(story, text=record.text[:LONGEST])}
    if word == "unverified":
        changes["story"] = replace(changes["story"], run=Run.UNVERIFIED)
    known = word == page.word and word in _IMPLIED and worse(page.severity, severity) is page.severity
    changed = replace(page, **changes) if known else news(page, record.time, severity=severity, **changes)
    state = kept(state, changed, page)
    return state if story.storm is None else storms.heard_of_member(state, page, story, word, record.time)


def _late(state: State, record: Alert, end: Ended, policy: Paging, now: float) -> State:
    node = _node(state, record)
    state = opened(
        state,
        policy,
        now,
        NodeStory(instance=end.instance, said=end.said, open=end.open, text=record.text[:LONGEST]),
        record.id,
        record.time,
        about=About.STRAGGLER,
        cluster=record.cluster,
        node=node,
        job=end.job,
        incident=record.incident,
        severity=severity_of(record.severity),
        since=record.time,
        opened=record.time,
    )
    known = node_page(state, state.incidents.get(record.incident or "") or "")
    if known is None:
        return state
    page = replace(known[0], word=_word(record.about, About.STRAGGLER), brief=None)
    return replace(kept(state, page), late=(*state.late, page.key)[-_LATE:])


def _node(state: State, record: Alert) -> str:
    """The name of the incident's node: its place is the length of the cluster's name, that name, and its own."""
    where = state.incidents.get(record.incident or "") or ""
    return where[len(f"{len(record.cluster)}:{record.cluster}/") :]


def _own(state: State, record: Alert, policy: Paging, now: float) -> State:
    if state.alerts.get(record.id) is not None:
        return state
    beside = state.pages.get(state.alerts.get(_incident(record.incident or "")) or "")
    if beside is not None and record.about not in _OWN:
        return _more(state, beside, record)
    if not room(state):
        return lost(state)
    about = _OWN.get(record.about, About.FAULT)
    subject = record.subject[:LONGEST]
    page = Page(
        key=key_of("alert", record.cluster, record.id, record.time),
        about=about,
        cluster=record.cluster,
        node=subject or None if about is About.LEFTOVER else None,
        job=subject or None if about is About.HALTED else None,
        incident=record.incident,
        severity=severity_of(record.severity),
        since=record.time,
        opened=record.time,
        ready=now + policy.gather,
        changed=record.time,
        word=_word(record.about, about),
        story=WordStory(subject=subject, text=record.text[:LONGEST]),
    )
    alerts = state.alerts.put(record.id, page.key)
    if record.incident and record.about not in _OWN:
        alerts = alerts.put(_incident(record.incident), page.key)
    return kept(replace(state, alerts=alerts), owned(policy, page))


def _more(state: State, page: Page, record: Alert) -> State:
    """The state after one more alert of an incident that is not known but by its alerts."""
    word, story = (
        _word(record.about, page.about),
        WordStory(subject=record.subject[:LONGEST], text=record.text[:LONGEST]),
    )
    changed = news(page, record.time, severity=severity_of(record.severity), word=word, story=story)
    return kept(replace(state, alerts=state.alerts.put(record.id, page.key)), changed, page)


def _incident(name: str) -> str:
    return f"incident:{name}"


def _word(word: str, otherwise: str) -> str:
    return word if _WORD.fullmatch(word) else otherwise
