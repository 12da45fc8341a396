"""What a detector says: ``guard.verdict/1`` about a node and ``guard.job/1`` about a job."""

import hashlib
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from collectors.telemetry import Name, RecordError, UnknownVersionError

VERDICT_SCHEMA = "guard.verdict/1"
JOB_SCHEMA = "guard.job/1"


class Status(StrEnum):
    """What is said of a node."""

    OK = "ok"
    WATCH = "watch"
    STRAGGLER = "straggler"
    FAULT = "fault"
    SILENT = "silent"


class Role(StrEnum):
    """The node's part in what is seen."""

    CULPRIT = "culprit"
    VICTIM = "victim"
    LINK = "link"
    COMMON = "common"
    INCONCLUSIVE = "inconclusive"


class Cause(StrEnum):
    """What kind of trouble the signals show."""

    COMPUTE = "compute"
    MEMORY = "memory"
    NETWORK = "network"
    HOST = "host"
    INPUT = "input"
    STORAGE = "storage"
    DEVICE = "device"
    AGENT = "agent"
    UNKNOWN = "unknown"


class Severity(StrEnum):
    """How soon somebody or something should act."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class JobStatus(StrEnum):
    """How a job goes."""

    NORMAL = "normal"
    SLOW = "slow"
    HUNG = "hung"
    STARTING = "starting"
    ENDED = "ended"


Share = Annotated[float, Meta(ge=0, le=1)]


class JobAttempt(Struct, frozen=True):
    """A job and which of its attempts."""

    id: Name
    attempt: int = 0


class Evidence(Struct, frozen=True):
    """A signal, its value, what is typical of the peers, its score, and for how many windows it has held."""

    signal: str
    value: float
    typical: float
    score: float
    windows: int


class Verdict(Struct, frozen=True):
    """About a node. Times are Unix seconds."""

    schema: str
    id: str
    cluster: Name
    node: Name
    instance: Name
    job: JobAttempt | None
    time: float
    since: float
    status: Status
    role: Role | None
    cause: Cause | None
    device: int | None
    slowdown: Share | None
    severity: Severity
    confidence: Share
    evidence: list[Evidence] = []

    @property
    def accused(self) -> bool:
        """Only an accused node can be acted on."""
        return self.status in (Status.STRAGGLER, Status.FAULT) and self.role in (Role.CULPRIT, Role.LINK)

    @property
    def key(self) -> str:
        """The key on the bus."""
        return f"{self.cluster}/{self.node}"


class JobVerdict(Struct, frozen=True):
    """About a job. ``step_time`` and ``baseline`` in seconds, ``slowdown`` a share, ``nodes`` a count."""

    schema: str
    id: str
    cluster: Name
    job: Name
    time: float
    since: float
    status: JobStatus
    step_time: float | None
    baseline: float | None
    slowdown: float | None
    nodes: int
    accused: list[str]
    reason: str | None = None

    @property
    def key(self) -> str:
        """The key on the bus."""
        return f"{self.cluster}/{self.job}"


Saying = Verdict | JobVerdict

_encoder = msgspec.json.Encoder()
_decoders: dict[str, Callable[[bytes], Saying]] = {
    VERDICT_SCHEMA: msgspec.json.Decoder(Verdict).decode,
    JOB_SCHEMA: msgspec.json.Decoder(JobVerdict).decode,
}


class _Head(Struct):
    schema: str


_head = msgspec.json.Decoder(_Head)


def identify(*parts: object) -> str:
    """The id of a conclusion: a hash of what it is about and what it says, so that a repeat has the same id."""
    text = "\x1f".join(str(part) for part in parts)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def encode(saying: Saying) -> bytes:
    """Write one record as JSON without a line end."""
    return _encoder.encode(saying)


def decode(line: bytes) -> Saying:
    """Read one record of either kind.

    Raises:
        UnknownVersionError: another schema or version.
        RecordError: not such a record; the text names the offending field.
    """
    try:
        schema = _head.decode(line).schema
        decode_saying = _decoders.get(schema)
        if decode_saying is not None:
            return decode_saying(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RecordError(str(error)) from error
    raise UnknownVersionError(f"schema {schema[:80]!r}, this reader knows {', '.join(_decoders)} - at `$.schema`")
