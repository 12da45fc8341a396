"""Operators' orders are taken, or refused with the reason; either way the ledger says so, once."""

from collections.abc import Callable

from detectors.nearest import hint
from detectors.verdict import identify
from remediation.accusing import open_incident
from remediation.draft import Draft
from remediation.events import Ordered
from remediation.incidents import Incident
from remediation.ledger import Applied, Breaker
from remediation.orders import ABOUT_A_PAGE, Command
from remediation.picture import same_machine
from remediation.policy import Mode
from remediation.states import TRANSITIONS, NodeState
from remediation.views import NodeView
from remediation.wanting import mode_of

_BEFORE_CORDON = frozenset({NodeState.HEALTHY, NodeState.SUSPECT, NodeState.CONFIRMED})


def take(draft: Draft, ordered: Ordered) -> None:
    """Take one order. What is for another cluster or for the pager, or was taken already, is none."""
    order = ordered.order
    if order.cluster != draft.cluster or ordered.id in draft.durable.applied or order.command in ABOUT_A_PAGE:
        return
    age = draft.now - order.time
    if abs(age) > draft.policy.order_age:
        when = f"{age:.0f} s old" if age > 0 else f"{-age:.0f} s from the future"
        refuse(draft, ordered, f"the order is {when}, at most {draft.policy.order_age:g} s will do")
        return
    reason = _TAKE[order.command](draft, ordered)
    if reason is not None:
        refuse(draft, ordered, reason)


def refuse(draft: Draft, ordered: Ordered, reason: str) -> None:
    """Write down that an order is not followed."""
    _apply(draft, ordered, None, accepted=False, reason=reason)


def _apply(
    draft: Draft,
    ordered: Ordered,
    incident: str | None,
    *,
    accepted: bool = True,
    reason: str | None = None,
    expires: float | None = None,
) -> None:
    order = ordered.order
    draft.write(
        Applied(
            **draft.common,
            id=identify("applied", ordered.id),
            incident=incident,
            order=ordered.id,
            what=order.command,
            subject=order.subject,
            by=order.by,
            accepted=accepted,
            expires=expires,
            reason=order.reason if reason is None else reason,
        )
    )


def _everything(draft: Draft, ordered: Ordered) -> str | None:
    order = ordered.order
    if order.command is Command.RESUME and draft.durable.pause(draft.now) is None:
        return "guard is not paused"
    _apply(draft, ordered, None, expires=None if order.lasts is None else order.time + order.lasts)
    return None


def _reset(draft: Draft, ordered: Ordered) -> str | None:
    if not draft.durable.tripped:
        return "the breaker has not tripped"
    by, reason = ordered.order.by, ordered.order.reason
    name = identify("breaker", draft.durable.breakers)
    _apply(draft, ordered, None)
    draft.write(Breaker(**draft.common, id=name, tripped=False, reason=reason, by=by))
    return None


def _answer(draft: Draft, ordered: Ordered) -> str | None:
    order = ordered.order
    proposed = draft.durable.proposed.get(order.subject)
    if proposed is None:
        return f"no such proposal stands{hint(order.subject, draft.durable.proposed)}; guard actions shows them"
    mode = mode_of(draft.scene, proposed.act)
    if order.command is Command.APPROVE and mode is not Mode.APPROVE:
        return f"the mode of {proposed.act} is {mode}: there is nothing to approve"
    expires = draft.now + draft.policy.approval if order.command is Command.APPROVE else None
    _apply(draft, ordered, proposed.incident, expires=expires)
    return None


def _give_back(draft: Draft, ordered: Ordered) -> str | None:
    incident = draft.durable.of_node(ordered.order.subject)
    if incident is None:
        open_ones = [one.node for one in draft.durable.incidents.values()]
        return f"guard has no incident about this node{hint(ordered.order.subject, open_ones)}"
    _apply(draft, ordered, incident.id)
    return None


def _hold(draft: Draft, ordered: Ordered) -> str | None:
    found = _incident(draft, ordered)
    if isinstance(found, str):
        return found
    incident = found
    if incident.state is not NodeState.HELD and NodeState.HELD not in TRANSITIONS[incident.state]:
        return f"the node is {incident.state}"
    _apply(draft, ordered, incident.id)
    if incident.state is not NodeState.HELD:
        draft.move(incident, NodeState.HELD, f"held by {ordered.order.by}")
    return None


def _cordon(draft: Draft, ordered: Ordered) -> str | None:
    node = _node(draft, ordered.order.subject)
    if isinstance(node, str):
        return node
    if node.cordoned and draft.durable.of_node(node.name) is None:
        return f"it is cordoned already: {node.reason[:100]}"
    found = _incident(draft, ordered)
    if isinstance(found, str):
        return found
    if found.state not in _BEFORE_CORDON:
        return f"the node is {found.state} already"
    _apply(draft, ordered, found.id)
    if found.state is not NodeState.CONFIRMED:
        draft.move(found, NodeState.CONFIRMED, f"ordered by {ordered.order.by}")
    return None


def _incident(draft: Draft, ordered: Ordered) -> Incident | str:
    there = draft.durable.of_node(ordered.order.subject)
    if there is not None:
        return there
    node = _node(draft, ordered.order.subject)
    if isinstance(node, str):
        return node
    heard = draft.picture.heard.get(node.name)
    verdict = heard.verdict if heard is not None and heard.verdict.accused else None
    if verdict is not None and not same_machine(node, verdict.instance, ""):
        verdict = None
    return open_incident(draft, node, verdict, ordered.id)


def _node(draft: Draft, name: str) -> NodeView | str:
    look = draft.scene.look
    if look is None:
        return f"{draft.scene.why_blind()}: order it again"
    return look.view.nodes.get(name) or f"the cluster has no such node{hint(name, look.view.nodes)}"


_TAKE: dict[Command, Callable[[Draft, Ordered], str | None]] = {
    Command.APPROVE: _answer,
    Command.REJECT: _answer,
    Command.HOLD: _hold,
    Command.RELEASE: _give_back,
    Command.UNCORDON: _give_back,
    Command.CORDON: _cordon,
    Command.PAUSE: _everything,
    Command.RESUME: _everything,
    Command.BREAKER_RESET: _reset,
}
