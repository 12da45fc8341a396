"""Records of `guard.ledger`: every intent before its act, every outcome after it, and why nothing was done.

The ledger is the truth about what guard did: the controller's state is a fold over it. It is kept forever, in one
partition, so its offsets order everything; the offset of a `leader` record is the epoch of what follows. An intent
counts only while no newer `leader` record stands before it.
"""

from enum import StrEnum

import msgspec
from msgspec import Struct

from remediation.states import NodeState

SCHEMA = "guard.ledger/1"


class Act(StrEnum):
    """What guard can do to the world. `release` undoes a cordon, and is the only one that no breaker stops."""

    CORDON = "cordon"
    CHECKPOINT = "checkpoint"
    RESTART = "restart"
    REPAIR = "repair"
    RELEASE = "release"


class Result(StrEnum):
    """How an act ended. `unknown` is followed by looking, never by assuming."""

    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"


class Entry(Struct, frozen=True, tag_field="kind", kw_only=True):
    """What all records have. Times are Unix seconds, of the leader's clock.

    Attributes:
        id: a hash of what makes the record what it is: the same decision made twice has one id, and counts once.
        incident: which one; None for what concerns the cluster or guard itself.
        epoch: offset of the leader record under which it was written; None in the leader record itself.
    """

    schema: str = SCHEMA
    id: str
    cluster: str
    time: float
    incident: str | None = None
    epoch: int | None = None


class Leader(Entry, frozen=True, kw_only=True, tag="leader"):
    """A remediator leads from this record's offset on. `deadline`: the longest act that may be in flight."""

    process: str
    deadline: float


class Opened(Entry, frozen=True, kw_only=True, tag="opened"):
    """An incident begins: one per (node, instance) that is not closed."""

    node: str
    instance: str
    identity: str = ""
    job: str | None
    verdict: str
    cause: str
    severity: str
    slowdown: float | None
    since: float


class Moved(Entry, frozen=True, kw_only=True, tag="moved"):
    """The node of an incident goes from one state to another. `healthy` and `gone` close the incident."""

    before: NodeState
    after: NodeState
    reason: str


class Intent(Entry, frozen=True, kw_only=True, tag="intent"):
    """About to act. Not to be begun after `expires`, and over by `deadline` seconds after it began.

    Attributes:
        subject: the node (cordon, repair, release) or the job (checkpoint, restart).
        identity: of the node that was observed, so that nothing is done to another of its name.
        restarts: of the job when the restart was decided: one restart for each number.
        at_step: of a checkpoint request.
        attempt: from 1; a failed act is tried again under a new intent, up to the rail's limit.
        approved_by: the operator, where the mode asks for one.
    """

    act: Act
    subject: str
    identity: str = ""
    restarts: int | None = None
    at_step: int | None = None
    attempt: int = 1
    expires: float
    deadline: float
    approved_by: str | None = None
    reason: str = ""


class Outcome(Entry, frozen=True, kw_only=True, tag="outcome"):
    """How the act of `intent` (its id) ended, as seen in the world."""

    intent: str
    result: Result
    detail: str = ""


class Denied(Entry, frozen=True, kw_only=True, tag="denied"):
    """A rail said no. Written when the answer changes, not at every look."""

    act: Act
    subject: str
    rail: str
    reason: str


class Proposed(Entry, frozen=True, kw_only=True, tag="proposed"):
    """What guard would do, in the modes other than `auto`. `intent` is the id that an approval names.

    `restarts` is the job's, of a restart: an approval is for that one.
    """

    act: Act
    subject: str
    intent: str
    reason: str
    mode: str = ""
    restarts: int | None = None


class Weighed(Entry, frozen=True, kw_only=True, tag="weighed"):
    """The economy of a restart: all inputs in seconds of the whole job, and the sum.

    `saved` is `remaining * slowdown * (1 - chance_wrong) - restart_cost - lost_work`. `step_time` is the job's
    before the restart, in seconds, by which it is seen later whether it got faster; None where it was not known.
    """

    job: str
    remaining: float
    slowdown: float
    chance_wrong: float
    restart_cost: float
    lost_work: float
    saved: float
    worth: bool
    step_time: float | None = None


class Checkpointed(Entry, frozen=True, kw_only=True, tag="checkpointed"):
    """What came of a request for a checkpoint: every rank wrote it, or why it is no longer waited for."""

    job: str
    restarts: int
    at_step: int | None
    complete: bool
    reason: str = ""


class Verified(Entry, frozen=True, kw_only=True, tag="verified"):
    """What became of a restart.

    Attributes:
        restarts: of the job when the restart was decided.
        running: it runs again, and not on the node.
        resumed: the step that it went on from; None where telemetry did not tell.
        faster: None where it could not be seen.
        fine: all is as it should be; otherwise an alert stands beside this record, unless the job has
            ended or was restarted once more.
    """

    job: str
    restarts: int
    running: bool
    resumed: int | None
    faster: bool | None
    fine: bool
    reason: str = ""


class Alert(Entry, frozen=True, kw_only=True, tag="alert"):
    """A person is asked to look. `about` is one word (storm, held, blind, …); `subject`: a node or a job."""

    about: str
    severity: str
    text: str
    subject: str = ""


class Cleared(Entry, frozen=True, kw_only=True, tag="cleared"):
    """What an alert (its id) told of was seen to be over. Of those that no end of an incident tells."""

    alert: str
    reason: str


class Breaker(Entry, frozen=True, kw_only=True, tag="breaker"):
    """The storm breaker trips or is reset. It survives restarts because it stands here."""

    tripped: bool
    reason: str
    by: str | None = None


class Applied(Entry, frozen=True, kw_only=True, tag="applied"):
    """An operator's order was taken (or refused, and why). `order` is its id in `guard.control`.

    `what` is the command, `subject` what it names, `expires` until when an approval stands, in Unix seconds.
    """

    order: str
    what: str
    subject: str = ""
    by: str
    accepted: bool
    expires: float | None = None
    reason: str = ""


Record = (
    Leader
    | Opened
    | Moved
    | Intent
    | Outcome
    | Denied
    | Proposed
    | Weighed
    | Checkpointed
    | Verified
    | Alert
    | Cleared
    | Breaker
    | Applied
)

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)


class LedgerError(ValueError):
    """A record of the ledger that this version cannot read."""


def encode(record: Record) -> bytes:
    """A record as it stands on the bus."""
    return _encoder.encode(record)


def decode(value: bytes) -> Record:
    """Read a record.

    Raises:
        LedgerError: it is not one, or of another schema.
    """
    try:
        record = _decoder.decode(value)
    except msgspec.DecodeError as error:
        raise LedgerError(str(error)) from error
    if record.schema != SCHEMA:
        raise LedgerError(f"schema {record.schema!r}, expected {SCHEMA!r}")
    return record
