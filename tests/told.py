"""What a detector says of a simulated case, told by its records."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import msgspec

from collectors.telemetry import Telemetry
from detectors.detector import Detector
from detectors.judge import Judge
from detectors.policy import Policy
from detectors.verdict import Cause, JobVerdict, Role, Saying, Status, Verdict
from guard.bench.watch import accusations
from simulation.case import START, Case, Disturbance, Fault, FaultKind, Shape
from simulation.noise import AR
from simulation.records import records
from simulation.stream import windows

AT_FAULT = 5
"""The node that the faults here strike."""

ONSET = 300.0
"""Seconds after which they do."""

Accusation = tuple[Role | None, Cause | None, int | None]
"""Role, cause, device."""


def job(*faults: Fault, minutes: float = 10.0, disturbances: Iterable[Disturbance] = (), **case) -> Case:
    """A small job of 12 nodes whose steps take 1.3 s."""
    given = {"seed": 5, "name": "job", "shape": Shape(12), "step": 1.3, "noise": replace(AR, spread=0.02)} | case
    return Case(minutes=minutes, faults=faults, disturbances=frozenset(disturbances), **given)


def fault(kind: FaultKind, factor: float = 1.5, **fault) -> Fault:
    """A fault of one node."""
    return Fault(kind, (AT_FAULT,), **({"start": ONSET, "factor": factor} | fault))


def name(node: int) -> str:
    """What records call a node."""
    return f"node-{node:04}"


@dataclass
class Told:
    """All that was said."""

    sayings: list[Saying] = field(default_factory=list)

    @property
    def verdicts(self) -> list[Verdict]:
        """About nodes."""
        return [saying for saying in self.sayings if isinstance(saying, Verdict)]

    @property
    def jobs(self) -> list[JobVerdict]:
        """About the job."""
        return [saying for saying in self.sayings if isinstance(saying, JobVerdict)]

    @property
    def accused(self) -> dict[str, Verdict]:
        """The first accusation of each node that was ever accused."""
        return {said.node: said for said in reversed(self.verdicts) if said.accused}

    def of(self, node: int, status: Status) -> list[Verdict]:
        """What was said of a node with this status."""
        return [said for said in self.verdicts if (said.node, said.status) == (name(node), status)]

    def at(self, seconds: float) -> JobVerdict:
        """The job's newest record, so many seconds after the case began."""
        return [said for said in self.jobs if said.time <= START + seconds][-1]


def told(case: Case | Iterable[Telemetry]) -> Told:
    """Fold a case, or records in order of arrival."""
    detector = Detector(Policy())
    return Told(detector.fold(records(case) if isinstance(case, Case) else case) + detector.finish())


def judged(case: Case) -> dict[str, tuple[float, Accusation]]:
    """The first accusation of each node by the judge alone, from the case's arrays, and when."""
    judge, first = Judge(Policy()), {}
    for window in windows(case):
        reading = judge.judge(window)
        for slot in accusations(reading):
            said = reading.conclusions[slot]
            first.setdefault(name(slot), (window.end, (said.role, said.cause, said.device)))
    return first


def later(stream: Iterable[Telemetry], seconds: float) -> Iterator[Telemetry]:
    """The same records, so many seconds later; a multiple of the period."""
    change = msgspec.structs.replace
    for record in stream:
        steps = record.steps
        if steps is not None and steps.last_end is not None:
            steps = change(steps, last_end=[end and end + seconds for end in steps.last_end])
        shifted = record.seq + round(seconds / record.period)
        yield change(record, time=record.time + seconds, seq=shifted, steps=steps)


def until(stream: Iterable[Telemetry], seconds: float) -> Iterator[Telemetry]:
    """The records of the first seconds of a case."""
    return (record for record in stream if record.time <= START + seconds)


def since(stream: Iterable[Telemetry], seconds: float) -> Iterator[Telemetry]:
    """All others."""
    return (record for record in stream if record.time > START + seconds)
