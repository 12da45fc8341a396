"""Rails about how much: nodes out at once, acts in an hour, tries of a node, nodes left to run on."""

from remediation.fold import DAY, harmless
from remediation.incidents import Incident
from remediation.ledger import Act
from remediation.picture import Look
from remediation.scene import Case, Scene, is_leaving
from remediation.states import NodeState

Answer = tuple[bool, str]
HOUR = 3600.0


def cool_down(scene: Scene, case: Case) -> Answer:
    """Is the node still left alone after its last incident? The more of them, the longer."""
    incident = case.incident
    settled = [
        closed
        for closed in scene.durable.closed.values()
        if closed.node == incident.node
        and closed.instance == incident.instance
        and closed.state is NodeState.HEALTHY
        and scene.now - closed.moved < scene.policy.cool_down.forget
    ]
    if not settled:
        return True, "no incident of late"
    rule = scene.policy.cool_down
    wait = min(rule.first * 2.0 ** min(len(settled) - 1, 60), rule.longest)
    since = scene.now - max(closed.moved for closed in settled)
    return (
        since >= wait,
        f"{len(settled)} incidents before, the last ended {since:.0f} s ago, waits for {wait:g} s",
    )


def node_attempts(scene: Scene, case: Case) -> Answer:
    """How often has this node been cordoned of late? Then a person must look."""
    cordons = {
        deed.intent.incident
        for deed in scene.durable.recent
        if deed.intent.act is Act.CORDON
        and deed.node == case.incident.node
        and _within(scene, deed.intent.time, DAY)
    } - {case.incident.id}
    limit = scene.policy.attempts.node
    return len(cordons) < limit, f"{len(cordons)} earlier cordons in a day, at most {limit}"


def attempts(scene: Scene, case: Case) -> Answer:
    """How often has this very act been tried?"""
    tried = scene.durable.tried(case.incident.id, case.act, case.subject)
    count = sum(1 for deed in tried if not harmless(deed.result))
    limit = scene.policy.attempts.act
    return count < limit, f"tried {count} times, at most {limit}"


def actions(scene: Scene, case: Case) -> Answer:
    """How many acts of the kind has guard begun in the last hour?"""
    count = sum(
        1
        for deed in scene.durable.recent
        if deed.intent.act is case.act and _within(scene, deed.intent.time, HOUR)
    )
    limit = scene.policy.actions
    return count < limit, f"{count} acts of the kind in an hour, at most {limit}"


def out_of_service(scene: Scene, case: Case) -> Answer:
    """How many nodes of the cluster are out, whoever took them?"""
    look = scene.look
    if look is None:
        return False, "the cluster is not seen"
    rule, total = scene.policy.out, len(look.view.nodes)
    limit = min(rule.count, max(1, int(rule.share * total)))
    count = len((look.out | scene.ours()) - {case.incident.node})
    return count < limit, f"{count} of {total} nodes are out of service, at most {limit}"


def fault_domain(scene: Scene, case: Case) -> Answer:
    """How many nodes are out in each of the node's fault domains?"""
    look = scene.look
    if look is None or case.node is None:
        return False, "the node is not seen"
    limit = scene.policy.out.domain
    ours = scene.ours()
    for kind, name in sorted(case.node.domains.items()):
        out = look.out_by_domain.get((kind, name), frozenset())
        mine = {other for other in ours if _domain(look, other, kind) == name}
        count = len((out | mine) - {case.incident.node})
        if count >= limit:
            return False, f"{count} nodes of {kind} {name} are out of service, at most {limit}"
    return True, f"fewer than {limit} nodes are out in each of its fault domains"


def job_nodes(scene: Scene, case: Case) -> Answer:
    """How many nodes have been taken from the job?"""
    if case.incident.job is None:
        return True, "no job is concerned"
    look = scene.look
    if look is None:
        return False, "the cluster is not seen"
    ours = scene.ours()
    taken = {
        other.node for other in scene.durable.incidents.values() if _same_job(other, case) and other.node in ours
    }
    if case.job is not None:
        taken |= case.job.nodes & look.out
    count = len(taken - {case.incident.node})
    limit = scene.policy.out.job
    return count < limit, f"{count} nodes of the job are out of service, at most {limit}"


def spares(scene: Scene, case: Case) -> Answer:
    """Are there idle nodes for the job to go on with?"""
    if case.job is None:
        return True, "no job loses the node"
    look = scene.look
    if look is None:
        return False, "the cluster is not seen"
    idle = look.idle - sum(1 for name in scene.ours() if _is_idle(look, name))
    promised = sum(1 for other in scene.durable.incidents.values() if _awaits_spare(scene, other, case))
    left = max(idle - promised, 0)
    least = scene.policy.spares
    return left >= least, f"{left} idle nodes that nobody waits for, least {least}"


def _within(scene: Scene, time: float, seconds: float) -> bool:
    # What lies in the future after a clock was set back happened all the same.
    return scene.now - time < seconds


def _domain(look: Look, name: str, kind: str) -> str | None:
    node = look.view.nodes.get(name)
    return None if node is None else node.domains.get(kind)


def _same_job(other: Incident, case: Case) -> bool:
    return other.job == case.incident.job


def _is_idle(look: Look, name: str) -> bool:
    node = look.view.nodes.get(name)
    return node is not None and node.ready and not node.cordoned and not node.jobs and not node.opted_out


def _awaits_spare(scene: Scene, other: Incident, case: Case) -> bool:
    """Whether another incident's job has yet to take a spare."""
    if other.id == case.incident.id:
        return False
    coming = any(
        intent.incident == other.id and intent.act is Act.CORDON for intent in scene.durable.alive.values()
    )
    return (coming or is_leaving(other)) and scene.job(other) is not None
