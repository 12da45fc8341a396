"""What steps leave in the periods of telemetry: sums per period, node and rank, before anything is lost.

A step counts in the period in which it ended by its node's own clock. Arrays are periods by nodes (by ranks).
"""

from dataclasses import dataclass

import numpy as np

from detectors.observed import OWN, SECTIONS, Flags, Floats, Integers
from simulation.case import START, Case
from simulation.plan import Plan, periods
from simulation.steps import Block, blocks

_Nodes = slice | Integers
"""Some nodes, as an index."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A case's steps, by period.

    Attributes:
        count: of steps that ended, periods by nodes.
        first, last: their numbers; NaN where none ended.
        end: when the last one ended, Unix seconds by the node's clock; NaN where none.
        duration, slowest: seconds, sum and maximum.
        work: periods by nodes by ranks.
        sections: `SECTIONS` by periods by nodes by ranks.
        peak: the same, of one step; empty unless asked for.
        present: nodes in the job in each period.
        ideal: seconds that the steps would have lasted without faults, per period, by a true clock.
        saved: number of the newest checkpoint's step at each period's end, by a true clock; -1: none.
        saved_at: when it ended, Unix seconds.
    """

    count: Floats
    first: Floats
    last: Floats
    end: Floats
    duration: Floats
    slowest: Floats
    work: Floats
    sections: Floats
    peak: Floats
    present: Flags
    ideal: Floats
    saved: Floats
    saved_at: Floats


def progress(case: Case, plan: Plan, *, peaks: bool = False) -> Progress:
    """Train, and sum up."""
    count, shape = periods(case), case.shape
    flat, deep = (count, shape.nodes), (count, shape.nodes, shape.ranks)
    sums = Progress(
        count=np.zeros(flat, dtype=np.float32),
        first=np.full(flat, np.nan),
        last=np.full(flat, np.nan),
        end=np.full(flat, np.nan),
        duration=np.zeros(flat),
        slowest=np.zeros(flat, dtype=np.float32),
        work=np.zeros(deep, dtype=np.float32),
        sections=np.zeros((len(SECTIONS), *deep), dtype=np.float32),
        peak=np.zeros((len(SECTIONS) if peaks else 0, *deep), dtype=np.float32),
        present=_present(case, plan),
        ideal=np.zeros(count),
        saved=np.full(count, -1.0),
        saved_at=np.full(count, np.nan),
    )
    groups = _clocks(plan)
    for block in blocks(case, plan):
        if len(block.end):
            _add(case, sums, block, groups)
    # What is left of a step is waiting.
    busy = sums.sections[: len(OWN)].sum(axis=0) + sums.sections[4]
    sums.sections[3] = np.maximum(sums.duration[:, :, None] - busy, 0) * (sums.count > 0)[:, :, None]
    return sums


def _present(case: Case, plan: Plan) -> Flags:
    """Tell which nodes are in the job at the end of each period."""
    end = case.period * np.arange(1, periods(case) + 1)
    present = np.ones((len(end), case.shape.nodes), dtype=bool)
    for nodes, start, until in plan.absent:
        present &= ~(nodes[None, :] & ((end >= start) & (end < until))[:, None])
    return present


def _clocks(plan: Plan) -> list[tuple[float, "_Nodes"]]:
    """Group nodes by how far their clocks are ahead."""
    if not plan.skew.any():
        return [(0.0, slice(None))]
    return [(float(skew), np.flatnonzero(plan.skew == skew)) for skew in np.unique(plan.skew)]


def _add(case: Case, sums: Progress, block: Block, groups: "list[tuple[float, _Nodes]]") -> None:
    waiting = _waiting(block) if len(sums.peak) else None
    for skew, nodes in groups:
        end = block.end + skew
        place = np.ceil(end / case.period).astype(int) - 1
        edges = np.flatnonzero(np.diff(place, prepend=place[0] - 1))
        for begin, stop in zip(edges, [*edges[1:], len(end)], strict=True):
            if 0 <= place[begin] < len(sums.count):
                share = _Share(block, int(place[begin]), slice(begin, stop), nodes)
                share.put(sums, START + end[stop - 1])
                if waiting is not None:
                    share.put_peaks(sums, waiting)
    true = np.clip(np.ceil(block.end / case.period).astype(int) - 1, 0, len(sums.ideal) - 1)
    np.add.at(sums.ideal, true, block.ideal)
    for index in block.checkpoints:
        sums.saved[true[index] :] = block.first + index
        sums.saved_at[true[index] :] = START + block.end[index]


class _Share:
    """The steps of a block that ended in one period, for nodes of one clock."""

    def __init__(self, block: Block, period: int, steps: slice, nodes: "_Nodes") -> None:
        self.block, self.steps, self.nodes = block, steps, nodes
        self.at = (period, nodes)
        self.saving = [
            seconds for index, seconds in block.checkpoints.items() if steps.start <= index < steps.stop
        ]

    def put(self, sums: Progress, end: float) -> None:
        """Add them up. `end`: of the last, Unix seconds by the nodes' clock."""
        block, steps, at = self.block, self.steps, self.at
        here = block.present[self.nodes]
        old = sums.count[at]
        sums.first[at] = np.where(here & (old == 0), block.first + steps.start, sums.first[at])
        sums.last[at] = np.where(here, block.first + steps.stop - 1, sums.last[at])
        sums.end[at] = np.where(here, end, sums.end[at])
        sums.count[at] = old + (steps.stop - steps.start) * here
        sums.duration[at] += block.duration[steps].sum() * here
        sums.slowest[at] = np.maximum(sums.slowest[at], block.duration[steps].max() * here)
        sums.work[at] += block.work[steps, self.nodes].sum(axis=0)
        for section in range(len(OWN)):
            sums.sections[section][at] += block.own[section][steps, self.nodes].sum(axis=0)
        for seconds in self.saving:
            sums.sections[4][at] += seconds[self.nodes, None]

    def put_peaks(self, sums: Progress, waiting: Floats) -> None:
        """Keep the largest of each section. `waiting`: in collectives, steps by nodes by ranks."""
        highest = [own[self.steps, self.nodes].max(axis=0) for own in (*self.block.own, waiting)]
        highest.append(np.max([seconds[self.nodes, None] for seconds in self.saving], axis=0, initial=0.0))
        for section, most in enumerate(highest):
            sums.peak[section][self.at] = np.maximum(sums.peak[section][self.at], most)


def _waiting(block: Block) -> Floats:
    """Give each rank's seconds in collectives, steps by nodes by ranks."""
    waiting = block.duration[:, None, None] - block.own.sum(axis=0)
    for index, seconds in block.checkpoints.items():
        waiting[index] -= seconds[:, None]
    return np.asarray(np.maximum(waiting, 0) * block.present[:, None])
