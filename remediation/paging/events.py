"""What the pager hears."""

from dataclasses import dataclass
from enum import StrEnum

from detectors.verdict import JobVerdict, Verdict
from remediation.ledger import Record
from remediation.orders import Order


class Source(StrEnum):
    """What guard sees by. `telemetry`: agents send nothing. `detector`: telemetry comes, and nobody folds it."""

    BUS = "bus"
    TELEMETRY = "telemetry"
    DETECTOR = "detector"


@dataclass(frozen=True, slots=True)
class Said:
    """A detector spoke of a node or a job. `taken`: when the bus took it, Unix seconds."""

    saying: Verdict | JobVerdict
    taken: float


@dataclass(frozen=True, slots=True)
class Entered:
    """A record of the ledger. `offset`: where it stands there; a leader's epoch is that."""

    record: Record
    taken: float
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class Ordered:
    """An operator's order; `acknowledge` alone concerns the pager."""

    order: Order
    taken: float


@dataclass(frozen=True, slots=True)
class Looked:
    """Which sources were found silent, each with since when, Unix seconds. All others were heard."""

    silent: dict[Source, float]


@dataclass(frozen=True, slots=True)
class Tried:
    """How a channel does: since when it takes nothing, and why; `since` None: it takes what it is sent."""

    channel: str
    since: float | None
    reason: str = ""


Event = Said | Entered | Ordered | Looked | Tried
