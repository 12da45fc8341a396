"""A case as telemetry records: what agents would send, in event-time order.

Names are ``node-0007`` and ``i-0007``. Records that get lost, and those of dead agents, are left out; what else
happens to records on their way is in :mod:`simulation.disorder`.
"""

from collections.abc import Iterator

import numpy as np

from collectors.telemetry import SCHEMA, Increases, Job, Ranks, Steps, Telemetry, Values
from detectors.observed import SECTIONS, Floats
from simulation.case import START, Case
from simulation.layout import Layout, layout
from simulation.newest import NAMES, Moment, Newest
from simulation.stream import ULTRASERVER, draw, reported

CLUSTER = "simulated"


def records(case: Case) -> Iterator[Telemetry]:
    """Give all records of a case, period by period, and in a period node by node."""
    writer = _Writer(case)
    for period in range(len(writer.heard)):
        yield from writer.period(period)


class _Writer:
    def __init__(self, case: Case) -> None:
        self.case, self.layout, self.drawn = case, layout(case.shape), draw(case, peaks=True)
        present = self.drawn.steps.present
        self.heard = present & ~self.drawn.plan.silent
        self._newest = Newest(case, self.layout, self.drawn.steps, self.heard)
        self._leaving = present & ~np.vstack([present[1:], present[-1:]])
        self._job = Job(id=case.name, attempt=int(self.drawn.plan.resumed > 0), name="simulated")
        self._ranks = [self._layout_of(node) for node in range(case.shape.nodes)]

    def period(self, period: int) -> Iterator[Telemetry]:
        moment = self._newest.moment(period)
        faults = reported(self.case, period)
        for node in np.flatnonzero(self.heard[period]).tolist():
            gauges, counters = self._signals(period, node)
            yield Telemetry(
                schema=SCHEMA,
                cluster=CLUSTER,
                node=f"node-{node:04}",
                instance=f"i-{node:04}",
                boot=f"boot-{node:04}",
                seq=period,
                time=START + (period + 1) * self.case.period,
                period=self.case.period,
                job=self._job,
                leaving=bool(self._leaving[period, node]),
                labels={
                    "instance_type": "trn2.48xlarge",
                    "rack": f"rack-{self.layout.rack[node]}",
                    "ultraserver": f"us-{node // ULTRASERVER}",
                },
                ranks=self._ranks[node],
                steps=self._steps(period, node, moment),
                faults=list(faults.get(node, ())),
                gauges=gauges,
                counters=counters,
            )

    def _layout_of(self, node: int) -> Ranks:
        local = list(range(self.case.shape.ranks))
        placed: Layout = self.layout
        return Ranks(
            rank=[node * len(local) + rank for rank in local],
            local_rank=[*local],
            device=placed.device[node].tolist(),
            stage=placed.stage[node].tolist(),
            dp=placed.replica[node].tolist(),
            tp=placed.tensor[node].tolist(),
            ep=placed.expert[node].tolist(),
        )

    def _steps(self, period: int, node: int, moment: Moment) -> Steps:
        case, drawn, ranks = self.case, self.drawn, self.case.shape.ranks
        steps = drawn.steps
        count = int(steps.count[period, node])
        saved = int(steps.saved[period])
        begun = moment.last_step[node] >= 0
        ended = count > 0
        sectioned = case.sections and ended
        return Steps(
            count=[count] * ranks,
            first_step=[int(steps.first[period, node])] * ranks if ended else None,
            last_step=[int(moment.last_step[node])] * ranks if begun else None,
            last_end=[float(moment.last_end[node])] * ranks if begun else None,
            duration=[float(steps.duration[period, node])] * ranks if ended else None,
            slowest=[float(steps.slowest[period, node])] * ranks if ended else None,
            work=steps.work[period, node].tolist() if ended and drawn.plan.given else None,
            sections=_named(steps.sections[:, period, node]) if sectioned else None,
            peak=_named(steps.peak[:, period, node]) if sectioned else None,
            synced=case.synced if case.sections else None,
            current=[NAMES[index] if index >= 0 else None for index in moment.current[node]],
            current_age=moment.age[node].tolist() if begun else None,
            alive=[True] * ranks,
            checkpoint_step=[saved] * ranks if saved >= 0 else None,
            checkpoint_end=[float(steps.saved_at[period])] * ranks if saved >= 0 else None,
            resumed_step=[drawn.plan.resumed] * ranks,
        )

    def _signals(self, period: int, node: int) -> tuple[dict[str, Values], dict[str, Increases]]:
        row = self.drawn.measured.values[period, node].tolist()
        gauges: dict[str, Values] = {}
        counters: dict[str, Increases] = {}
        for source in self.drawn.measured.sources:
            value = row[source.columns] if source.several else row[source.columns.start]
            (counters if source.counter else gauges)[source.name] = value
        return gauges, counters


def _named(values: Floats) -> dict[str, list[float | None]]:
    """Give the sections (by ranks) their names."""
    return {name: column.tolist() for name, column in zip(SECTIONS, values, strict=True)}
