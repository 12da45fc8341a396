"""What is simulated: a job, its noise, its faults and disturbances, and who is to be accused.

A case is a value: the same case gives the same telemetry, to the last bit, in either form (`stream`, `records`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from detectors.verdict import Cause, Role

START = 1_790_000_000.0
"""Unix seconds at which a case begins: a multiple of every usual period."""


class FaultKind(StrEnum):
    """What breaks."""

    COMPUTE = "compute"  # all ranks of a node
    CORE = "core"  # one rank
    DEVICE = "device"  # all ranks of one device
    DRIFT = "drift"  # a node that grows slower over ten minutes
    THROTTLE = "throttle"  # a node that is slow for a third of every three minutes
    INTERMITTENT = "intermittent"  # a node that is slow in one step of `every`
    MEMORY = "memory"  # memory of one device, which corrects errors
    HOST = "host"  # contention for a node's processors
    INPUT = "input"  # a node that waits for its data
    LINK = "link"  # loss at a node's adapter: its whole data-parallel group transfers slowly
    STORAGE = "storage"  # a node whose checkpoints stall
    AGENT = "agent"  # a node whose agent dies: nothing is known of it, and nothing is wrong
    RACK = "rack"  # all nodes of one rack
    HANG = "hang"  # a rank that never ends its step
    HARD = "hard"  # hardware reports an error that cannot be corrected


class Disturbance(StrEnum):
    """What happens to healthy jobs and must never lead to an accusation."""

    UNEQUAL_BATCHES = "unequal-batches"  # and `work` is not given
    GIVEN_WORK = "given-work"  # unequal batches, and `work` is given
    UNEQUAL_STAGES = "unequal-stages"
    EXPERT_IMBALANCE = "expert-imbalance"  # with `ep` given; needs a shape with experts
    RECOMPILATION = "recompilation"  # all ranks at once, a few times
    LONE_RECOMPILATION = "lone-recompilation"  # single nodes, once
    CHECKPOINT = "checkpoint"
    GARBAGE_COLLECTION = "garbage-collection"
    WARM_UP = "warm-up"  # the case begins with a restart
    RESIZE = "resize"  # replicas join, others leave
    EVALUATION = "evaluation"
    FILE_SYSTEM_STALL = "file-system-stall"  # everybody reads slowly
    LATE = "late"  # these four happen to records
    LOST = "lost"
    REPEATED = "repeated"
    REORDERED = "reordered"
    CLOCK_SKEW = "clock-skew"
    AGENT_DEATH = "agent-death"  # a node's records end
    QUIET = "quiet"  # a node's records stop for some minutes


class Expected(NamedTuple):
    """What is right to say of an accused node. `device` is None where no device stands out."""

    role: Role
    cause: Cause
    device: int | None = None


_CAUSES: Mapping[FaultKind, tuple[Role, Cause]] = {
    FaultKind.COMPUTE: (Role.CULPRIT, Cause.COMPUTE),
    FaultKind.CORE: (Role.CULPRIT, Cause.COMPUTE),
    FaultKind.DEVICE: (Role.CULPRIT, Cause.COMPUTE),
    FaultKind.DRIFT: (Role.CULPRIT, Cause.COMPUTE),
    FaultKind.THROTTLE: (Role.CULPRIT, Cause.COMPUTE),
    FaultKind.INTERMITTENT: (Role.CULPRIT, Cause.COMPUTE),
    FaultKind.MEMORY: (Role.CULPRIT, Cause.MEMORY),
    FaultKind.HOST: (Role.CULPRIT, Cause.HOST),
    FaultKind.INPUT: (Role.CULPRIT, Cause.INPUT),
    FaultKind.LINK: (Role.LINK, Cause.NETWORK),
    FaultKind.STORAGE: (Role.CULPRIT, Cause.STORAGE),
    FaultKind.HANG: (Role.CULPRIT, Cause.UNKNOWN),
    FaultKind.HARD: (Role.CULPRIT, Cause.DEVICE),
}
"""Kinds that are some node's; the others (agent, rack) are nobody's."""

_ON_DEVICE = frozenset({FaultKind.CORE, FaultKind.DEVICE, FaultKind.MEMORY, FaultKind.HARD})


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that breaks.

    Attributes:
        kind: what.
        nodes: where.
        start, end: seconds since the case began; None: until the case ends.
        factor: mean own work of the ranks hit over what it would be (for `LINK` and `STORAGE`: the time that is
            added to each step, or by its checkpoints to the average step, is `factor - 1` of a rank's own work).
        rank: local rank that is hit, or that sits on the device that is hit.
        every: the slow step comes once in so many, and is so much slower that `factor` holds on average:
            three times slower in one step of ten is `factor=1.2, every=10`.
    """

    kind: FaultKind
    nodes: tuple[int, ...]
    start: float
    end: float | None = None
    factor: float = 1.5
    rank: int | None = None
    every: int = 1


