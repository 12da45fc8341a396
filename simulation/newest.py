"""What each node's newest record says of the step that it is in: how a hang looks."""

from dataclasses import dataclass

import numpy as np

from detectors.observed import NO_SECTION, Flags, Floats, Integers, Latest
from simulation.case import START, Case, FaultKind
from simulation.effects import ranks_hit
from simulation.layout import Layout
from simulation.progress import Progress

NAMES = ("compute", "data", "host", "collective", "checkpoint")
"""As `Latest.sections`; the order is that of `SECTIONS`."""

_ORDER = (1, 0, 2)
"""Index in `NAMES` of the sections of a step, as they follow each other; the rest is collective."""


@dataclass(frozen=True, slots=True)
class Moment:
    """How nodes stand at the end of some period.

    Attributes:
        current: section of each rank, index in `NAMES`, or `NO_SECTION`.
        age: seconds since the last event of its ring; NaN: no step has ended yet.
        last_step: -1: none.
        last_end: Unix seconds by the node's clock; NaN: none.
    """

    current: Integers
    age: Floats
    last_step: Integers
    last_end: Floats


class Newest:
    """Answers for any period of a case."""

    def __init__(self, case: Case, layout: Layout, steps: Progress, heard: Flags) -> None:
        self.case, self.layout, self.steps = case, layout, steps
        period = np.arange(len(heard))[:, None]
        self._stepped = np.maximum.accumulate(np.where(steps.count > 0, period, -1), axis=0)
        self._heard = np.maximum.accumulate(np.where(heard, period, -1), axis=0)
        self._hung = np.zeros(steps.work.shape[1:], dtype=bool)
        for fault in case.faults:
            if fault.kind is FaultKind.HANG:
                self._hung[np.ix_(np.array(fault.nodes), np.flatnonzero(ranks_hit(case, fault)))] = True

    def moment(self, period: int, nodes: Integers | None = None) -> Moment:
        """Tell how nodes stand at the end of a period, or each node at the end of a period of its own."""
        steps, size = self.steps, self.steps.count.shape[1]
        node = np.arange(size)
        at = np.full(size, period) if nodes is None else nodes
        stepped = np.where(at >= 0, self._stepped[at, node], -1)
        known = stepped >= 0
        end = np.where(known, steps.end[stepped, node], np.nan)
        elapsed = (START + (at + 1) * self.case.period - end)[:, None]
        count = np.maximum(steps.count[stepped, node], 1)[:, None]
        current = np.full(self._hung.shape, 3, dtype=np.int32)
        since = np.zeros(self._hung.shape)
        passed = np.zeros(self._hung.shape)
        for section in _ORDER:
            long = steps.sections[section, stepped, node] / count
            inside = (current == 3) & (elapsed >= passed)
            stays = inside & ((elapsed < passed + long) | (self._hung & (section == 0)))
            current[stays] = section
            since = np.where(stays, passed, since)
            passed = passed + long
        since = np.where(current == 3, passed, since)
        if not self.case.sections:
            current[:], since = NO_SECTION, np.zeros(self._hung.shape)
        current[~known] = NO_SECTION
        age = np.where(known[:, None], np.maximum(elapsed - since, 0), np.nan)
        last = np.where(known, np.nan_to_num(steps.last[stepped, node]), -1).astype(np.int64)
        return Moment(current, age, last, end)

    def latest(self, period: int) -> Latest:
        """Tell what the newest records say after a period."""
        heard = self._heard[period]
        known = heard >= 0
        moment = self.moment(period, heard)
        wide = known[:, None] & np.ones(self._hung.shape, dtype=bool)
        size = self._hung.size
        return Latest(
            time=np.where(known, START + (heard + 1) * self.case.period, np.nan),
            current=np.where(wide, moment.current, NO_SECTION),
            age=np.where(wide, moment.age, np.nan),
            alive=np.where(wide, 1, -1),
            last_step=np.where(wide, moment.last_step[:, None], -1),
            last_end=np.where(wide, moment.last_end[:, None], np.nan),
            rank=np.where(wide, np.arange(size).reshape(self._hung.shape), -1),
            sections=NAMES if self.case.sections else (),
        )
