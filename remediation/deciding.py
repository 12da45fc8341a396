"""`decide`: an event comes in, and with a tick of the clock records go out."""

from dataclasses import replace

from remediation import accusing, acting, clearing, ordering, picture, reconciling, verifying
from remediation.draft import Draft
from remediation.due import jobs_followed
from remediation.events import (
    Event,
    JobSaid,
    Observed,
    Ordered,
    Progressed,
    Recorded,
    Said,
    Tick,
    Unobserved,
)
from remediation.fold import fold
from remediation.ledger import Record
from remediation.policy import Policy
from remediation.state import State

ORDERS = 1000
"""Orders that may wait to be taken; what comes then is refused."""
# Seconds after which a record that was not read back is taken for lost, and decided anew under the same id.
_LOST = 30.0


def decide(state: State, event: Event, policy: Policy, now: float) -> tuple[State, tuple[Record, ...]]:
    """The state after `event`, and the records to append to the ledger, in order.

    Args:
        state: as the last call left it.
        event: what happened. Records come of a `Tick` (and of an order too many) alone.
        policy: what may be done.
        now: Unix seconds, of the leader's clock. It may jump, either way.
    """
    match event:
        case Tick():
            return _tick(state, policy, now)
        case Recorded(record, offset):
            durable = fold(state.durable, record, offset)
            return replace(state, durable=durable, waiting=state.waiting - {record.id}), ()
        case Ordered():
            return _queue(state, event, policy, now)
        case Said() | JobSaid() | Observed() | Unobserved() | Progressed():
            return replace(state, picture=_hear(state, event, now)), ()


def _hear(state: State, event: Said | JobSaid | Observed | Unobserved | Progressed, now: float) -> picture.Picture:
    match event:
        case Said(verdict):
            return picture.say(state.picture, event, now) if verdict.cluster == state.cluster else state.picture
        case JobSaid(job):
            return picture.say_of_job(state.picture, event) if job.cluster == state.cluster else state.picture
        case Observed():
            awaited = frozenset(state.durable.by_node)
            return picture.observe(state.picture, event, awaited, now)
        case Unobserved():
            return picture.unobserve(state.picture, event, now)
        case Progressed():
            return picture.progress(state.picture, event, jobs_followed(state))


def _queue(state: State, ordered: Ordered, policy: Policy, now: float) -> tuple[State, tuple[Record, ...]]:
    known = any(other.id == ordered.id for other in state.orders)
    if known or ordered.order.cluster != state.cluster:
        return state, ()
    if len(state.orders) < ORDERS:
        return replace(state, orders=(*state.orders, ordered)), ()
    draft = Draft(state, policy, now)
    if state.durable.epoch is not None:
        ordering.refuse(draft, ordered, f"{ORDERS} orders wait already")
    return state, tuple(draft.records)


def _tick(state: State, policy: Policy, now: float) -> tuple[State, tuple[Record, ...]]:
    if state.durable.epoch is None:
        return state, ()
    if state.waiting and 0 <= now - state.waiting_since <= _LOST:
        return state, ()
    draft = Draft(state, policy, now)
    left = _decide(draft, state.orders)
    waiting = frozenset(record.id for record in draft.records)
    return replace(state, orders=left, waiting=waiting, waiting_since=now), tuple(draft.records)


def _decide(draft: Draft, orders: tuple[Ordered, ...]) -> tuple[Ordered, ...]:
    taken = 0
    for ordered in orders:
        if draft.full:
            break
        ordering.take(draft, ordered)
        taken += 1
    reconciling.expire(draft)
    _blind(draft)
    clearing.clear(draft)
    # What the world and people did comes before what guard wants; the storm before what verdicts say.
    reconciling.follow(draft)
    accusing.storm(draft)
    accusing.hear(draft)
    acting.finish_restarts(draft)
    acting.act(draft)
    acting.release_leftovers(draft)
    verifying.verify(draft)
    return orders[taken:]


def _blind(draft: Draft) -> None:
    limit = draft.policy.view_age
    blind, shrunk, look = draft.picture.blind, draft.picture.shrunk, draft.picture.look
    if blind is not None and draft.now - blind[0] > limit:
        text = f"the cluster cannot be looked at since {limit:g} s: {blind[1]}"
        draft.alert("blind", "critical", text, key=str(blind[0]))
    elif shrunk is not None and look is not None and draft.now - shrunk[0] > limit:
        text = f"{look.doubtful}: not believed, nothing is done"
        draft.alert("blind", "critical", text, key=str(shrunk[0]))