@dataclass(frozen=True, slots=True)
class Shape:
    """How a job is laid out. Every node lies within one pipeline stage; stages are blocks of nodes.

    Attributes:
        nodes: a multiple of `stages`, at least 4 to a stage.
        ranks: of each node.
        devices: of each node; ranks are dealt to them in blocks.
        stages: of the pipeline.
        microbatches: per step and replica: the more, the more the slowest stage alone decides.
        tensor: tensor-parallel ranks, side by side within a node.
        experts: expert roles; nodes of a stage take them in turn.
        rack: consecutive nodes that share a rack.
    """

    nodes: int = 8
    ranks: int = 4
    devices: int = 2
    stages: int = 1
    microbatches: int = 8
    tensor: int = 1
    experts: int = 1
    rack: int = 8

    def __post_init__(self) -> None:
        """Refuse a layout with holes in it."""
        if self.nodes % self.stages or self.nodes < 4 * self.stages:
            raise ValueError(
                f"{self.nodes} nodes, expected a multiple of {self.stages} stages, 4 or more to a stage"
            )
        if self.ranks % self.devices or self.ranks % self.tensor or (self.nodes // self.stages) % self.experts:
            raise ValueError("devices and tensor must divide ranks, and experts the nodes of a stage")

    @property
    def replicas(self) -> int:
        """Nodes of a stage, and so the number of node-wide data-parallel replicas."""
        return self.nodes // self.stages

    def device(self, rank: int) -> int:
        """Tell the device of a local rank."""
        return rank * self.devices // self.ranks


@dataclass(frozen=True, slots=True)
class Noise:
    """What healthy nodes differ by: standard deviations of logarithms.

    Attributes:
        step: of own work per step, common to all ranks.
        node: of own work per step and node.
        rank: of own work per step and rank.
        work: of the work (tokens) per step and replica.
        given: whether the job tells its work.
        spread: persistent differences between nodes are uniform within ± this.
    """

    step: float = 0.0
    node: float = 0.0
    rank: float = 0.0045
    work: float = 0.0
    given: bool = False
    spread: float = 0.02


@dataclass(frozen=True, slots=True)
class Case:
    """One job that is watched for some time.

    Attributes:
        seed: of all chance in it.
        name: unique within its suite.
        shape: layout.
        step: seconds of a healthy step.
        minutes: how long.
        period: seconds of a telemetry record.
        noise: of healthy nodes.
        sections: whether the job reports sections.
        synced: whether it synchronises at their ends.
        hardware: whether there are signals beside the steps.
        faults, disturbances: what happens.
    """

    seed: int
    name: str
    shape: Shape = field(default_factory=Shape)
    step: float = 1.0
    minutes: float = 30.0
    period: float = 10.0
    noise: Noise = field(default_factory=Noise)
    sections: bool = True
    synced: bool = True
    hardware: bool = True
    faults: tuple[Fault, ...] = ()
    disturbances: frozenset[Disturbance] = frozenset()

    @property
    def truth(self) -> dict[int, Expected]:
        """Who is to be accused, and of what, by node index. Empty where nobody is."""
        return {
            node: Expected(*_CAUSES[fault.kind], self._device(fault))
            for fault in self.faults
            if fault.kind in _CAUSES
            for node in fault.nodes
        }

    @property
    def domain(self) -> tuple[str, int] | None:
        """Label and number of the fault domain that is slow as a whole."""
        racks = [fault.nodes[0] // self.shape.rack for fault in self.faults if fault.kind is FaultKind.RACK]
        return ("rack", racks[0]) if racks else None

    @property
    def onset(self) -> float | None:
        """Unix seconds at which the first fault begins; None in a healthy case."""
        return START + min(fault.start for fault in self.faults) if self.faults else None

    def _device(self, fault: Fault) -> int | None:
        known = fault.kind in _ON_DEVICE and fault.rank is not None
        return self.shape.device(fault.rank) if known and fault.rank is not None else None
