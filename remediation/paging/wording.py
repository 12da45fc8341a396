"""A page in words: printable, bounded, in the order of reading."""

import shlex

from detectors.plain import harmless, plain
from detectors.verdict import identify
from remediation.alerts.notice import Detail, Kind, Notice
from remediation.paging.policy import Paging
from remediation.paging.state import JobStory, NodeStory, Page, SilentStory, State, StormStory, WordStory
from remediation.paging.wording_story import details, moment, summary

SUMMARY = 200
"""Characters of a summary."""
TEXT = 1000
"""Characters of one detail."""


def notice(state: State, page: Page, policy: Paging, now: float, *, kind: Kind, number: int) -> Notice:
    """The page as it is told: a state of it, named by kind and number."""
    story = page.story
    over = page.over if kind is Kind.RESOLVE else None
    told = [*details(state, page, now), *_acknowledged(page)]
    if over is not None:
        told.insert(0, Detail("over", f"{moment(over.time)}: {over.reason}"))
    word = page.about if kind is Kind.TRIGGER and page.over is not None else page.word
    return Notice(
        id=identify(page.key, number),
        page=page.key,
        number=number,
        kind=kind,
        about=page.about,
        cluster=plain(page.cluster),
        node=None if page.node is None else plain(page.node),
        instance=plain(story.instance) if isinstance(story, NodeStory) and story.instance else None,
        job=None if page.job is None else plain(page.job),
        team=None if page.team is None else plain(page.team),
        severity=page.severity,
        first_severity=page.first or page.severity,
        time=over.time if over is not None else page.changed,
        since=page.since,
        summary=cut(summary(page), SUMMARY),
        details=tuple(Detail(detail.name, cut(detail.text, TEXT)) for detail in told),
        approve=None if page.over is not None else _approve(page),
        look=_look(page),
        runbook=word,
        runbook_url=None if policy.runbooks is None else f"{policy.runbooks.rstrip('/')}/{word}.md",
        incident=None if page.incident is None else plain(page.incident),
    )


def cut(text: str, limit: int) -> str:
    """Harmless text of at most so many characters."""
    shown = harmless(text[:limit])
    return shown if len(shown) <= limit and len(text) <= limit else f"{shown[: limit - 1]}…"


def command(*words: str, name: str) -> str:
    """A command of guard about something that has a name from outside."""
    shown = plain(name)
    option = ("--",) if shown.startswith("-") else ()
    return " ".join(("guard", *words, *option, shlex.quote(shown)))


def _acknowledged(page: Page) -> list[Detail]:
    known = page.acknowledged
    if known is None:
        return []
    because = f": {known.reason}" if known.reason else ""
    return [Detail("acknowledged", f"by {plain(known.by)} at {moment(known.time)}{because}")]


def _approve(page: Page) -> str | None:
    story = page.story
    if isinstance(story, NodeStory) and story.wish is not None and story.wish.waits:
        return command("approve", name=story.wish.intent)
    if isinstance(story, StormStory) and story.asks:
        return command("approve", name=story.asks[0].intent)
    return None


def _look(page: Page) -> str:
    story = page.story
    if page.node is not None:
        return command("explain", name=page.node)
    if isinstance(story, JobStory) or page.job is not None:
        return command("report", "job", name=page.job or "")
    if isinstance(story, StormStory | SilentStory):
        return "guard report fleet"
    if isinstance(story, WordStory) and page.about == "channel":
        return command("page", "test", name=story.subject)
    return "guard check"
