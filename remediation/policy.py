"""What remediation is told: the mode of each act, every rail's limit, its default, and why.

``guard.config`` takes :class:`Policy` as the type of ``remediation.policy``; the type is the schema. The
defaults are those of a first day: guard watches and writes what it would have done.
"""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from remediation.rail_policy import (
    Attempts,
    CoolDown,
    OutOfService,
    Storm,
    TimeOfWeek,
)

__all__ = [
    "Attempts",
    "Checkpoint",
    "Confirm",
    "CoolDown",
    "Economy",
    "Lead",
    "Mode",
    "Modes",
    "Otherwise",
    "OutOfService",
    "Policy",
    "RepairChoice",
    "Storm",
    "TimeOfWeek",
]  # fmt: skip


class Mode(StrEnum):
    """What guard does with an act that every rail allows."""

    OBSERVE = "observe"
    RECOMMEND = "recommend"
    APPROVE = "approve"
    AUTO = "auto"


class Otherwise(StrEnum):
    """What follows when a checkpoint that was asked for did not come."""

    WAIT = "wait"
    GO_ON = "go-on"


class RepairChoice(StrEnum):
    """What a cluster is asked to do with a drained node that reported a hard fault."""

    NONE = "none"
    REBOOT = "reboot"
    REPLACE = "replace"


class Modes(Struct, frozen=True, forbid_unknown_fields=True):
    """The mode of each act. `observe` and `recommend` write what guard would do, `recommend` tells people too."""

    cordon: Annotated[Mode, Meta(description="take a node out of service: no new work comes to it")] = Mode.OBSERVE
    checkpoint: Annotated[Mode, Meta(description="ask a job for a checkpoint at a step")] = Mode.OBSERVE
    restart: Annotated[Mode, Meta(description="start a job anew without the node")] = Mode.OBSERVE
    repair: Annotated[Mode, Meta(description="ask the cluster to reboot or replace a drained node")] = Mode.OBSERVE
    release: Annotated[
        Mode,
        Meta(description="undo a cordon of ours that no open incident needs; what people order is always done"),
    ] = Mode.OBSERVE


class Confirm(Struct, frozen=True, forbid_unknown_fields=True):
    """How long an accusation must stand until the node is acted on: a flapping verdict never does."""

    warning: Annotated[float, Meta(ge=0, le=86400, description="seconds, for a node that slows its job")] = 60.0
    critical: Annotated[
        float,
        Meta(ge=0, le=3600, description="seconds, for a hang or a hard fault: one window, so that a storm shows"),
    ] = 10.0


class Economy(Struct, frozen=True, forbid_unknown_fields=True):
    """What a restart costs and saves, where neither cluster nor telemetry tell. Seconds of the whole job."""

    remaining: Annotated[
        float, Meta(ge=0, le=1e8, description="a job's remaining time, where its scheduler knows no end")
    ] = 86400.0
    restart: Annotated[float, Meta(ge=0, le=86400, description="from the stop until steps are made again")] = 600.0
    lost_work: Annotated[
        float, Meta(ge=0, le=1e6, description="work lost by a restart, where no checkpoint is known of")
    ] = 1800.0
    checkpoint: Annotated[float, Meta(ge=0, le=86400, description="what writing a checkpoint holds up")] = 60.0


class Checkpoint(Struct, frozen=True, forbid_unknown_fields=True):
    """The request for a checkpoint before a restart."""

    path: Annotated[
        str,
        Meta(
            max_length=1000, description="file on storage that all ranks see, with {job}; empty: none is asked for"
        ),
    ] = ""
    margin: Annotated[
        float,
        Meta(ge=1, le=600, description="seconds that the request stands before its step, so that all see it"),
    ] = 5.0
    steps: Annotated[int, Meta(ge=1, le=10000, description="least steps between the newest and that step")] = 3
    within: Annotated[float, Meta(gt=0, le=86400, description="seconds until every rank must have written it")] = (
        600.0
    )
    otherwise: Annotated[
        Otherwise,
        Meta(description="then: wait for the job's next natural break, or go on from the checkpoint there is"),
    ] = Otherwise.WAIT
    age: Annotated[
        float, Meta(gt=0, le=1e6, description="seconds of work that a restart of a job that runs may lose")
    ] = 3600.0

    def __post_init__(self) -> None:
        """Refuse a template that names one file for all jobs."""
        if self.path and "{job}" not in self.path:
            raise ValueError(
                f"checkpoint.path is {self.path!r}, expected {{job}} in it: each job has its own file"
            )


class Lead(Struct, frozen=True, forbid_unknown_fields=True):
    """Times of the leader's acts."""

    deadline: Annotated[float, Meta(gt=0, le=600, description="seconds that an act may take")] = 60.0
    expires: Annotated[float, Meta(gt=0, le=600, description="seconds within which an intent must be begun")] = (
        60.0
    )


class Policy(Struct, frozen=True, forbid_unknown_fields=True):
    """How guard acts, and how far it may go. Times in seconds."""

    modes: Modes = Modes()
    observe: Annotated[float, Meta(ge=0.5, le=300, description="seconds between two looks at the cluster")] = 15.0
    view_age: Annotated[float, Meta(gt=0, le=3600, description="a look older than this is no ground to act")] = (
        60.0
    )
    verdict_age: Annotated[
        float, Meta(gt=0, le=86400, description="a verdict older than this (three refreshes) is no ground to act")
    ] = 900.0
    gone: Annotated[
        float, Meta(ge=0, le=86400, description="a node that the cluster does not show for this long is gone")
    ] = 300.0
    # What the detector accuses by the slowness alone it is 0.8 sure of, and 0.9 at the most.
    confidence: Annotated[float, Meta(ge=0, le=1, description="least confidence of a verdict acted on")] = 0.8
    peers: Annotated[
        int, Meta(ge=0, le=1000, description="least other nodes of the job; a hard fault needs none")
    ] = 3
    spares: Annotated[
        int, Meta(ge=0, le=10000, description="idle nodes that must be there before a busy one is taken out")
    ] = 1
    actions: Annotated[
        int, Meta(ge=1, le=1000, description="acts of one kind in an hour, in the whole cluster")
    ] = 4
    confirm: Confirm = Confirm()
    out: OutOfService = OutOfService()
    attempts: Attempts = Attempts()
    cool_down: CoolDown = CoolDown()
    storm: Storm = Storm()
    economy: Economy = Economy()
    checkpoint: Checkpoint = Checkpoint()
    verify: Annotated[
        float,
        Meta(gt=0, le=86400, description="seconds within which a restarted job must run, resumed and faster"),
    ] = 900.0
    lead: Lead = Lead()
    approval: Annotated[float, Meta(gt=0, le=604800, description="seconds for which an approval stands")] = 3600.0
    order_age: Annotated[float, Meta(gt=0, le=86400, description="an order older than this is refused")] = 600.0
    repair: Annotated[
        RepairChoice, Meta(description="for a drained node that reported a hard fault: none, reboot or replace")
    ] = RepairChoice.NONE
    maintenance: Annotated[
        list[TimeOfWeek], Meta(description="times of the week, in UTC, when guard takes nothing out")
    ] = []
