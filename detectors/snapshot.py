"""What a detector hands to the one that takes a job over: the fold's state between two windows.

Folding what came before a snapshot and what comes after it gives the same as going on from the snapshot: it names
the oldest record that it does not hold (``offset``), and whoever takes over reads again from there. So the open
window, which is large, is not in it, and a snapshot of 62,500 nodes is some tens of megabytes.
"""

import hashlib
from typing import Any

import msgspec

from collectors.telemetry import RecordError, UnknownVersionError
from detectors.arrival import ArrivalState
from detectors.course import CourseState
from detectors.docket import DocketState
from detectors.judge import JudgeState
from detectors.members import MemberState
from detectors.policy import Policy
from detectors.standing import Grounds
from detectors.verdict import Verdict
from detectors.window import Numbering

_VERSION = 4


class JobState(msgspec.Struct):
    """One job, see :class:`detectors.job.JobFold`."""

    attempt: int
    edge: float
    open: bool
    start: float
    stepped: float
    longest: float
    unsynced: bool
    grounds: Grounds
    apart: list[int]
    window: Numbering
    members: list[MemberState]
    free: list[int]
    docket: DocketState
    judge: JudgeState
    course: CourseState
    said: list[Verdict]
    past: dict[str, list[float]]


class IdleState(msgspec.Struct, array_like=True):
    """One idle node, see :class:`detectors.idle.IdleFold`."""

    node: str
    instance: str
    last: float
    silent: bool
    said: Verdict | None


class Following(msgspec.Struct):
    """A job, or some idle nodes, with their arrivals."""

    cluster: str
    job: str | None
    arrivals: list[ArrivalState]
    state: JobState | list[IdleState]


class Snapshot(msgspec.Struct, frozen=True):
    """The state of one job, or of a cluster's idle nodes of one partition.

    Attributes:
        cluster: the fleet.
        job: the job; None: the idle nodes.
        offset: of the oldest record that is not in the state: where reading begins again.
        state: encoded; None: there is nothing any more, and earlier snapshots are void.
    """

    cluster: str
    job: str | None
    offset: int
    state: bytes | None


def edition(policy: Policy) -> str:
    """What a snapshot must say to be used: its version, and the policy it was made under."""
    digest = hashlib.blake2b(msgspec.json.encode(policy), digest_size=6).hexdigest()
    return f"{_VERSION}/{digest}"


def encode(edition: str, following: Following) -> bytes:
    """Write a state."""
    return msgspec.msgpack.encode((edition, following))


def decode(edition: str, state: bytes) -> Following:
    """Read a state.

    Raises:
        UnknownVersionError: it is of another version, or was made under another policy.
        RecordError: it is damaged.
    """
    try:
        found, raw = msgspec.msgpack.decode(state, type=tuple[str, msgspec.Raw])
        if found != edition:
            raise UnknownVersionError(f"a snapshot of edition {found[:40]!r}, this detector makes {edition!r}")
        following: Any = msgspec.msgpack.decode(raw, type=Following, strict=True)
    except (msgspec.DecodeError, ValueError) as error:
        if isinstance(error, RecordError):
            raise
        raise RecordError(f"a snapshot that cannot be read: {error}") from error
    if not isinstance(following, Following):
        raise RecordError("a snapshot that is none")
    return following
