"""One test's part of the cluster: a namespace, and nodes whose names and labels no other test has."""

import contextlib
import time
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Self

from kubernetes import client
from kubernetes.client.exceptions import ApiException

from remediation.clusters.kubernetes import KubernetesCluster, KubernetesSettings
from tests.cluster_contract import World
from tests.kube_kubelets import Kubelets
from tests.kube_server import KubeServer

_SECONDS = 30.0
_HYPERPOD_RESUME = "sagemaker.amazonaws.com/enable-job-auto-resume"


def until(condition: Callable[[], object], what: str, seconds: float = _SECONDS) -> None:
    """Wait for a condition, or fail."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)


class KubeWorld(World):
    """Four nodes of room for one pod of a job each. Its kubelets run between ``with`` and its end."""

    def __init__(self, server: KubeServer) -> None:
        self.server = server
        self.namespace = f"t{uuid.uuid4().hex[:8]}"
        self.settings = KubernetesSettings(nodes=f"world={self.namespace}", namespace=self.namespace)
        self.nodes = tuple(f"{self.namespace}-n{number}" for number in range(4))
        self.cluster: KubernetesCluster = KubernetesCluster(server.configuration(), self.settings)
        self.api = server.client()
        self.core = client.CoreV1Api(self.api)
        self.batch = client.BatchV1Api(self.api)
        self.policy = client.PolicyV1Api(self.api)
        self.kubelets = Kubelets(server, self.namespace)

    def __enter__(self) -> Self:
        self.core.create_namespace({"metadata": {"name": self.namespace}})
        for number, name in enumerate(self.nodes):
            self.make_node(name, f"i-0000000{number}")
        until(self._has_account, "the namespace has its service account")
        self.kubelets.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kubelets.stop()
        self.cluster.close()
        for name in self.nodes:
            with contextlib.suppress(ApiException):
                self.core.delete_node(name)
        self.core.delete_namespace(self.namespace)
        self.api.close()

    def run(self, nodes: tuple[str, ...]) -> str:
        return self.start_job("train", nodes)

    def start_job(self, name: str, nodes: tuple[str, ...], **spec: object) -> str:
        """A Job with a pod on each of the nodes; its name in views. Back when all of them run."""
        body = {"metadata": {"name": name}, "spec": {**job_spec(self.namespace, nodes), **spec}}
        self.batch.create_namespaced_job(self.namespace, body)
        until(lambda: {pod.spec.node_name for pod in self.running(name)} == set(nodes), f"{name} runs on {nodes}")
        return f"{self.namespace}/{name}"

    def stop(self, job: str) -> None:
        self.batch.delete_namespaced_job(job.partition("/")[2], self.namespace, propagation_policy="Background")

    def cordon(self, node: str, reason: str) -> None:
        self.core.patch_node(node, {"spec": {"unschedulable": True}}, field_manager="kubectl-cordon")

    def uncordon(self, node: str) -> None:
        self.core.patch_node(node, {"spec": {"unschedulable": None}}, field_manager="kubectl-uncordon")

    def silence(self) -> AbstractContextManager[Any]:
        return self.server.paused()

    def recreate(self, node: str) -> None:
        self.core.delete_node(node)
        self.make_node(node, "i-99999999")

    def own_restarts(self, job: str) -> None:
        notes = {"metadata": {"annotations": {_HYPERPOD_RESUME: "true"}}}
        self.batch.patch_namespaced_job(job.partition("/")[2], self.namespace, notes)

    def opt_out(self, node: str) -> None:
        self.core.patch_node(node, {"metadata": {"labels": {"trn-guard.io/opt-out": "true"}}})

    def make_node(self, name: str, instance: str) -> None:
        """A node that is ready and has room."""
        labels = {"world": self.namespace, "kubernetes.io/hostname": name, "topology.kubernetes.io/zone": "west-a"}
        self.core.create_node(
            {
                "metadata": {"name": name, "labels": labels},
                "spec": {"providerID": f"aws:///west-a/{instance}"},
            }
        )
        room = {"cpu": "4", "memory": "8Gi", "pods": "10"}
        ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": ""}
        status = {"capacity": room, "allocatable": room, "conditions": [ready]}
        self.core.patch_node_status(name, {"status": status})
        # Admission taints a new node until the node controller saw it ready; that one does not run here.
        self.core.patch_node(name, {"spec": {"taints": None}})

    def node(self, index: int) -> client.V1Node:
        return self.core.read_node(self.nodes[index])

    def pods(self, job: str) -> list[client.V1Pod]:
        return self._labelled(f"batch.kubernetes.io/job-name={job}")

    def running(self, job: str) -> list[client.V1Pod]:
        return self.running_of(f"batch.kubernetes.io/job-name={job}")

    def running_of(self, label: str) -> list[client.V1Pod]:
        return [
            pod
            for pod in self._labelled(label)
            if pod.status.phase == "Running" and pod.metadata.deletion_timestamp is None
        ]

    def _labelled(self, label: str) -> list[client.V1Pod]:
        return self.core.list_namespaced_pod(self.namespace, label_selector=label).items

    def budget(self, name: str, available: int, allowed: int) -> None:
        """A disruption budget over all jobs' pods. Back when the disruption controller allows what it should.

        ``minAvailable`` with a number is the only one that knows Jobs: any other asks the owner for its scale.
        """
        selector = {"matchLabels": {"app": "train"}}
        body = {"metadata": {"name": name}, "spec": {"minAvailable": available, "selector": selector}}
        self.policy.create_namespaced_pod_disruption_budget(self.namespace, body)

        def judged() -> bool:
            status = self.policy.read_namespaced_pod_disruption_budget(name, self.namespace).status
            return bool(status and status.expected_pods and status.disruptions_allowed == allowed)

        until(judged, f"budget {name} is judged")

    def _has_account(self) -> bool:
        accounts = self.core.list_namespaced_service_account(self.namespace).items
        return any(account.metadata.name == "default" for account in accounts)


def job_spec(world: str, nodes: tuple[str, ...]) -> dict[str, Any]:
    """Of a Job with a pod on each of the nodes, or on others where these take none."""
    wished = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": list(nodes)}]}
    affinity = {
        "nodeAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "preference": wished}]
        }
    }
    container = {"name": "train", "image": "none", "resources": {"requests": {"cpu": "3"}}}
    return {
        "parallelism": len(nodes),
        "completions": len(nodes),
        "completionMode": "Indexed",
        "template": {
            "metadata": {"labels": {"app": "train"}},
            "spec": {
                "restartPolicy": "Never",
                "nodeSelector": {"world": world},
                "affinity": affinity,
                "terminationGracePeriodSeconds": 1,
                "containers": [container],
            },
        },
    }
