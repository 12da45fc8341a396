"""Restarts of Jobs and JobSets: their own controllers make the pods anew, and the cordon keeps them off the node.

A Job's pods are evicted, all of them: the ranks of a job start together, from one checkpoint. Evictions respect
disruption budgets, and the node's own pods go first: should a budget allow one and no more, it is the right one.
Of a JobSet its Jobs are deleted, and its controller makes them anew. Evicting would fail a Job whose backoff limit
is 0, as is usual in a JobSet; that costs one of the JobSet's `maxRestarts`, and the last one costs the JobSet.
Deleting asks no budget, so the eviction of the node's pods is asked for first, as a dry run.

The mark on the job comes before anything is stopped. With it a restart that was cut off goes on where it stood,
and stops nothing that was made since.
"""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import msgspec
from kubernetes import client

from remediation.clusters.kubernetes_api import ConflictError, Deadline, KubernetesApi
from remediation.clusters.kubernetes_records import JOBSET_NAME, RESTART, Job, JobSet, Mark, Meta, Pod, mark
from remediation.clusters.kubernetes_views import job_of, job_view, jobset_view
from remediation.clusters.protocol import GoneError, NotOursError, RefusedError
from remediation.views import JobState, JobView, NodeView

_JOBSET = ("jobset.x-k8s.io", "v1alpha2")
_FAILURES_OF_INDEX = "batch.kubernetes.io/job-index-failure-count"


def all_jobsets(api: KubernetesApi, namespace: str | None, deadline: Deadline) -> list[JobSet]:
    """Every JobSet; none where the cluster does not have the kind."""
    try:
        if namespace is None:
            return api.all(api.custom.list_cluster_custom_object, JobSet, deadline, *_JOBSET, "jobsets")
        return api.all(api.custom.list_namespaced_custom_object, JobSet, deadline, *_JOBSET, namespace, "jobsets")
    except GoneError:
        return []


def _jobset(api: KubernetesApi, namespace: str, name: str, deadline: Deadline) -> JobSet | None:
    try:
        return api.one(
            api.custom.get_namespaced_custom_object, JobSet, deadline, *_JOBSET, namespace, "jobsets", name
        )
    except GoneError:
        return None


def evict(api: KubernetesApi, pod: Pod, deadline: Deadline, *, dry_run: bool = False) -> None:
    """Ask a pod to go, as its budget allows. One that went already, or is another by now, is fine.

    Raises:
        HeldBackError: a disruption budget is in the way.
    """
    meta = pod.metadata
    body = client.V1Eviction(
        metadata=client.V1ObjectMeta(name=meta.name, namespace=meta.namespace),
        delete_options=client.V1DeleteOptions(preconditions=client.V1Preconditions(uid=meta.uid)),
    )
    how = {"dry_run": "All"} if dry_run else {}
    with contextlib.suppress(GoneError, ConflictError):
        api.change(api.core.create_namespaced_pod_eviction, deadline, meta.name, meta.namespace, body=body, **how)


