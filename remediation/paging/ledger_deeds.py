"""What guard did with a node, would do, or may not: each record of the ledger as a change of the node's page."""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from detectors.plain import lasting, plain
from remediation.ledger import (
    Act,
    Applied,
    Checkpointed,
    Denied,
    Intent,
    Moved,
    Outcome,
    Proposed,
    Record,
    Result,
    Verified,
    Weighed,
)
from remediation.orders import Command
from remediation.paging.pages import LONGEST, news
from remediation.paging.state import DEEDS, Deed, NodeStory, Page, Run, Service, Wish
from remediation.states import OUT_OF_SERVICE, NodeState

_WORDS = {Service.HELD: "held"}
"""Runbooks of their own; else what the page is about has it."""


def _moved(page: Page, story: NodeStory, record: Moved) -> Page:
    out = record.after in OUT_OF_SERVICE or record.after is NodeState.PROBATION
    service = Service.HELD if record.after is NodeState.HELD else Service.OUT if out else Service.ACCUSED
    if service is story.service:
        return page
    gone = story.out if story.out is not None else record.time
    # What was asked for in the state before is no longer wanted; what still is, is proposed anew.
    changed = replace(story, service=service, out=gone if out else None, wish=None)
    return news(page, record.time, story=changed, word=_WORDS.get(service, page.about))


def _intended(page: Page, story: NodeStory, record: Intent) -> Page:
    approved = f", approved by {plain(record.approved_by)}" if record.approved_by else ""
    again = "" if record.attempt == 1 else f", try {record.attempt}"
    deed = Deed(record.time, f"{record.act} {plain(record.subject)}{again}{approved}", record.id, record.act)
    wish = story.wish
    answered = wish is not None and (wish.intent == record.id or wish.act == record.act)
    changed = _with(replace(story, wish=None if answered else wish, denied="", text=""), deed)
    if record.act is Act.CHECKPOINT and story.run is not Run.CHECKPOINTING:
        return news(page, record.time, story=replace(changed, run=Run.CHECKPOINTING), word=_calm(page, answered))
    if answered:
        return news(page, record.time, story=changed, word=_calm(page, answered))
    return replace(page, story=changed)


def _outcome(page: Page, story: NodeStory, record: Outcome) -> Page:
    deeds = tuple(
        replace(deed, result=record.result) if deed.intent == record.intent else deed for deed in story.deeds
    )
    act = next((deed.act for deed in story.deeds if deed.intent == record.intent), "")
    changed = replace(story, deeds=deeds)
    if act == Act.RESTART and record.result is Result.DONE and story.run is not Run.RESTARTED:
        return news(page, record.time, story=replace(changed, run=Run.RESTARTED))
    return replace(page, story=changed)


def _denied(page: Page, story: NodeStory, record: Denied) -> Page:
    text = f"{record.act} {plain(record.subject)}: {plain(record.rail)}: {record.reason}"[:LONGEST]
    changed = replace(story, denied=text, denied_told=True)
    return replace(page, story=changed) if story.denied_told else news(page, record.time, story=changed)


def _proposed(page: Page, story: NodeStory, record: Proposed) -> Page:
    waits = record.mode == "approve"
    wish = Wish(
        record.intent[:LONGEST],
        record.act,
        record.subject[:LONGEST],
        waits,
        record.mode[:LONGEST],
        record.reason[:LONGEST],
    )
    asked = story.wish
    same = asked is not None and (asked.intent, asked.waits) == (wish.intent, waits)
    # What waits for a person is not hidden by what guard only would do.
    if same or (asked is not None and asked.waits and not waits):
        return page
    return news(page, record.time, loud=waits, story=replace(story, wish=wish), word="proposed")


def _weighed(page: Page, story: NodeStory, record: Weighed) -> Page:
    answer = "worth a restart" if record.worth else "not worth a restart"
    text = f"{answer}: it saves {lasting(record.saved)} of {lasting(record.remaining)} left"
    return replace(page, story=replace(story, weighed=text))


def _checkpointed(page: Page, story: NodeStory, record: Checkpointed) -> Page:
    text = "checkpoint complete" if record.complete else "checkpoint no longer waited for"
    because = f": {record.reason[:LONGEST]}" if record.reason else ""
    return replace(page, story=_with(story, Deed(record.time, f"{text}{because}")))


def _verified(page: Page, story: NodeStory, record: Verified) -> Page:
    run = Run.VERIFIED if record.fine else Run.UNVERIFIED
    deed = Deed(record.time, f"{run}: {record.reason[:LONGEST]}")
    changed = replace(_with(story, deed), run=run)
    word = page.word if record.fine else "unverified"
    return replace(page, story=changed) if run is story.run else news(page, record.time, story=changed, word=word)


def _applied(page: Page, story: NodeStory, record: Applied) -> Page:
    answer = "" if record.accepted else " refused"
    deed = Deed(record.time, f"{plain(record.what)} ordered by {plain(record.by)}{answer}")
    changed = _with(story, deed)
    wish = story.wish
    if wish is not None and record.accepted and record.what == Command.REJECT and record.subject == wish.intent:
        return news(page, record.time, story=replace(changed, wish=None), word=_calm(page, True))
    return replace(page, story=changed)


def _calm(page: Page, answered: bool) -> str:
    return page.about if answered and page.word == "proposed" else page.word


def _with(story: NodeStory, deed: Deed) -> NodeStory:
    return replace(story, deeds=(*story.deeds, deed)[-DEEDS:])


STEPS: dict[type[Record], Callable[[Page, NodeStory, Any], Page]] = {
    Moved: _moved,
    Intent: _intended,
    Outcome: _outcome,
    Denied: _denied,
    Proposed: _proposed,
    Weighed: _weighed,
    Checkpointed: _checkpointed,
    Verified: _verified,
    Applied: _applied,
}
"""What a record makes of the page of its incident's node."""
