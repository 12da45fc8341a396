"""A case as arrays per window: the fast form, for benchmarks of thousands of cases."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from collectors.telemetry import Fault as Reported
from detectors.alignment import in_step
from detectors.observed import Latest, Observed
from detectors.pace import Pace
from detectors.residuals import work_of
from simulation.case import START, Case, FaultKind
from simulation.layout import layout
from simulation.newest import Newest
from simulation.plan import Plan, plan
from simulation.progress import Progress, progress
from simulation.signals import Measured, measure
from simulation.windowed import Sums, spans

ULTRASERVER = 4
"""Consecutive nodes that share an UltraServer."""

HARD_CODE = "HBM_UNCORRECTABLE_ERROR"


@dataclass(frozen=True, slots=True)
class Drawn:
    """All chance of a case, drawn: what both forms are made of."""

    plan: Plan
    steps: Progress
    measured: Measured


@dataclass(frozen=True, slots=True)
class Scene:
    """What a detector knows at one of its checks.

    Attributes:
        time: Unix seconds.
        observed: the window that closed; None while one waits for a step to end, as all do in a hang.
        latest: how things stand in the newest records.
        reported: hard errors by node index, since the check before.
    """

    time: float
    observed: Observed | None
    latest: Latest
    reported: Mapping[int, tuple[Reported, ...]]


def draw(case: Case, *, peaks: bool = False) -> Drawn:
    """Draw a case. `peaks`: also the longest sections, which only records have."""
    drawn = plan(case)
    steps = progress(case, drawn, peaks=peaks)
    return Drawn(drawn, steps, measure(case, drawn, steps))


def windows(case: Case, seconds: float = 10.0) -> Iterator[Observed]:
    """Give the windows of a case. One in which no step ended is joined to the next."""
    stream = _Stream(case, seconds)
    for index in range(len(stream.cut.starts)):
        yield stream.observed(index)


def scenes(case: Case, seconds: float = 10.0) -> Iterator[Scene]:
    """Give a check every `seconds`, with the window that closed at it, if one did."""
    stream = _Stream(case, seconds)
    newest = Newest(case, stream.layout, stream.drawn.steps, stream.cut.heard)
    each = max(1, round(seconds / case.period))
    closed = {int(stop): index for index, stop in enumerate(stream.cut.stops)}
    for stop in range(each, len(stream.cut.heard) + 1, each):
        index = closed.get(stop)
        reports = [reported(case, period) for period in range(stop - each, stop)]
        yield Scene(
            START + stop * case.period,
            None if index is None else stream.observed(index),
            newest.latest(stop - 1),
            {node: faults for one in reports for node, faults in one.items()},
        )


def reported(case: Case, period: int) -> dict[int, tuple[Reported, ...]]:
    """Give the hard errors of a period, by node index."""
    return {
        node: (Reported(HARD_CODE, START + fault.start, case.shape.device(fault.rank or 0)),)
        for fault in case.faults
        if fault.kind is FaultKind.HARD and int(fault.start // case.period) == period
        for node in fault.nodes
    }


class _Stream:
    def __init__(self, case: Case, seconds: float) -> None:
        self.case, self.layout, self.drawn = case, layout(case.shape), draw(case)
        self.pace = Pace()
        self.cut = spans(case, self.drawn.plan, self.drawn.steps, seconds)
        if len(self.cut.starts):
            self.sums = Sums(case, self.drawn.plan, self.drawn.steps, self.drawn.measured, self.cut)

    def observed(self, index: int) -> Observed:
        active = self.sums.periods[index] > 0
        rack = self.layout.rack
        ultraserver = np.arange(len(rack), dtype=np.int32) // ULTRASERVER
        start = START + int(self.cut.starts[index]) * self.case.period
        totals = self.sums.totals(index, self.layout)
        # As in `detectors.job`: how steady the work is tells which shifted ranges of steps can be compared.
        _, among = in_step(totals, active, self.pace.unsteadiness())
        self.pace.note(work_of(totals, among), among, None, start)
        return Observed(
            start=start,
            end=START + int(self.cut.stops[index]) * self.case.period,
            totals=totals,
            signals=self.sums.signals.window(index),
            among=among,
            active=active,
            domains={"rack": rack, "ultraserver": ultraserver},
        )
