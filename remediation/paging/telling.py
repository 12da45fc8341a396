"""From pages to letters: who is to be told which state of which page now."""

from msgspec import Struct
from msgspec.structs import replace

from remediation.alerts.notice import Kind, Notice
from remediation.paging import seeing, storms
from remediation.paging.pages import forgotten
from remediation.paging.policy import Paging
from remediation.paging.routes import Routing
from remediation.paging.state import NodeStory, Page, State
from remediation.paging.wording import notice


class Letter(Struct, frozen=True):
    """One notice for one channel."""

    channel: str
    notice: Notice


def tell(state: State, policy: Paging, channels: tuple[str, ...], now: float) -> tuple[State, tuple[Letter, ...]]:
    """What is to be told now, and the state after that."""
    state = seeing.look(state, policy, channels, now)
    routing = Routing(policy, channels, now)
    # Hours came or went, or the configuration changed: each page may concern others than before.
    everything = routing.regime != state.regime
    if everything:
        state = replace(state, regime=routing.regime)
    state = storms.gather(state, _ripe(_looked_at(state, everything), routing, policy, now), policy, now)
    letters: list[Letter] = []
    for page in _looked_at(state, everything):
        state, told = _tell(state, page, routing, policy, now)
        letters += told
    return state, tuple(letters)


def standing(state: State, policy: Paging, now: float) -> tuple[Notice, ...]:
    """The present state of each page that is not over; the oldest first."""
    pages = [page for page in _in_order(state, list(state.pages.names())) if page.over is None]
    return tuple(
        notice(state, page, policy, now, kind=_kind(page), number=page.number)
        for page in sorted(pages, key=lambda page: (page.since, page.key))
        if page.first is not None or _ready(page, policy, now)
    )


def _looked_at(state: State, everything: bool) -> list[Page]:
    return _in_order(state, list((state.pages if everything else state.restless).names()))


def _in_order(state: State, keys: list[str]) -> list[Page]:
    pages = [page for page in (state.pages.get(key) for key in keys) if page is not None and not _in_storm(page)]
    return sorted(pages, key=lambda page: (page.changed, page.key))


def _in_storm(page: Page) -> bool:
    return isinstance(page.story, NodeStory) and page.story.storm is not None


def _ripe(pages: list[Page], routing: Routing, policy: Paging, now: float) -> list[Page]:
    return [page for page in pages if page.first is None and _ready(page, policy, now) and not routing.quiet(page)]


def _ready(page: Page, policy: Paging, now: float) -> bool:
    # No page waits longer than this: one that seems to was opened before the clock was set back.
    longest = max(policy.gather, policy.slow)
    return page.ready <= now or page.ready - now > longest


def _tell(state: State, page: Page, routing: Routing, policy: Paging, now: float) -> tuple[State, list[Letter]]:
    if page.first is None and not _ready(page, policy, now):
        return state, []
    quiet = routing.quiet(page)
    # A page that is over is told to those who heard of it; if nobody did, to those whom it concerns.
    fresh = () if quiet or (page.over is not None and page.told) else routing.channels(page)
    told = dict(page.told)
    first = page.first or (page.severity if fresh else None)
    page = replace(page, first=first)
    letters: list[Letter] = []
    for name in sorted({*fresh, *(name for name in told if routing.known(name))}):
        for kind, number in _states(page, told.get(name)):
            letters.append(Letter(name, notice(state, page, policy, now, kind=kind, number=number)))
            told[name] = number
    if page.over is not None:
        return forgotten(state, page.key), letters
    pages = state.pages.put(page.key, replace(page, told=told)) if letters else state.pages
    return replace(state, pages=pages, restless=state.restless.drop(page.key)), letters


def _states(page: Page, told: int | None) -> list[tuple[Kind, int]]:
    """What a channel has to hear that was told the state of this number; None: nothing."""
    states: list[tuple[Kind, int]] = []
    if told is None:
        told = page.number if page.over is None else page.number - 1
        states.append((Kind.TRIGGER, told))
    known = page.acknowledged
    if known is not None and told < known.number:
        states.append((Kind.ACKNOWLEDGE, known.number))
        told = known.number
    if told < page.number:
        states.append((Kind.RESOLVE if page.over is not None else Kind.UPDATE, page.number))
    return states


def _kind(page: Page) -> Kind:
    if page.first is None:
        return Kind.TRIGGER
    return Kind.UPDATE if page.acknowledged is None else Kind.ACKNOWLEDGE
