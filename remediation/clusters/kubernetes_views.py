"""Kubernetes' objects as views of a cluster. Pure.

**Restarts** are those that guard asked for (`Mark`), with a JobSet's own count or a Job's failed pods: a Job makes
a failed pod anew, and a training job with it all ranks. A restart that guard asked for has not happened while a
pod of before is left, nor before there is a new one. A pod that was asked to go is left until it is gone.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from remediation.clusters.kubernetes_records import (
    CAUSE,
    INCIDENT,
    JOBSET_NAME,
    OPT_OUT,
    Condition,
    Job,
    JobSet,
    Meta,
    Node,
    Pod,
    mark_of,
    set_by_guard,
)
from remediation.views import ClusterView, JobState, JobView, NodeView

DOMAINS: Mapping[str, str] = MappingProxyType(
    {
        "zone": "topology.kubernetes.io/zone",
        "spine": "topology.k8s.aws/network-node-layer-2",
        "rack": "topology.k8s.aws/network-node-layer-3",
        "ultraserver": "topology.k8s.aws/ultraserver-id",
    }
)
"""Fault domains by the labels that Amazon EKS puts on nodes."""

_INSTANCE = re.compile(r"i-[0-9a-f]{8,17}")
_HYPERPOD_HEALTH = "sagemaker.amazonaws.com/node-health-status"
_HYPERPOD_RESUME = "sagemaker.amazonaws.com/enable-job-auto-resume"
_OWN_CONTROLLERS = ("", "kubernetes.io/job-controller", "jobset.sigs.k8s.io/jobset-controller")


@dataclass(frozen=True, slots=True)
class Objects:
    """What the API server holds, as far as guard reads it."""

    nodes: Sequence[Node]
    pods: Sequence[Pod]
    jobs: Sequence[Job]
    jobsets: Sequence[JobSet]


def job_name(namespace: str, name: str) -> str:
    """A job's name in telemetry: two namespaces may have jobs of one name."""
    return f"{namespace}/{name}"


def job_of(pod: Pod) -> tuple[str, str] | None:
    """Kind and name (`job_name`) of the job that a pod belongs to; None for a service's or a person's pod."""
    namespace = pod.metadata.namespace
    if jobset := pod.metadata.labels.get(JOBSET_NAME):
        return "JobSet", job_name(namespace, jobset)
    owner = next((owner for owner in pod.metadata.owner_references if owner.controller), None)
    if owner is None or not owner.kind.endswith("Job"):
        return None
    return owner.kind, job_name(namespace, owner.name)


def ours(node: Node) -> str | None:
    """The incident whose cordon a node carries.

    The annotation alone is not enough: it stays when a person uncordons the node, and must not make a later cordon
    of somebody else ours. The API server keeps who set `spec.unschedulable` last.
    """
    if not node.spec.unschedulable:
        return None
    last = set_by_guard(node.metadata, "f:unschedulable")
    return node.metadata.annotations.get(INCIDENT) if last else None


def cordoned(node: Node) -> bool:
    """Whether it takes no new work, whoever said so."""
    return node.spec.unschedulable or node.metadata.labels.get(_HYPERPOD_HEALTH, "").startswith("Unschedulable")


def suspended_by_guard(job: Job) -> bool:
    """Whether a Job stands still because of a restart of ours, and not because a person wants it to."""
    marked = mark_of(job.metadata.annotations) is not None
    return job.spec.suspend and marked and set_by_guard(job.metadata, "f:suspend")


def view(objects: Objects, domains: Mapping[str, str]) -> ClusterView:
    """Nodes and jobs, with the work on each. Jobs with no pod on these nodes are kept while they wait or end."""
    pods = [pod for pod in objects.pods if pod.live]
    on_node: defaultdict[str, set[str]] = defaultdict(set)
    of_job: defaultdict[tuple[str, str], list[Pod]] = defaultdict(list)
    for pod in pods:
        if (job := job_of(pod)) is not None:
            of_job[job].append(pod)
            on_node[pod.spec.node_name].add(job[1])
    nodes = {node.metadata.name: _node(node, on_node[node.metadata.name], domains) for node in objects.nodes}
    return ClusterView(nodes, {job.name: job for job in _jobs(objects, of_job)})


def number(meta: Meta, own: int, pods: Iterable[Pod]) -> int:
    """A job's restarts (see the module), of which it counts `own` itself."""
    asked = mark_of(meta.annotations)
    if asked is None:
        return own
    oldest = min((pod.metadata.created for pod in pods), default=0)
    return asked.after if oldest <= asked.until else max(asked.after + 1, own + asked.count)


