"""SageMaker HyperPod on Amazon EKS: its service reboots and replaces nodes whose label says so.

It acts only where node recovery is automatic. Guard's own cordon stays on the node beside the label. A node that
was replaced comes back under another name.
"""

from remediation.clusters.kubernetes import KubernetesCluster
from remediation.clusters.kubernetes_api import ConflictError, Deadline
from remediation.clusters.kubernetes_records import Node
from remediation.clusters.kubernetes_views import ours
from remediation.clusters.protocol import ClusterUnavailableError, HeldBackError, NotOursError, Stamp
from remediation.views import NodeView, Repair

HEALTH = "sagemaker.amazonaws.com/node-health-status"
CHECK = "sagemaker.amazonaws.com/deep-health-check-status"
PENDING = {Repair.REBOOT: "UnschedulablePendingReboot", Repair.REPLACE: "UnschedulablePendingReplacement"}
"""What the label says until the repair is done."""


class HyperPodKubernetesCluster(KubernetesCluster):
    """See `remediation.clusters.protocol.Cluster`. `close` it at the end."""

    @property
    def repairs(self) -> frozenset[Repair]:
        """Both."""
        return frozenset(PENDING)

    def uncordon(self, node: NodeView, incident: str, timeout: float) -> None:
        """See the protocol.

        Raises:
            HeldBackError: HyperPod is still at it.
        """
        deadline = Deadline(timeout)
        found = next(self._attempts(node, deadline))
        if ours(found) == incident:
            _idle(found)
        super().uncordon(node, incident, deadline.left())

    def repair(self, node: NodeView, stamp: Stamp, kind: Repair, timeout: float) -> None:
        """See the protocol.

        Raises:
            HeldBackError: there is work on the node, or HyperPod is busy with it.
            NotOursError: it does not carry our cordon.
        """
        deadline = Deadline(timeout)
        for found in self._attempts(node, deadline):
            if ours(found) != stamp.incident:
                raise NotOursError(f"node {node.name} is not cordoned by {stamp.incident}")
            if found.metadata.labels.get(HEALTH) == PENDING[kind]:
                return
            _idle(found)
            there = self.observe(deadline.left()).nodes.get(node.name)
            if there is None:
                raise ClusterUnavailableError(f"node {node.name} is not among those that are looked at")
            if there.jobs:
                raise HeldBackError(f"node {node.name} has work on it: {', '.join(sorted(there.jobs))}")
            meta = {"resourceVersion": found.metadata.resource_version, "labels": {HEALTH: PENDING[kind]}}
            try:
                self._api.patch(self._api.core.patch_node, deadline, node.name, body={"metadata": meta})
            except ConflictError:
                continue
            return


def _idle(node: Node) -> None:
    """HyperPod does nothing to the node now.

    Raises:
        HeldBackError: it does.
    """
    health = node.metadata.labels.get(HEALTH, "")
    if health in PENDING.values():
        raise HeldBackError(f"HyperPod repairs node {node.metadata.name}: {health}")
    if node.metadata.labels.get(CHECK) == "InProgress":
        raise HeldBackError(f"HyperPod checks node {node.metadata.name}")
