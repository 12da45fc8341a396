"""Incidents follow the world: what is seen of a node moves its incident, whoever did it."""

from detectors.verdict import identify
from remediation.draft import Draft
from remediation.incidents import Incident
from remediation.ledger import Act, Outcome, Result
from remediation.orders import Command
from remediation.picture import ENOUGH_LOOKS, Look, same_machine
from remediation.scene import SURELY_LATER
from remediation.states import NodeState
from remediation.views import NodeView

GIVING_BACK = frozenset({Command.RELEASE, Command.UNCORDON})
# What the shell should have told is waited for this much longer.
_GRACE = 30.0
_IN_REPAIR = frozenset({NodeState.REPAIRING, NodeState.REPLACING})
_NOT_OUT = frozenset({NodeState.HEALTHY, NodeState.SUSPECT, NodeState.CONFIRMED})


def follow(draft: Draft) -> None:
    """Move every open incident to where the world says it is."""
    look = draft.scene.look
    if look is None:
        return
    for name in sorted(draft.durable.incidents):
        incident = draft.durable.incidents[name]
        there = look.view.nodes.get(incident.node)
        if there is None:
            _missing(draft, incident)
            continue
        node = draft.scene.node(incident)
        if node is None:
            _another(draft, incident, there)
        elif incident.state in _NOT_OUT:
            _not_out(draft, incident, node, look)
        else:
            _out(draft, incident, node)


def expire(draft: Draft) -> None:
    """End intents of which nobody has told how they ended, long after they should have."""
    for name in sorted(draft.durable.alive):
        intent = draft.durable.alive[name]
        over = draft.now > intent.expires + intent.deadline + _GRACE
        if not over and draft.now >= intent.time - 60:
            continue
        detail = "nobody told how it ended" if over else "the clock was set back"
        draft.write(
            Outcome(
                **draft.common,
                id=identify("outcome", name, Result.EXPIRED),
                incident=intent.incident,
                intent=name,
                result=Result.EXPIRED,
                detail=detail,
            )
        )


def _missing(draft: Draft, incident: Incident) -> None:
    since, looks = draft.picture.absent.get(incident.node, (draft.now, 0))
    if looks >= ENOUGH_LOOKS and draft.now - since >= draft.policy.gone:
        draft.move(incident, NodeState.GONE, f"not seen in the cluster for {draft.now - since:.0f} s")


def _another(draft: Draft, incident: Incident, there: NodeView) -> None:
    rebooted = incident.state in _IN_REPAIR and same_machine(there, incident.instance, "")
    if not rebooted or incident.state is NodeState.REPLACING:
        draft.move(incident, NodeState.GONE, "another machine has its name now")
    elif there.cordoned:
        draft.move(incident, NodeState.HELD, "started anew by its repair; a person must look")
    else:
        draft.move(incident, NodeState.HEALTHY, "the cluster gave it back after its repair")


def _not_out(draft: Draft, incident: Incident, node: NodeView, look: Look) -> None:
    if node.cordoned and node.incident == incident.id:
        if incident.state is not NodeState.CONFIRMED:
            draft.move(incident, NodeState.CONFIRMED, "our cordon stands on it")
        draft.move(incident, NodeState.CORDONED, "our cordon is seen")
        draft.move(incident, NodeState.DRAINING, "waits for its work to leave")
        return
    tried = draft.durable.tried(incident.id, Act.CORDON, incident.node)
    last = tried[-1] if tried else None
    if last is None or last.result is not Result.DONE or last.ended is None or node.cordoned:
        return
    if look.time - last.ended >= SURELY_LATER:
        draft.move(incident, NodeState.HEALTHY, "its cordon was taken off at once: a person's word stands")


def _out(draft: Draft, incident: Incident, node: NodeView) -> None:
    if not incident.stamped:
        return
    if not node.cordoned:
        ordered = incident.ordered is not None and incident.ordered.what in GIVING_BACK
        reason = "given back as ordered" if ordered else "a person took its cordon off: that stands"
        draft.move(incident, NodeState.HEALTHY, reason)
    elif node.incident != incident.id:
        if incident.state is not NodeState.HELD:
            draft.move(incident, NodeState.HELD, f"its cordon is somebody else's now: {node.reason[:100]}")
    elif incident.state is NodeState.CORDONED:
        draft.move(incident, NodeState.DRAINING, "waits for its work to leave")
