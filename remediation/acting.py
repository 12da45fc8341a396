"""What is wanted for each incident: a cordon, a restart, a repair, a release."""

from collections.abc import Callable
from dataclasses import replace

from detectors.verdict import Cause, Status, identify
from remediation.checkpointing import ready
from remediation.draft import Draft
from remediation.economy import weigh, whole
from remediation.incidents import Incident
from remediation.ledger import Act, Result, Weighed
from remediation.orders import Command
from remediation.picture import same_machine
from remediation.policy import RepairChoice
from remediation.rails import rulings
from remediation.reconciling import GIVING_BACK
from remediation.scene import Case
from remediation.states import NodeState
from remediation.wanting import permitted, want

# A repair that has not ended after this many seconds is a person's.
_REPAIR = 7200.0
_WEIGHED_EVERY = 60.0
# What is not yet so when a checkpoint is asked for, and will be when the restart is.
_LATER = frozenset({"foreign-cordon", "checkpoint-age"})


def act(draft: Draft) -> None:
    """Want what each open incident needs; the most severe first."""
    scene = draft.scene
    order = sorted(draft.durable.incidents.values(), key=lambda i: (not scene.severe(i), i.opened, i.id))
    for incident in order:
        if draft.full:
            return
        if incident.ordered is not None and incident.ordered.what in GIVING_BACK:
            _give_back(draft, incident)
        elif incident.state in _WANTS:
            _WANTS[incident.state](draft, incident)


def finish_restarts(draft: Draft) -> None:
    """Start jobs again that a restart of ours has stopped, whatever became of the incident since."""
    look = draft.scene.look
    if look is None:
        return
    for name, number in sorted(draft.durable.verifying):
        intent, job = draft.durable.verifying[name, number], look.view.jobs.get(name)
        known = intent.incident or ""
        incident = draft.durable.incidents.get(known) or draft.durable.closed.get(known)
        if incident is None or job is None or not job.halted or job.restarts > number or draft.full:
            continue
        case = Case(Act.RESTART, incident, draft.scene.node(incident), job)
        tried, limit = draft.durable.tried(incident.id, Act.RESTART, name), draft.policy.attempts.act
        if tried and tried[-1].ended is not None and look.time <= tried[-1].ended:
            continue  # this look knows nothing of what the last try did
        if len(tried) >= limit:
            many = len(tried)
            text = f"job {name} stands still: a restart of it was cut off, and {many} tries did not start it again"
            draft.alert("halted", "critical", text, incident=incident.id, key=str(number), subject=name)
        want(draft, case, "stopped by a restart that was cut off, and to be started again")


def release_leftovers(draft: Draft) -> None:
    """Undo cordons of ours that belong to no open incident: they took late, or the machine is another one."""
    look = draft.scene.look
    if look is None:
        return
    for name, incident in look.stamped.items():
        if incident in draft.durable.incidents or draft.full:
            continue
        closed, node = draft.durable.closed.get(incident), look.view.nodes[name]
        returned = closed is not None and closed.state is NodeState.GONE
        if closed is None or (returned and same_machine(node, closed.instance, closed.identity)):
            text = (
                f"{name} carries the cordon of {incident}, which is not open: release it or leave it to a person"
            )
            draft.alert("leftover", "warning", text, incident=incident, key=name, subject=name)
        else:
            want(draft, Case(Act.RELEASE, closed, node, None), f"{incident} is closed")


def _give_back(draft: Draft, incident: Incident) -> None:
    node = draft.scene.node(incident)
    if node is None or draft.durable.alive_for(incident.node):
        return
    if node.cordoned and node.incident == incident.id:
        want(draft, Case(Act.RELEASE, incident, node, None, incident.ordered), "as ordered")
    else:
        draft.move(incident, NodeState.HEALTHY, "given back as ordered")


def _confirmed(draft: Draft, incident: Incident) -> None:
    scene = draft.scene
    node, job = scene.node(incident), scene.job(incident)
    ordered = incident.ordered
    by_order = ordered if ordered is not None and ordered.what == Command.CORDON else None
    cordon = Case(Act.CORDON, incident, node, job, by_order)
    if job is not None and by_order is None:
        restart = replace(cordon, act=Act.RESTART)
        _weigh(draft, restart)
        if _would(draft, cordon) and _would(draft, restart) and not ready(draft, restart):
            return
    share = "" if incident.slowdown is None else f", slows its job by {incident.slowdown:.0%}"
    want(draft, cordon, f"{incident.cause}{share}; then its work goes elsewhere")