@dataclass(frozen=True, slots=True)
class Restart:
    """A restart that was asked for: `Cluster.restart`."""

    api: KubernetesApi
    job: JobView
    node: NodeView
    deadline: Deadline

    def step(self) -> None:
        """Do what is still to be done, as far as the deadline and disruption budgets let it.

        Raises:
            ConflictError: somebody wrote to the job in between.
        """
        namespace, _, name = self.job.name.partition("/")
        if not name:
            raise GoneError(f"{self.job.name} is no namespace/name: no job of this cluster")
        found = self.api.all(self.api.core.list_namespaced_pod, Pod, self.deadline, namespace)
        kinds = (("Job", self.job.name), ("JobSet", self.job.name))
        pods = [pod for pod in found if pod.live and job_of(pod) in kinds]
        jobset = _jobset(self.api, namespace, name, self.deadline)
        if jobset is not None:
            self._jobset(jobset, pods)
        else:
            self._job(self.api.one(self.api.batch.read_namespaced_job, Job, self.deadline, name, namespace), pods)

    def _job(self, job: Job, pods: Sequence[Pod]) -> None:
        if self._happened(job_view(job, pods)):
            return
        meta = job.metadata
        if self._begun(meta) is None:
            _check_backoff(job, pods)
        until = self._begin(partial(self.api.batch.patch_namespaced_job, meta.name, meta.namespace), meta, pods)
        old = [pod for pod in pods if pod.metadata.created <= until and pod.metadata.deletion_timestamp is None]
        for pod in sorted(old, key=lambda pod: pod.spec.node_name != self.node.name):
            evict(self.api, pod, self.deadline)

    def _jobset(self, jobset: JobSet, pods: Sequence[Pod]) -> None:
        if self._happened(jobset_view(jobset, pods)):
            return
        meta = jobset.metadata
        for pod in pods:
            if pod.spec.node_name == self.node.name and pod.metadata.deletion_timestamp is None:
                evict(self.api, pod, self.deadline, dry_run=True)
        where = (*_JOBSET, meta.namespace, "jobsets", meta.name)
        until = self._begin(partial(self.api.custom.patch_namespaced_custom_object, *where), meta, pods)
        label = f"{JOBSET_NAME}={meta.name}"
        children = self.api.all(
            self.api.batch.list_namespaced_job, Job, self.deadline, meta.namespace, label_selector=label
        )
        for child in children:
            owned = any(owner.uid == meta.uid for owner in child.metadata.owner_references)
            if owned and child.metadata.created <= until:
                _delete(self.api, child, self.deadline)

    def _happened(self, now: JobView) -> bool:
        if now.state is JobState.ENDED:
            raise GoneError(f"job {now.name} has ended")
        if now.restarted_by is not None:
            raise NotOursError(f"job {now.name} is restarted by {now.restarted_by}")
        return now.restarts > self.job.restarts

    def _begun(self, meta: Meta) -> Mark | None:
        """The mark of this restart, where a call before this one wrote it."""
        written = mark(meta.annotations)
        return written if written is not None and written.after == self.job.restarts else None

    def _begin(self, patch: Callable[..., object], meta: Meta, pods: Sequence[Pod]) -> int:
        """Write the mark, and say what pods are to go: those made until this second."""
        if (begun := self._begun(meta)) is not None:
            return begun.until
        before = mark(meta.annotations)
        until = max((pod.metadata.created for pod in pods), default=0)
        new = Mark(self.job.restarts, until, before.count + 1 if before is not None else 1)
        notes = {RESTART: msgspec.json.encode(new).decode()}
        body = {"metadata": {"resourceVersion": meta.resource_version, "annotations": notes}}
        self.api.patch(patch, self.deadline, body=body)
        return until


def _check_backoff(job: Job, pods: Sequence[Pod]) -> None:
    """A Job counts evicted pods as failed, unless its pod failure policy says otherwise, and fails by that."""
    spec, policy = job.spec, job.spec.pod_failure_policy
    for rule in policy.rules if policy else ():
        if rule.action == "Ignore" and any(one.type == "DisruptionTarget" for one in rule.on_pod_conditions):
            return
    if spec.backoff_limit_per_index is not None:
        failures = max((_failures(pod) for pod in pods), default=0) + 1
        limit: int | None = spec.backoff_limit_per_index
    else:
        failures, limit = job.status.failed + len(pods), spec.backoff_limit
    if limit is not None and failures > limit:
        raise RefusedError(
            f"evicting its {len(pods)} pods would fail job {job.metadata.name}: its backoff limit is {limit}. "
            "Set a higher one, or a podFailurePolicy with action: Ignore for the pod condition DisruptionTarget"
        )


def _failures(pod: Pod) -> int:
    text = pod.metadata.annotations.get(_FAILURES_OF_INDEX, "0")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _delete(api: KubernetesApi, job: Job, deadline: Deadline) -> None:
    # In the background, so that the Job goes before its pods do: were it there when they fail, it would fail too.
    body = client.V1DeleteOptions(
        propagation_policy="Background", preconditions=client.V1Preconditions(uid=job.metadata.uid)
    )
    with contextlib.suppress(GoneError, ConflictError):
        api.delete(api.batch.delete_namespaced_job, deadline, job.metadata.name, job.metadata.namespace, body=body)