def holds(conditions: Iterable[Condition], *types: str) -> bool:
    """Whether one of the conditions is true."""
    return any(condition.type in types and condition.status == "True" for condition in conditions)


def restarted_by(meta: Meta, managed_by: str | None, pods: Iterable[Pod]) -> str | None:
    """Who else restarts a job; None: nobody."""
    if (managed_by or "") not in _OWN_CONTROLLERS:
        return managed_by
    resumed = any(
        _HYPERPOD_RESUME in one.annotations and one.annotations[_HYPERPOD_RESUME] == "true"
        for one in (meta, *(pod.metadata for pod in pods))
    )
    return "HyperPod" if resumed else None


def _node(node: Node, jobs: set[str], domains: Mapping[str, str]) -> NodeView:
    labels = node.metadata.labels
    incident = ours(node)
    return NodeView(
        name=node.metadata.name,
        instance=_instance(node),
        identity=node.metadata.uid,
        ready=holds(node.status.conditions, "Ready"),
        cordoned=cordoned(node),
        incident=incident,
        reason=_reason(node, incident),
        opted_out=labels.get(OPT_OUT) == "true",
        domains={kind: labels[label] for kind, label in domains.items() if labels.get(label)},
        jobs=frozenset(jobs),
    )


def _instance(node: Node) -> str | None:
    """As the agent names it: EC2's id, else the machine id."""
    name = node.spec.provider.rpartition("/")[2]
    return name if _INSTANCE.fullmatch(name) else node.status.node_info.machine or None


def _reason(node: Node, incident: str | None) -> str:
    if incident is not None:
        return f"guard: {incident} {node.metadata.annotations.get(CAUSE, '')}".strip()
    if not cordoned(node):
        return ""
    health = node.metadata.labels.get(_HYPERPOD_HEALTH, "")
    return f"HyperPod: {health}" if health.startswith("Unschedulable") else "cordoned by somebody else"


def _jobs(objects: Objects, of_job: Mapping[tuple[str, str], list[Pod]]) -> Iterable[JobView]:
    known = set()
    for jobset in objects.jobsets:
        key = ("JobSet", job_name(jobset.metadata.namespace, jobset.metadata.name))
        known.add(key)
        yield jobset_view(jobset, of_job.get(key, []))
    for job in objects.jobs:
        if JOBSET_NAME in job.metadata.labels:
            continue
        key = ("Job", job_name(job.metadata.namespace, job.metadata.name))
        known.add(key)
        yield job_view(job, of_job.get(key, []))
    for key, pods in of_job.items():
        if key in known:
            continue
        # Left of a job that was deleted, or of a kind that guard does not know. They are work all the same.
        ended = key[0] in ("Job", "JobSet")
        yield _view(pods[0].metadata, key[1], pods, own=0, ended=ended, owner=None if ended else key[0])


def job_view(job: Job, pods: Sequence[Pod]) -> JobView:
    """A Job with its live pods."""
    meta, limit, start = job.metadata, job.spec.active_deadline_seconds, job.status.start_time
    return _view(
        meta,
        job_name(meta.namespace, meta.name),
        pods,
        own=job.status.failed,
        ended=holds(job.status.conditions, "Complete", "Failed"),
        owner=restarted_by(meta, job.spec.managed_by, pods),
        ends=start.timestamp() + limit if start is not None and limit is not None else None,
        halted=suspended_by_guard(job),
    )


def jobset_view(jobset: JobSet, pods: Sequence[Pod]) -> JobView:
    """A JobSet with its live pods."""
    meta = jobset.metadata
    return _view(
        meta,
        job_name(meta.namespace, meta.name),
        pods,
        own=jobset.status.restarts,
        ended=holds(jobset.status.conditions, "Completed", "Failed"),
        owner=restarted_by(meta, jobset.spec.managed_by, pods),
    )


def _view(
    meta: Meta,
    name: str,
    pods: Sequence[Pod],
    *,
    own: int,
    ended: bool,
    owner: str | None,
    ends: float | None = None,
    halted: bool = False,
) -> JobView:
    nodes = frozenset(pod.spec.node_name for pod in pods if pod.spec.node_name)
    return JobView(
        name=name,
        state=JobState.ENDED if ended else JobState.RUNNING if nodes else JobState.WAITING,
        nodes=nodes,
        restarts=number(meta, own, pods),
        restarted_by=owner,
        ends=ends,
        halted=halted and not ended,
    )
