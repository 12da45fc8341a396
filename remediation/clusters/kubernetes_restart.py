"""Restarts of Jobs and JobSets: their own controllers make the pods anew, and the cordon keeps them off the node.

All ranks of a job start together, from one checkpoint. So all pods go at once:

- A Job is suspended, and resumed as soon as its controller has let go of the pods. Evicting them would count as
  so many failures: a Job waits longer after each (ten minutes after seven), and fails for good at its limit.
- Of a JobSet the Jobs are deleted, and its controller makes them anew. It would resume Jobs that others suspend,
  and a failure would cost one of its `maxRestarts`.

Neither asks a disruption budget. So before anything else the eviction of the node's own pods is asked for, as a
dry run: what a budget holds back is held back.

The mark on the job comes with the first write. With it a restart that was cut off goes on where it stood, and
stops nothing that was made since.
"""

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
from kubernetes import client

from remediation.clusters.kubernetes_api import ConflictError, Deadline, KubernetesApi
from remediation.clusters.kubernetes_records import JOBSET_NAME, RESTART, Job, JobSet, Mark, Meta, Pod, mark_of
from remediation.clusters.kubernetes_views import (
    holds,
    job_of,
    job_view,
    jobset_view,
    suspended_by_guard,
)
from remediation.clusters.protocol import GoneError, HeldBackError, NotOursError
from remediation.views import JobState, JobView, NodeView

_JOBSET = ("jobset.x-k8s.io", "v1alpha2")
_POLLS = 25
_POLL_SECONDS = 0.2
_SECOND = 1.0
"""How finely Kubernetes tells when a pod was made. What is made this much later is told from what was there."""


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


def ask_budget(api: KubernetesApi, pod: Pod, deadline: Deadline) -> None:
    """Ask whether a pod might be evicted, without evicting it. One that is gone, or another by now, may.

    Raises:
        HeldBackError: a disruption budget is in the way.
    """
    meta = pod.metadata
    body = client.V1Eviction(
        metadata=client.V1ObjectMeta(name=meta.name, namespace=meta.namespace),
        delete_options=client.V1DeleteOptions(preconditions=client.V1Preconditions(uid=meta.uid)),
    )
    evict = api.core.create_namespaced_pod_eviction
    with contextlib.suppress(GoneError, ConflictError):
        api.change(evict, deadline, meta.name, meta.namespace, body=body, dry_run="All")


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
        if self.job.restarted_by is not None:
            raise NotOursError(f"job {self.job.name} is restarted by {self.job.restarted_by}")
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
        begun = self._begun(job.metadata)
        if job.spec.suspend and (begun is None or not suspended_by_guard(job)):
            raise HeldBackError(f"job {self.job.name} is suspended, and not by guard")
        left = [pod for pod in pods if pod.metadata.deletion_timestamp is None]
        if begun is not None and not job.spec.suspend and all(pod.metadata.created > begun.until for pod in left):
            return  # resumed: old pods end, new ones come
        if not job.spec.suspend:
            self._ask_budgets(pods)
            notes = _notes(begun or self._mark(job.metadata, pods))
            self._patch_job(job, notes, suspend=True)
            self._let_a_second_pass()
        self._resume(job.metadata)

    def _resume(self, meta: Meta) -> None:
        """Wait until the controller has let go of all pods; a call after this one goes on waiting.

        Raises:
            HeldBackError: it has not. The job stands still until the call is made again.
        """
        for _ in range(_POLLS):
            read = self.api.batch.read_namespaced_job
            job = self.api.one(read, Job, self.deadline, meta.name, meta.namespace)
            if job.metadata.uid != meta.uid:
                raise GoneError(f"job {self.job.name} is another one by now")
            if holds(job.status.conditions, "Suspended"):
                self._patch_job(job, {}, suspend=False)
                return
            if self.deadline.within(2 * _POLL_SECONDS):
                break
            time.sleep(_POLL_SECONDS)
        raise HeldBackError(f"job {self.job.name} is suspended, and its controller has not let go of its pods yet")

    def _patch_job(self, job: Job, notes: Mapping[str, str], *, suspend: bool) -> None:
        meta = job.metadata
        body = {
            "metadata": {"resourceVersion": meta.resource_version, "annotations": notes},
            "spec": {"suspend": suspend},
        }
        self.api.patch(self.api.batch.patch_namespaced_job, self.deadline, meta.name, meta.namespace, body=body)

    def _jobset(self, jobset: JobSet, pods: Sequence[Pod]) -> None:
        if self._happened(jobset_view(jobset, pods)):
            return
        meta = jobset.metadata
        mark = self._begun(meta)
        if mark is None:
            self._ask_budgets(pods)
            mark = self._mark(meta, pods)
            body = {"metadata": {"resourceVersion": meta.resource_version, "annotations": _notes(mark)}}
            where = (*_JOBSET, meta.namespace, "jobsets", meta.name)
            self.api.patch(self.api.custom.patch_namespaced_custom_object, self.deadline, *where, body=body)
            self._let_a_second_pass()
        label = f"{JOBSET_NAME}={meta.name}"
        children = self.api.all(
            self.api.batch.list_namespaced_job, Job, self.deadline, meta.namespace, label_selector=label
        )
        for child in children:
            owned = any(owner.uid == meta.uid for owner in child.metadata.owner_references)
            if owned and child.metadata.created <= mark.until:
                _delete(self.api, child, self.deadline)

    def _let_a_second_pass(self) -> None:
        time.sleep(min(_SECOND, self.deadline.left()))

    def _happened(self, now: JobView) -> bool:
        if now.state is JobState.ENDED:
            raise GoneError(f"job {now.name} has ended")
        if now.restarted_by is not None:
            raise NotOursError(f"job {now.name} is restarted by {now.restarted_by}")
        return now.restarts > self.job.restarts

    def _ask_budgets(self, pods: Sequence[Pod]) -> None:
        for pod in pods:
            if pod.spec.node_name == self.node.name and pod.metadata.deletion_timestamp is None:
                ask_budget(self.api, pod, self.deadline)

    def _begun(self, meta: Meta) -> Mark | None:
        """The mark of this restart, where a call before this one wrote it."""
        written = mark_of(meta.annotations)
        return written if written is not None and written.after == self.job.restarts else None

    def _mark(self, meta: Meta, pods: Sequence[Pod]) -> Mark:
        before = mark_of(meta.annotations)
        until = max((pod.metadata.created for pod in pods), default=0)
        return Mark(self.job.restarts, until, before.count + 1 if before is not None else 1)


def _notes(mark: Mark) -> dict[str, str]:
    return {RESTART: msgspec.json.encode(mark).decode()}


def _delete(api: KubernetesApi, job: Job, deadline: Deadline) -> None:
    # In the background, so that the Job goes before its pods do: were it there when they fail, it would fail too.
    body = client.V1DeleteOptions(
        propagation_policy="Background", preconditions=client.V1Preconditions(uid=job.metadata.uid)
    )
    with contextlib.suppress(GoneError, ConflictError):
        api.delete(api.batch.delete_namespaced_job, deadline, job.metadata.name, job.metadata.namespace, body=body)
