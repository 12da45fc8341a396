"""From an intent to all that its act needs: the node and the job as observed, bound to what was decided."""

from dataclasses import replace

from guard.remediate.errands import Errand
from remediation.clusters.protocol import Stamp
from remediation.incidents import Incident
from remediation.ledger import Act, Intent
from remediation.policy import Policy, RepairChoice
from remediation.views import ClusterView, JobState, JobView, NodeView, Repair


def errand_of(
    intent: Intent, incident: Incident | None, view: ClusterView, policy: Policy, begin_by: float
) -> Errand:
    """All that the act needs. What is not there any more is named all the same: the cluster says that it is gone.

    Args:
        intent: read back.
        incident: whose act it is; None: of none that is remembered.
        view: the newest.
        policy: what repair means, and where checkpoint requests lie.
        begin_by: when the act may begin at the latest, on the monotonic clock.
    """
    on_job = intent.act in (Act.CHECKPOINT, Act.RESTART)
    name = (incident.node if incident else None) if on_job else intent.subject
    return Errand(
        intent=intent,
        begin_by=begin_by,
        node=_node(intent, name, incident, view) if name else None,
        job=_job(intent, view) if on_job else None,
        stamp=Stamp(intent.incident, incident.cause if incident else "unknown") if intent.incident else None,
        repair=None if policy.repair is RepairChoice.NONE else Repair(policy.repair.value),
        request=policy.checkpoint.path,
    )


def _node(intent: Intent, name: str, incident: Incident | None, view: ClusterView) -> NodeView:
    identity = intent.identity or (incident.identity if incident else "")
    return replace(view.nodes.get(name) or NodeView(name), identity=identity)


def _job(intent: Intent, view: ClusterView) -> JobView:
    there = view.jobs.get(intent.subject) or JobView(intent.subject, JobState.ENDED)
    return there if intent.restarts is None else replace(there, restarts=intent.restarts)
