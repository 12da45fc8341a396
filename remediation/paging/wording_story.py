"""What happened, in words: the summary and the details of each kind of page."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from detectors.plain import evidence, harmless, plain, share
from detectors.verdict import Cause, JobStatus
from remediation.alerts.notice import About, Detail
from remediation.paging.state import (
    Deed,
    JobStory,
    NodeStory,
    Page,
    Run,
    Service,
    SilentStory,
    State,
    StormStory,
    Wish,
    WordStory,
    place,
)

_NAME = 48
"""Characters of a name in a summary."""
_HOUR = 3600.0


def summary(page: Page) -> str:
    """What and where, in a line."""
    return _SUMMARIES[type(page.story)](page, page.story)


def details(state: State, page: Page, now: float) -> list[Detail]:
    """The rest, in the order of reading; what is not known is left out."""
    told = [
        ("where", _where(page)),
        ("since", moment(page.since)),
        *_DETAILS[type(page.story)](state, page, page.story, now),
    ]
    return [Detail(name, text) for name, text in told if text]


def moment(time: float) -> str:
    """Unix seconds as a date and time in UTC: a page is read in more than one place."""
    try:
        return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return f"{time:g} (no date)"


def _short(name: str) -> str:
    shown = harmless(name[:_NAME])
    return shown if len(shown) <= _NAME and len(name) <= _NAME else f"{shown[: _NAME - 1]}…"


def _names(names: Sequence[str], total: int) -> str:
    more = f" and {total - len(names)} more" if total > len(names) else ""
    return ", ".join(_short(name) for name in names) + more


def _where(page: Page) -> str:
    parts = [f"cluster {plain(page.cluster)}"] if page.cluster else []
    story = page.story
    if page.node is not None:
        parts.append(f"node {plain(page.node)}")
    if isinstance(story, NodeStory) and story.instance:
        parts.append(f"instance {plain(story.instance)}")
    if page.job is not None:
        parts.append(f"job {plain(page.job)}")
    if isinstance(story, NodeStory) and story.device is not None:
        parts.append(f"device {story.device}")
    return ", ".join(parts)


def _of_node(page: Page, story: NodeStory) -> str:
    node = _short(page.node or "a node")
    device = "" if story.device is None else f", device {story.device}"
    known = story.cause not in ("", Cause.UNKNOWN)
    cause = f": {_short(story.cause)}{device}" if known else ""
    job = f" job {_short(page.job)}" if page.job else " its job"
    if page.about is About.FAULT:
        what = f"{node} reports a hard error" + (f" in job {_short(page.job)}" if page.job else "")
    elif story.slowdown is not None:
        what = f"{node} slows{job} by {share(story.slowdown)}"
    elif known:
        what = f"{node} hurts{job}"
    else:
        what = f"{node} is looked after" + (f", of job {_short(page.job)}" if page.job else "")
    return f"{what}{cause}{_phase(story) if page.over is None else ''}"


def _phase(story: NodeStory) -> str:
    waits = "waits for approval" if story.wish is not None and story.wish.waits else ""
    service = "" if story.service is Service.ACCUSED else story.service
    refused = "guard may not act" if story.denied and not waits and not service and not story.run else ""
    told = [part for part in (waits, refused, service, story.run) if part]
    return f" ({', '.join(told)})" if told else ""


def _of_job(page: Page, story: JobStory) -> str:
    job = _short(page.job or "")
    if story.status is JobStatus.HUNG:
        return f"job {job} stands still, and no node can be named"
    slow = "" if story.slowdown is None else f" by {share(story.slowdown)}"
    return f"job {job} is slow{slow}, and no node can be named"


def _of_storm(page: Page, story: StormStory) -> str:
    cluster = _short(page.cluster)
    if not story.nodes:
        return f"storm in {cluster}: guard's breaker has tripped"
    more = " more" if story.before else ""
    nodes = f"1{more} node is" if story.nodes == 1 else f"{story.nodes}{more} nodes are"
    after = f" after {story.before} with pages of their own" if story.before else ""
    return f"storm in {cluster}: {nodes} accused{after}, so many at once that they are one page"


def _of_silent(page: Page, story: SilentStory) -> str:
    nodes = "1 node sends" if story.nodes == 1 else f"{story.nodes} nodes send"
    job = f", many of job {_short(story.job)}" if story.job else ""
    return f"{nodes} no telemetry in {_short(page.cluster)}{job}: nothing is known of them"


def _of_words(page: Page, story: WordStory) -> str:
    if page.about is About.CHANNEL:
        return f"the pager's channel {_short(story.subject)} takes nothing: {harmless(story.text)}"
    if page.about is About.BLIND and not page.cluster and not story.text:
        return "the pager has more troubles than it can keep: some are told nobody"
    if page.about is About.BLIND and not page.cluster:
        return f"guard is blind: {harmless(story.text)}"
    return harmless(story.text) or f"{page.about} {_short(story.subject)}"


def _node_details(state: State, page: Page, story: NodeStory, now: float) -> list[tuple[str, str]]:
    return [
        ("cost", _cost(state, page, story, now)),
        ("evidence", "" if story.evidence is None else evidence(story.evidence)),
        # A proposal's alert says what the proposal does.
        ("alert", harmless(story.text) if story.wish is None else ""),
        ("did", "; ".join(_deed(deed) for deed in story.deeds)),
        ("next", _wish(story.wish)),
        ("refused", harmless(story.denied)),
        ("restart", harmless(story.weighed) if story.run is Run.UNTOUCHED else ""),
        ("now", "no verdict accuses it any more; the incident is open" if story.accused is False else ""),
    ]


def _deed(deed: Deed) -> str:
    time = moment(deed.time).removesuffix(" UTC").rpartition(" ")[2]
    return f"{time} {harmless(deed.text)}" + (f": {plain(deed.result)}" if deed.result else "")


def _wish(wish: Wish | None) -> str:
    if wish is None:
        return ""
    act = f"{plain(wish.act)} {plain(wish.subject)}"
    because = f": {harmless(wish.reason)}" if wish.reason else ""
    if wish.waits:
        return f"waits for approval: {act}{because}"
    return f"guard would {act}, were its mode not {plain(wish.mode)}{because}"


def _cost(state: State, page: Page, story: NodeStory, now: float) -> str:
    if story.slowdown is None:
        return ""
    running = story.out is None and page.over is None
    end = min(
        (time for time in (story.out, page.over.time if page.over else None) if time is not None), default=now
    )
    return f"{share(story.slowdown)} of the job's speed" + _hours(state, page, story.slowdown, end, running)


def _hours(state: State, page: Page, part: float, end: float, running: bool) -> str:
    seen = state.jobs.get(place(page.cluster, page.job)) if page.job is not None else None
    if seen is None or seen.nodes <= 0:
        return ""
    each = part * seen.nodes
    so_far = each * max(0.0, end - page.since) / _HOUR
    return f"; {so_far:.3g} node-hours so far" + (f", {each:.3g} more each hour" if running else "")


def _job_details(state: State, page: Page, story: JobStory, now: float) -> list[tuple[str, str]]:
    lost = 1.0 if story.status is JobStatus.HUNG else story.slowdown
    end = now if page.over is None else page.over.time
    speed = "" if lost is None else f"{share(lost)} of the job's speed"
    hours = "" if lost is None else _hours(state, page, min(lost, 1.0), end, page.over is None)
    return [("cost", speed + hours), ("now", str(story.status)), ("reason", harmless(story.reason))]


def _storm_details(state: State, page: Page, story: StormStory, now: float) -> list[tuple[str, str]]:
    del state, page, now
    asks = "; ".join(f"{_short(ask.node)}: guard approve {plain(ask.intent)}" for ask in story.asks)
    left = f"{story.left} of {story.nodes} are still in trouble" if story.nodes else ""
    return [
        ("nodes", _names(story.names, story.nodes)),
        ("now", left),
        ("breaker", harmless(story.reason)),
        ("ledger", ", ".join(story.words)),
        ("next", f"wait for approval: {asks}" if asks else ""),
    ]


def _silent_details(state: State, page: Page, story: SilentStory, now: float) -> list[tuple[str, str]]:
    del state, page, now
    return [("nodes", _names(story.names, story.nodes))]


def _word_details(state: State, page: Page, story: WordStory, now: float) -> list[tuple[str, str]]:
    del now
    lost = page.key == state.lost_page
    text = f"{state.lost} troubles could not be kept: look at guard report fleet" if lost else harmless(story.text)
    return [("what", plain(story.subject)), ("reason", text)]


_SUMMARIES: dict[type, Callable[[Page, Any], str]] = {
    NodeStory: _of_node,
    JobStory: _of_job,
    StormStory: _of_storm,
    SilentStory: _of_silent,
    WordStory: _of_words,
}
_DETAILS: dict[type, Callable[[State, Page, Any, float], list[tuple[str, str]]]] = {
    NodeStory: _node_details,
    JobStory: _job_details,
    StormStory: _storm_details,
    SilentStory: _silent_details,
    WordStory: _word_details,
}
