"""What is read of Kubernetes' objects, and no more. The types are the schema: what breaks it is no answer."""

import datetime as dt
from typing import Generic, TypeVar

import msgspec
from msgspec import Struct, field

INCIDENT = "trn-guard.io/incident"
"""Annotation of a node: whose cordon it is."""
CAUSE = "trn-guard.io/cause"
"""Annotation of a node: the verdict's cause."""
RESTART = "trn-guard.io/restart"
"""Annotation of a Job or JobSet: the restart that was asked for last (`Mark`)."""
OPT_OUT = "trn-guard.io/opt-out"
"""Label of a node whose owner wants guard to leave it alone: `true`."""
FIELD_MANAGER = "trn-guard"
"""Who we are in `managedFields`."""
JOBSET_NAME = "jobset.sigs.k8s.io/jobset-name"
"""Label of a JobSet's pods and Jobs."""

Item = TypeVar("Item")


class _Object(Struct, frozen=True, rename="camel"):
    """Kubernetes writes names in camel case, and leaves out what is empty."""


class Owner(_Object, frozen=True):
    """An owner reference."""

    kind: str
    name: str
    uid: str = ""
    controller: bool = False


class ManagedFields(_Object, frozen=True):
    """Which fields somebody set last."""

    manager: str = ""
    fields: msgspec.Raw = field(name="fieldsV1", default_factory=lambda: msgspec.Raw(b"{}"))


class Meta(_Object, frozen=True):
    """Metadata of an object."""

    name: str
    uid: str
    resource_version: str = ""
    namespace: str = ""
    creation_timestamp: dt.datetime | None = None
    deletion_timestamp: dt.datetime | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    owner_references: list[Owner] = []
    managed_fields: list[ManagedFields] = []

    @property
    def created(self) -> int:
        """Unix seconds; 0 where it is not said."""
        return int(self.creation_timestamp.timestamp()) if self.creation_timestamp else 0


class Condition(_Object, frozen=True):
    """A condition of a node, a Job or a JobSet."""

    type: str
    status: str = ""


class NodeSpec(_Object, frozen=True):
    """What a node should be."""

    unschedulable: bool = False
    provider: str = field(name="providerID", default="")


class NodeInfo(_Object, frozen=True):
    """What a node's kubelet says of its machine."""

    machine: str = field(name="machineID", default="")


class NodeStatus(_Object, frozen=True):
    """What a node is."""

    conditions: list[Condition] = []
    node_info: NodeInfo = NodeInfo()


class Node(_Object, frozen=True):
    """A node."""

    metadata: Meta
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()


class PodSpec(_Object, frozen=True):
    """What a pod should be."""

    node_name: str = ""


class PodStatus(_Object, frozen=True):
    """What a pod is."""

    phase: str = ""


class Pod(_Object, frozen=True):
    """A pod."""

    metadata: Meta
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()

    @property
    def live(self) -> bool:
        """Holds its node, or waits for one. One that is asked to go does until it is gone."""
        return self.status.phase not in ("Succeeded", "Failed")


class JobSpec(_Object, frozen=True):
    """What a Job should be."""

    active_deadline_seconds: int | None = None
    managed_by: str | None = None
    suspend: bool = False


class JobStatus(_Object, frozen=True):
    """What a Job is."""

    failed: int = 0
    start_time: dt.datetime | None = None
    conditions: list[Condition] = []


class Job(_Object, frozen=True):
    """A Job."""

    metadata: Meta
    spec: JobSpec = JobSpec()
    status: JobStatus = JobStatus()


class JobSetSpec(_Object, frozen=True):
    """What a JobSet should be."""

    managed_by: str | None = None


class JobSetStatus(_Object, frozen=True):
    """What a JobSet is."""

    restarts: int = 0
    conditions: list[Condition] = []


class JobSet(_Object, frozen=True):
    """A JobSet: Jobs that start and restart together."""

    metadata: Meta
    spec: JobSetSpec = JobSetSpec()
    status: JobSetStatus = JobSetStatus()


class ListMeta(_Object, frozen=True):
    """Whether a list goes on."""

    more: str = field(name="continue", default="")


class Page(_Object, Generic[Item], frozen=True):
    """A part of a list."""

    items: list[Item] | None = None
    metadata: ListMeta = ListMeta()


class Mark(Struct, frozen=True):
    """A restart that was asked for: written before anything is stopped, so that it can be taken up again.

    Attributes:
        after: the restarts number (`JobView.restarts`) at which it was asked for.
        until: creation of the newest pod there was: what is not newer is to go. Unix seconds of the API server.
        count: how many guard asked for, with this one.
    """

    after: int
    until: int
    count: int


def mark_of(annotations: dict[str, str]) -> Mark | None:
    """The restart that was asked for last; None where none was, or the annotation is not of ours."""
    try:
        return msgspec.json.decode(annotations.get(RESTART, ""), type=Mark)
    except msgspec.DecodeError:
        return None


def set_by_guard(meta: Meta, name: str) -> bool:
    """Whether guard was the last to set this field of `spec`, by its name in `managedFields`: `f:…`."""
    return any(entry.manager == FIELD_MANAGER and _sets(entry, name) for entry in meta.managed_fields)


def _sets(entry: ManagedFields, name: str) -> bool:
    try:
        fields = msgspec.json.decode(entry.fields, type=dict[str, object])
    except msgspec.DecodeError:
        return False
    spec = fields.get("f:spec")
    return isinstance(spec, dict) and name in spec
