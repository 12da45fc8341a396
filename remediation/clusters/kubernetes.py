"""A Kubernetes cluster, through the official client.

A cordon is `spec.unschedulable`, with annotations that say whose it is, and no taint of guard's own: the node
controller makes one of it, `kubectl uncordon` undoes all of it, and the API server keeps who set it last. What is
written depends on what was read: with its `resourceVersion`, and once more after a conflict.

Least privilege (`deploy/kubernetes/rbac.yaml`): get, list and patch nodes; get and list pods; create evictions and
events; get, list, patch and delete Jobs; get, list and patch JobSets.
"""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from kubernetes import client, config
from kubernetes.config import ConfigException

from remediation.clusters.kubernetes_api import ConflictError, Deadline, KubernetesApi
from remediation.clusters.kubernetes_events import node_event
from remediation.clusters.kubernetes_records import CAUSE, INCIDENT, Job, Node, Pod
from remediation.clusters.kubernetes_restart import Restart, all_jobsets
from remediation.clusters.kubernetes_views import DOMAINS, Objects, cordoned, ours, view
from remediation.clusters.protocol import (
    ClusterError,
    ClusterUnavailableError,
    GoneError,
    HeldBackError,
    NotOursError,
    RefusedError,
    Stamp,
)
from remediation.views import ClusterView, JobView, NodeView, Repair

_ATTEMPTS = 5
"""Of a write that meets another one. Kubelets write to their nodes every 10 s at most: two in a row are rare."""


@dataclass(frozen=True, slots=True)
class KubernetesSettings:
    """What of a cluster is guard's business.

    Attributes:
        nodes: a label selector; empty: all nodes.
        namespace: where the jobs are; None: everywhere.
        domains: fault domains, by the label that tells each.
    """

    nodes: str = ""
    namespace: str | None = None
    domains: Mapping[str, str] = field(default_factory=lambda: DOMAINS)


def connect(kubeconfig: Path | None = None) -> client.Configuration:
    """How to reach the API server: the pod's service account, or a kubeconfig.

    Raises:
        RefusedError: neither is there, or it cannot be read.
    """
    configuration = client.Configuration()
    try:
        if kubeconfig is None:
            config.load_incluster_config(  # type: ignore[no-untyped-call]
                client_configuration=configuration
            )
        else:
            config.load_kube_config(  # type: ignore[no-untyped-call]
                str(kubeconfig), client_configuration=configuration
            )
    except (ConfigException, OSError, TypeError, yaml.YAMLError) as error:
        raise RefusedError(f"no way to Kubernetes: {kubeconfig or 'no service account'}: {error}") from error
    return configuration


class KubernetesCluster:
    """See `remediation.clusters.protocol.Cluster`. `close` it at the end."""

    def __init__(
        self, configuration: client.Configuration, settings: KubernetesSettings = KubernetesSettings()
    ) -> None:
        self._api = KubernetesApi(configuration)
        self._settings = settings

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    @property
    def repairs(self) -> frozenset[Repair]:
        """None: Kubernetes has no word for a reboot, nor for a new machine."""
        return frozenset()

    def observe(self, timeout: float) -> ClusterView:
        """See the protocol."""
        api, deadline, where = self._api, Deadline(timeout), self._settings
        space = where.namespace
        names = () if space is None else (space,)
        pods = api.core.list_pod_for_all_namespaces if space is None else api.core.list_namespaced_pod
        jobs = api.batch.list_job_for_all_namespaces if space is None else api.batch.list_namespaced_job
        try:
            # Pods first: a pod whose job is not there afterwards is left of one that was deleted.
            objects = Objects(
                pods=api.all(pods, Pod, deadline, *names),
                jobs=api.all(jobs, Job, deadline, *names),
                jobsets=all_jobsets(api, space, deadline),
                nodes=api.all(api.core.list_node, Node, deadline, label_selector=where.nodes),
            )
        except ClusterUnavailableError:
            raise
        except ClusterError as error:
            raise ClusterUnavailableError(str(error)) from error
        return view(objects, where.domains)

    def cordon(self, node: NodeView, stamp: Stamp, timeout: float) -> None:
        """See the protocol."""
        deadline = Deadline(timeout)
        for found in self._attempts(node, deadline):
            if cordoned(found):
                if ours(found) == stamp.incident:
                    return
                raise NotOursError(f"node {node.name} is cordoned by {ours(found) or 'somebody else'}")
            notes = {INCIDENT: stamp.incident, CAUSE: stamp.cause}
            if self._write(found, True, notes, deadline):
                node_event(self._api, found, "Cordoned", f"guard: {stamp.incident} {stamp.cause}", deadline)
                return

    def uncordon(self, node: NodeView, incident: str, timeout: float) -> None:
        """See the protocol."""
        deadline = Deadline(timeout)
        for found in self._attempts(node, deadline):
            if cordoned(found) and ours(found) != incident:
                raise NotOursError(f"node {node.name} is cordoned by {ours(found) or 'somebody else'}")
            if not cordoned(found) and INCIDENT not in found.metadata.annotations:
                return
            if self._write(found, None, {INCIDENT: None, CAUSE: None}, deadline):
                node_event(self._api, found, "Uncordoned", f"guard: {incident}", deadline)
                return

    def restart(self, job: JobView, node: NodeView, timeout: float) -> None:
        """See the protocol, and `remediation.clusters.kubernetes_restart`."""
        deadline = Deadline(timeout)
        for _ in range(_ATTEMPTS):
            with contextlib.suppress(ConflictError):  # its controller wrote to it: look again
                Restart(self._api, job, node, deadline).step()
                return
        raise HeldBackError(f"others write to job {job.name} all the time")

    def repair(self, node: NodeView, stamp: Stamp, kind: Repair, timeout: float) -> None:  # noqa: ARG002
        """See the protocol. Always refused."""
        raise RefusedError(f"Kubernetes cannot {kind} node {node.name}: a person, or the cloud, must")

    def _attempts(self, node: NodeView, deadline: Deadline) -> Iterator[Node]:
        """The node as it is now, again for every write that met another one."""
        for _ in range(_ATTEMPTS):
            found = self._api.one(self._api.core.read_node, Node, deadline, node.name)
            if found.metadata.uid != node.identity:
                raise GoneError(f"node {node.name} is another one by now: made anew under the same name")
            yield found
        raise HeldBackError(f"others write to node {node.name} all the time")

    def _write(
        self, node: Node, unschedulable: bool | None, notes: Mapping[str, str | None], deadline: Deadline
    ) -> bool:
        """Write, unless somebody wrote since `node` was read: False then."""
        meta = node.metadata
        body = {
            # The name of an instance that was made anew is taken, its resourceVersion never.
            "metadata": {"resourceVersion": meta.resource_version, "annotations": notes},
            "spec": {"unschedulable": unschedulable},
        }
        with contextlib.suppress(ConflictError):
            self._api.patch(self._api.core.patch_node, deadline, meta.name, body=body)
            return True
        return False