def _draining(draft: Draft, incident: Incident) -> None:
    scene = draft.scene
    node, job = scene.node(incident), scene.job(incident)
    if node is None or scene.look is None:
        return
    if not node.jobs:
        _drained(draft, incident)
    elif job is not None:
        restart = Case(Act.RESTART, incident, node, job)
        _weigh(draft, restart)
        if not _would(draft, restart) or ready(draft, restart):
            want(draft, restart, f"without {incident.node}: {incident.cause}")


def _drained(draft: Draft, incident: Incident) -> None:
    if draft.durable.alive_for(incident.node):
        return
    if _repair(draft, incident):
        return
    draft.move(incident, NodeState.HELD, "drained; no test qualifies it yet, so a person has it")
    text = f"{incident.node} is drained ({incident.cause}) and held until a person releases it"
    draft.alert("held", "info", text, incident=incident.id)


def _held(draft: Draft, incident: Incident) -> None:
    node = draft.scene.node(incident)
    by_person = incident.ordered is not None and incident.ordered.what == Command.HOLD
    if node is not None and incident.stamped and not by_person and not node.jobs:
        _repair(draft, incident)


def _repair(draft: Draft, incident: Incident) -> bool:
    """Whether a repair is under way; it is asked for once, and never again after an answer that was lost."""
    scene, choice = draft.scene, draft.policy.repair
    verdict = scene.accusation(incident)
    broken = verdict.status is Status.FAULT if verdict is not None else incident.cause == Cause.DEVICE
    tried = scene.durable.tried(incident.id, Act.REPAIR, incident.node)
    if choice is RepairChoice.NONE or not broken:
        return False
    if tried and tried[-1].result is Result.DONE and incident.moved <= (tried[-1].ended or 0):
        draft.move(incident, _IN[choice], f"asked the cluster to {choice} it")
        return True
    if tried and tried[-1].result not in (None, Result.FAILED):
        return False
    case = Case(Act.REPAIR, incident, scene.node(incident), None)
    return want(draft, case, f"{choice} for a hard fault") in ("begun", "under way")


def _in_repair(draft: Draft, incident: Incident) -> None:
    node = draft.scene.node(incident)
    tried = draft.durable.tried(incident.id, Act.REPAIR, incident.node)
    if node is not None and node.ready and tried and node.identity != tried[-1].intent.identity:
        draft.move(incident, NodeState.HELD, "started anew by its repair; a person must look")
    elif not 0 <= draft.now - incident.moved < _REPAIR:
        draft.move(incident, NodeState.HELD, "its repair did not end in two hours")
        text = f"the repair of {incident.node} did not end in two hours"
        draft.alert("repair", "warning", text, incident=incident.id)


def _would(draft: Draft, case: Case) -> bool:
    """Whether guard would do it, but for what is still to come."""
    scene = draft.scene
    if not permitted(scene, case):
        return False
    return all(ruling.allowed for ruling in rulings(scene, case) if ruling.rail not in _LATER)


def _weigh(draft: Draft, restart: Case) -> None:
    if restart.job is None:
        return
    scene, incident = draft.scene, restart.incident
    total = weigh(scene, incident, restart.job)
    before = scene.durable.weighed.get(incident.id)
    if before is not None and (before.worth == (total.saved > 0) or 0 <= draft.now - before.time < _WEIGHED_EVERY):
        return
    progress, said = whole(scene, restart.job), scene.picture.jobs.get(restart.job.name)
    draft.write(
        Weighed(
            **draft.common,
            id=identify(
                "weighed", incident.id, restart.job.restarts, before.id if before else "", total.saved > 0
            ),
            incident=incident.id,
            job=restart.job.name,
            remaining=total.remaining,
            slowdown=total.slowdown,
            chance_wrong=total.chance_wrong,
            restart_cost=total.restart_cost,
            lost_work=total.lost_work,
            saved=total.saved,
            worth=total.saved > 0,
            step_time=progress.step_time if progress and progress.step_time else said.step_time if said else None,
        )
    )


_IN = {RepairChoice.REBOOT: NodeState.REPAIRING, RepairChoice.REPLACE: NodeState.REPLACING}
_WANTS: dict[NodeState, Callable[[Draft, Incident], None]] = {
    NodeState.CONFIRMED: _confirmed,
    NodeState.DRAINING: _draining,
    NodeState.HELD: _held,
    NodeState.REPAIRING: _in_repair,
    NodeState.REPLACING: _in_repair,
}
