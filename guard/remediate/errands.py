"""What the child does: looking and acting, as functions of modules, so that they travel to it."""

import time
from dataclasses import dataclass, replace

from guard.remediate.request_file import request_path, write_request
from remediation.clusters.protocol import Cluster, ClusterError, RefusedError, Stamp
from remediation.ledger import Act, Intent
from remediation.views import ClusterView, JobView, NodeView, Repair


class TooLateError(ClusterError):
    """Not begun: the moment by which it had to begin has passed. Nothing was touched."""


@dataclass(frozen=True, slots=True)
class Errand:
    """An intent with all that its act needs.

    Attributes:
        intent: what was decided and read back.
        begin_by: when it may begin at the latest, on the machine's monotonic clock, which all its processes share.
            Until then no other process can lead and take the act for ended.
        node: as observed, with the identity that the intent is bound to.
        job: as observed, with the number of restarts that the intent is bound to.
        stamp: what guard writes beside a cordon.
        repair: which.
        request: template of the path of checkpoint requests.
    """

    intent: Intent
    begin_by: float
    node: NodeView | None = None
    job: JobView | None = None
    stamp: Stamp | None = None
    repair: Repair | None = None
    request: str = ""


def look(cluster: Cluster, timeout: float) -> ClusterView:
    """Observe. What comes back is of plain mappings, so that it travels."""
    view = cluster.observe(timeout)
    nodes = {name: replace(node, domains=dict(node.domains)) for name, node in view.nodes.items()}
    return ClusterView(nodes, dict(view.jobs))


def ready(cluster: Cluster) -> None:
    """Nothing: the child is up, and has loaded what it needs."""
    del cluster


def act(cluster: Cluster, errand: Errand, timeout: float) -> None:
    """Do what was decided, unless it is too late to begin.

    Raises:
        TooLateError: nothing was done.
        ClusterError: see there.
    """
    if time.monotonic() > errand.begin_by or time.time() > errand.intent.expires:
        raise TooLateError("it was too late to begin")
    node, job, stamp = errand.node, errand.job, errand.stamp
    match errand.intent.act:
        case Act.CORDON if node and stamp:
            cluster.cordon(node, stamp, timeout)
        case Act.RELEASE if node and stamp:
            cluster.uncordon(node, stamp.incident, timeout)
        case Act.RESTART if node and job:
            cluster.restart(job, node, timeout)
        case Act.REPAIR if node and stamp and errand.repair:
            cluster.repair(node, stamp, errand.repair, timeout)
        case Act.CHECKPOINT if errand.intent.at_step is not None:
            write_request(request_path(errand.request, errand.intent.subject), errand.intent.at_step)
        case other:
            raise RefusedError(f"{other} of {errand.intent.subject}: what it needs is not known")
