"""What a collector answers, and the protocol that all collectors follow."""

from dataclasses import dataclass, field
from typing import Protocol

from collectors.telemetry import Fault, Job, Ranks, Steps, Values


@dataclass(frozen=True, slots=True)
class Now:
    """The end of the period that is being collected, on both clocks.

    Attributes:
        wall: Unix seconds UTC.
        monotonic: seconds of ``time.monotonic()``, for lengths.
    """

    wall: float
    monotonic: float


@dataclass(frozen=True, slots=True)
class Reading:
    """What one collector learned about one period. Names as in the telemetry contract.

    ``notes`` are gaps of parts (name -> why) that travel in the record's ``gaps`` beside the values.
    """

    gauges: dict[str, Values] = field(default_factory=dict)
    counters: dict[str, Values] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    job: Job | None = None
    ranks: Ranks | None = None
    steps: Steps | None = None
    leaving: bool = False
    notes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Gap:
    """A collector gave nothing, and why. What it owns is unknown in this period."""

    reason: str


class Collector(Protocol):
    """A source of readings.

    ``collect`` is called once a period, always from the same thread, which is not the thread that made the
    collector. It may raise: the caller turns that into a gap. It should answer within ``deadline``
    seconds; the caller goes on without it when it does not.
    """

    name: str
    deadline: float

    def collect(self, now: Now) -> Reading | Gap:
        """Read the period that ends now."""
        ...

    def close(self) -> None:
        """Give back files and children. Called once, also after a failure."""
        ...
