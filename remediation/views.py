"""What a cluster says of itself: nodes and jobs at one moment. A level, never an event: nothing can be missed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class JobState(StrEnum):
    """Where a job stands with its scheduler."""

    RUNNING = "running"
    WAITING = "waiting"
    ENDED = "ended"


class Repair(StrEnum):
    """What a cluster may do to a broken node."""

    REBOOT = "reboot"
    REPLACE = "replace"


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node as its cluster sees it.

    Attributes:
        name: the scheduler's name.
        instance: the hardware behind the name, comparable to a verdict's; None where the cluster cannot tell.
        identity: changes whenever the node is made anew under the same name (a Kubernetes UID, Slurm's boot
            time and address); an act is bound to it. Empty where the cluster has none.
        ready: takes work, were it not cordoned; False while it is down or gone from the network.
        cordoned: takes no new work, whoever said so.
        incident: whose cordon it is, where guard stamped it; None for a person's or another tool's.
        reason: the cluster's word on why it is cordoned, made harmless for a terminal by whoever prints it.
        opted_out: its owner wants guard to leave it alone.
        domains: fault domains by kind (`rack`, `ultraserver`, …).
        jobs: names of the jobs with work on it now.
    """

    name: str
    instance: str | None = None
    identity: str = ""
    ready: bool = True
    cordoned: bool = False
    incident: str | None = None
    reason: str = ""
    opted_out: bool = False
    domains: Mapping[str, str] = field(default_factory=dict)
    jobs: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class JobView:
    """A job as its scheduler sees it.

    Attributes:
        name: as in telemetry.
        state: waiting, running, ended.
        nodes: where it runs; empty while it waits.
        restarts: grows by one or more with every start anew: a restart is asked for at one number, and done when
            the job runs at a higher one.
        restarted_by: who else restarts it (auto-resume); None: nobody, so guard may.
        ends: when its time limit takes it, Unix seconds; None: never, or unknown.
        halted: guard stopped it for a restart that was cut off before it was started again. It stays so until the
            restart is asked for once more.
    """

    name: str
    state: JobState
    nodes: frozenset[str] = frozenset()
    restarts: int = 0
    restarted_by: str | None = None
    ends: float | None = None
    halted: bool = False


@dataclass(frozen=True, slots=True)
class ClusterView:
    """All nodes that guard may act on, and the jobs on them. Whole: an adapter that saw a part raises instead."""

    nodes: Mapping[str, NodeView]
    jobs: Mapping[str, JobView]
