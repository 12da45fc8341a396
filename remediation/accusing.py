"""Incidents follow the verdicts, while the node is not out: opened, confirmed, closed. And the storm breaker."""

from detectors.verdict import Severity, Status, Verdict, identify
from remediation.draft import Draft
from remediation.incidents import Incident
from remediation.ledger import Act, Breaker, Opened
from remediation.picture import Look, same_machine
from remediation.rails import Ruling
from remediation.rails_amount import cool_down
from remediation.rails_evidence import verdict_age
from remediation.scene import Case
from remediation.states import NodeState
from remediation.views import NodeView

# Opened in one decision at most: a storm shows before each of its nodes has an incident.
_AT_ONCE = 16
_OPEN = 1000


def storm(draft: Draft) -> None:
    """Trip the breaker where too many nodes are accused at once."""
    look = draft.scene.look
    if look is None or draft.durable.tripped:
        return
    rule, total = draft.policy.storm, len(look.view.nodes)
    count = len(_lately_accused(draft, look))
    if count < rule.least or count < rule.share * total:
        return
    reason = f"{count} of {total} nodes were accused within {rule.window:g} s"
    number = draft.durable.breakers
    draft.write(Breaker(**draft.common, id=identify("breaker", number), tripped=True, reason=reason))
    text = f"{reason}: nothing is taken out until a person has looked and reset the breaker"
    draft.alert("storm", "critical", text, key=str(number))


def hear(draft: Draft) -> None:
    """Open, confirm and close incidents as the verdicts say."""
    for name in sorted(draft.durable.incidents):
        incident = draft.durable.incidents[name]
        if incident.state in (NodeState.HEALTHY, NodeState.SUSPECT, NodeState.CONFIRMED):
            _follow(draft, incident)
    if not draft.durable.tripped:
        _open_new(draft)


def open_incident(draft: Draft, node: NodeView, verdict: Verdict | None, key: str) -> Incident:
    """Begin an incident; `verdict` is None where a person's order does it."""
    number = sum(1 for closed in draft.durable.closed.values() if closed.node == node.name)
    instance = verdict.instance if verdict else node.instance or ""
    name = f"inc-{identify(draft.cluster, node.name, instance, key, number)}"
    draft.write(
        Opened(
            **draft.common,
            id=identify("opened", name),
            incident=name,
            node=node.name,
            instance=instance,
            identity=node.identity,
            job=verdict.job.id if verdict and verdict.job else None,
            verdict=verdict.id if verdict else "",
            cause=str((verdict.cause if verdict else None) or "unknown"),
            severity=str(verdict.severity if verdict else Severity.INFO),
            slowdown=verdict.slowdown if verdict else None,
            since=verdict.since if verdict else draft.now,
        )
    )
    return draft.durable.incidents[name]


def _follow(draft: Draft, incident: Incident) -> None:
    heard = draft.scene.heard(incident)
    busy = draft.durable.alive_for(incident.node) or (incident.job and draft.durable.alive_for(incident.job))
    if heard is None or incident.ordered is not None or busy:
        return
    if heard.verdict.status is Status.SILENT:
        return  # silence is neither guilt nor health
    if not heard.verdict.accused:
        draft.move(incident, NodeState.HEALTHY, f"no longer accused: {heard.verdict.status}")
        return
    if incident.state is NodeState.HEALTHY:
        draft.move(incident, NodeState.SUSPECT, "accused")
        return
    rule = draft.policy.confirm
    wait = rule.critical if draft.scene.severe(incident) else rule.warning
    if incident.state is NodeState.SUSPECT and draft.now - incident.moved >= wait:
        draft.move(incident, NodeState.CONFIRMED, f"the accusation has stood for {wait:g} s")


def _open_new(draft: Draft) -> None:
    look = draft.scene.look
    if look is None:
        return
    opened = 0
    for name in draft.picture.accused.names():
        if opened >= _AT_ONCE or len(draft.durable.incidents) >= _OPEN or draft.full:
            return
        opened += _open(draft, look, name)


def _open(draft: Draft, look: Look, name: str) -> bool:
    heard, node = draft.picture.heard.get(name), look.view.nodes.get(name)
    if heard is None or heard.accused is None or node is None or name in draft.durable.by_node:
        return False
    verdict = heard.verdict
    if not same_machine(node, verdict.instance, ""):
        return False
    imagined = _imagined(node, verdict, draft.now)
    case = Case(Act.CORDON, imagined, node, None)
    # What the ledger says about a machine replaces what was said of it before.
    if any(_closes(closed, verdict) for closed in draft.durable.closed.values()):
        return False
    if not verdict_age(draft.scene, case)[0]:
        return False
    rested, reason = cool_down(draft.scene, case)
    if not rested:
        draft.deny(case, Ruling("cool-down", allowed=False, reason=reason))
        return False
    draft.move(open_incident(draft, node, verdict, str(verdict.since)), NodeState.SUSPECT, "accused")
    return True


def _closes(closed: Incident, verdict: Verdict) -> bool:
    same = closed.node == verdict.node and closed.instance == verdict.instance
    return same and closed.state is NodeState.HEALTHY and verdict.since <= closed.moved


def _imagined(node: NodeView, verdict: Verdict, now: float) -> Incident:
    job = verdict.job.id if verdict.job else None
    return Incident(
        "", node.name, verdict.instance, node.identity, job, str(verdict.cause), str(verdict.severity),
        verdict.slowdown, now, NodeState.HEALTHY, now,
    )  # fmt: skip


def _lately_accused(draft: Draft, look: Look) -> set[str]:
    now, window = draft.now, draft.policy.storm.window
    reset = draft.durable.breaker.time if draft.durable.breaker is not None else None
    if reset is not None and reset > now:
        reset = None
    count = set()
    for name, since in draft.picture.accused.items():
        incident = draft.durable.of_node(name)
        # After a restart all that stands is heard at once; what has an incident is known since that began.
        begun = since if incident is None else min(since, incident.opened)
        if now - begun < window and (reset is None or begun > reset) and name in look.view.nodes:
            count.add(name)
    for incident in (*draft.durable.incidents.values(), *draft.durable.closed.values()):
        begun = incident.opened
        if incident.severity != Severity.INFO and now - begun < window and (reset is None or begun > reset):
            count.add(incident.node)
    return count
