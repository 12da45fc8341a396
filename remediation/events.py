"""What the controller is told. Each event is a fact with no effect of its own; `Tick` is when it decides."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from detectors.verdict import JobVerdict, Verdict
from remediation.ledger import Record
from remediation.orders import Order
from remediation.views import ClusterView


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job's ranks have come, put together from the newest telemetry of its nodes.

    Attributes:
        time: of the oldest of these records, Unix seconds: nothing here is older.
        attempt: of the job, as telemetry counts it; only records of one attempt belong together.
        nodes: whose records these are; ranks on other nodes are unknown, which is not "done".
        steps: newest finished step by rank.
        checkpoints: newest step by rank for which a checkpoint was written; absent: none known.
        resumed: step by rank from which this attempt went on; absent: not known.
        step_time: seconds of a step now, over all ranks.
    """

    time: float
    attempt: int
    nodes: frozenset[str]
    steps: Mapping[int, int]
    checkpoints: Mapping[int, int] = field(default_factory=dict)
    resumed: Mapping[int, int] = field(default_factory=dict)
    step_time: float | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """A detector's newest verdict about a node."""

    verdict: Verdict


@dataclass(frozen=True, slots=True)
class JobSaid:
    """A detector's newest word on a job."""

    job: JobVerdict


@dataclass(frozen=True, slots=True)
class Observed:
    """The cluster, looked at just now."""

    view: ClusterView


@dataclass(frozen=True, slots=True)
class Unobserved:
    """The cluster could not be looked at: trouble of the control plane, and of no node."""

    reason: str


@dataclass(frozen=True, slots=True)
class Ordered:
    """An operator's order. `id` is its place on the bus, "partition-offset"."""

    order: Order
    id: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """A record of the ledger was read at `offset`: one's own read back, another's, or history."""

    record: Record
    offset: int


@dataclass(frozen=True, slots=True)
class Progressed:
    """How far a followed job has come."""

    job: str
    progress: Progress


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed: about once a second."""


Event = Said | JobSaid | Observed | Unobserved | Ordered | Recorded | Progressed | Tick
