"""Somebody looks after a page: from then on only what cannot wait is told."""

from msgspec.structs import replace

from remediation.orders import Command, Order
from remediation.paging.pages import kept
from remediation.paging.state import Acknowledged, NodeStory, Page, State


def hear_order(state: State, order: Order) -> State:
    """The state after an operator's order; the key of a page, a node or a job says which pages are meant."""
    if order.command is not Command.ACKNOWLEDGE or not order.subject:
        return state
    pages = (page for _, page in state.pages.items())
    meant = {page.key for page in pages if _meant(page, order)}
    for key in sorted(_told_in(state, key) for key in meant):
        page = state.pages.get(key)
        if page is not None and _new(page, order):
            state = kept(state, _acknowledged(page, order))
    return state


def _meant(page: Page, order: Order) -> bool:
    # guard's own pages, such as one about a source, belong to no cluster.
    here = page.cluster in (order.cluster, "")
    return here and page.over is None and order.subject in (page.key, page.node, page.job)


def _told_in(state: State, key: str) -> str:
    page = state.pages.get(key)
    storm = page.story.storm if page is not None and isinstance(page.story, NodeStory) else None
    return storm or key


def _new(page: Page, order: Order) -> bool:
    known = page.acknowledged
    return page.over is None and (known is None or (order.time > known.time and order.by != known.by))


def _acknowledged(page: Page, order: Order) -> Page:
    number = page.number + (page.first is not None)
    known = Acknowledged(order.by, order.time, number, order.reason)
    return replace(page, number=number, acknowledged=known, changed=max(page.changed, order.time))
