"""Events on nodes: `kubectl describe node` tells what guard did. A courtesy: the ledger is the truth."""

import contextlib
import datetime as dt

from kubernetes import client

from remediation.clusters.kubernetes_api import Deadline, KubernetesApi
from remediation.clusters.kubernetes_records import FIELD_MANAGER, Node
from remediation.clusters.protocol import ClusterError

_NAMESPACE = "default"
"""Where events of nodes are looked for: a node is in no namespace."""


def node_event(api: KubernetesApi, node: Node, reason: str, message: str, deadline: Deadline) -> None:
    """Write one; what was done stays done where this fails."""
    now = dt.datetime.now(dt.UTC)
    event = client.CoreV1Event(
        metadata=client.V1ObjectMeta(generate_name=f"{FIELD_MANAGER}-", namespace=_NAMESPACE),
        involved_object=client.V1ObjectReference(
            api_version="v1", kind="Node", name=node.metadata.name, uid=node.metadata.uid
        ),
        reason=reason,
        message=message,
        type="Warning" if reason == "Cordoned" else "Normal",
        source=client.V1EventSource(component=FIELD_MANAGER),
        first_timestamp=now,
        last_timestamp=now,
        count=1,
    )
    with contextlib.suppress(ClusterError):
        api.change(api.core.create_namespaced_event, deadline, _NAMESPACE, body=event)
