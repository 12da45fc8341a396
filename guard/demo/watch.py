"""What the demo learns from the bus: the step times that agents report, and what the detector says of nodes."""

import math
from dataclasses import dataclass, field

from collectors.telemetry import Steps, Telemetry
from detectors.verdict import JobVerdict, Saying, Verdict

OWN_WORK = ("data", "compute", "host")
"""Sections in which a rank waits for no other rank."""


@dataclass(slots=True)
class Pace:
    """Steps of one node, added up. Seconds."""

    steps: int = 0
    duration: float = 0.0
    own: float = 0.0
    waiting: float = 0.0

    def add(self, steps: Steps) -> bool:
        """Add one record's sums; False where no step ended in its period."""
        count = sum(number or 0 for number in steps.count)
        if not count:
            return False
        sections = steps.sections or {}
        self.steps += count
        self.duration += _sum(steps.duration)
        self.own += sum(_sum(sections.get(name)) for name in OWN_WORK)
        self.waiting += _sum(sections.get("collective"))
        return True

    @property
    def step_time(self) -> float | None:
        """Mean length of a step; None before the first."""
        return self.duration / self.steps if self.steps else None

    @property
    def own_work(self) -> float | None:
        """Mean own work in a step."""
        return self.own / self.steps if self.steps else None

    @property
    def wait(self) -> float | None:
        """Mean time in the all-reduce, waiting for the others included."""
        return self.waiting / self.steps if self.steps else None


def _sum(column: list[float | None] | None) -> float:
    return math.fsum(value or 0.0 for value in column or ())


@dataclass(slots=True)
class NodeView:
    """One node: its pace in the newest period and over the present phase, and the newest verdict about it."""

    name: str
    now: Pace = field(default_factory=Pace)
    phase: Pace = field(default_factory=Pace)
    last_step: int | None = None
    verdict: Verdict | None = None


class Watch:
    """A fold of telemetry and verdicts over the nodes of the demo. Does no input or output."""

    def __init__(self, cluster: str, names: list[str]) -> None:
        self._cluster = cluster
        self.nodes = {name: NodeView(name) for name in names}
        self.job: JobVerdict | None = None
        self.ever_accused: set[str] = set()
        self.first_accusation: float | None = None

    def telemetry(self, record: Telemetry) -> None:
        """Take a record of an agent. A bus may hold other clusters' too: they are left out."""
        node = self.nodes.get(record.node)
        if record.cluster != self._cluster or node is None or record.steps is None:
            return
        now = Pace()
        if now.add(record.steps):
            node.now = now
            node.phase.add(record.steps)
        for step in record.steps.last_step or ():
            node.last_step = step

    def saying(self, saying: Saying) -> None:
        """Take what the detector says of a node or of the job."""
        if saying.cluster != self._cluster:
            return
        if isinstance(saying, JobVerdict):
            self.job = saying
            return
        node = self.nodes.get(saying.node)
        if node is None:
            return
        node.verdict = saying
        if saying.accused:
            self.ever_accused.add(saying.node)
            if self.first_accusation is None:
                self.first_accusation = saying.time

    def begin_phase(self) -> dict[str, Pace]:
        """Start to add up anew, and return what each node did in the phase that ends."""
        ended = {node.name: node.phase for node in self.nodes.values()}
        for node in self.nodes.values():
            node.phase = Pace()
        return ended

    @property
    def accused(self) -> set[str]:
        """Whom the detector accuses now."""
        return {node.name for node in self.nodes.values() if node.verdict is not None and node.verdict.accused}

    @property
    def training(self) -> bool:
        """Whether steps of every node have been seen in the present phase."""
        return all(node.phase.steps for node in self.nodes.values())

    @property
    def unjudged(self) -> list[str]:
        """Nodes of which the detector has said nothing: silence is no proof of health."""
        return [node.name for node in self.nodes.values() if node.verdict is None]
