"""Periods summed into windows, for all windows of a case at once: the arrays that detection reads."""

from dataclasses import dataclass

import numpy as np

from detectors.observed import ODD, Flags, Floats, Integers, Signals, Totals
from simulation.case import Case
from simulation.layout import Layout
from simulation.plan import Plan
from simulation.progress import Progress
from simulation.signals import Measured


@dataclass(frozen=True, slots=True)
class Spans:
    """Which periods make a window.

    Attributes:
        starts: first period of each window.
        stops: the period after its last.
        heard: periods by nodes: whether a record came.
    """

    starts: Integers
    stops: Integers
    heard: Flags

    def sum(self, values: Floats) -> Floats:
        """Sum over each window what is already zero where nothing was heard; periods along the first axis."""
        if len(self.starts) == self.stops[-1]:
            return values[: self.stops[-1]]
        return np.asarray(np.add.reduceat(values[: self.stops[-1]], self.starts, axis=0))


def spans(case: Case, plan: Plan, steps: Progress, seconds: float) -> Spans:
    """Cut a case into windows: they close on time or on a step, whichever comes later."""
    heard = steps.present & ~plan.silent
    stepped = np.asarray((heard & (steps.count > 0)).any(axis=1))
    each = max(1, round(seconds / case.period))
    starts, stops, begin = [], [], 0
    for stop in range(each, len(heard) + 1, each):
        if stepped[begin:stop].any():
            starts.append(begin)
            stops.append(stop)
            begin = stop
    return Spans(np.array(starts, dtype=int), np.array(stops, dtype=int), heard)


class Sums:
    """All windows of a case.

    Attributes:
        periods: heard of each node, windows by nodes.
        count, first, last, duration, slowest: of steps, windows by nodes.
        work: windows by nodes by ranks; `sections`: windows by sections by nodes by ranks.
        signals: of all windows.
    """

    def __init__(self, case: Case, plan: Plan, steps: Progress, measured: Measured, cut: Spans) -> None:
        self._ranks = case.shape.ranks
        # Where ranks sit stays known of a node that is quiet; one that has left, or not yet come, has none.
        self._present = steps.present[cut.stops - 1]
        wide = cut.heard[:, :, None]
        self.periods = cut.sum(cut.heard.astype(np.float32))
        self.count = cut.sum(steps.count * cut.heard)
        self.first = _ends(np.fmin, np.where(cut.heard, steps.first, np.nan), cut)
        self.last = _ends(np.fmax, np.where(cut.heard, steps.last, np.nan), cut)
        self.duration = cut.sum(steps.duration * cut.heard)
        self.slowest = np.maximum.reduceat((steps.slowest * cut.heard)[: cut.stops[-1]], cut.starts, axis=0)
        silent = self.count[:, :, None] == 0
        self.work = np.where(silent, 0, cut.sum(steps.work * wide) if plan.given else np.nan)
        if case.sections and case.synced:
            self.sections = np.stack([cut.sum(section * wide) for section in steps.sections], axis=1)
        else:
            shape = (len(silent), len(steps.sections), *steps.work.shape[1:])
            self.sections = np.broadcast_to(np.where(silent, 0, np.nan)[:, None], shape)
        self.signals = _aggregated(case, measured, cut, self.periods)

    def totals(self, window: int, layout: Layout) -> Totals:
        """Give what was done in one window."""
        here = self._present[window][:, None]

        def wide(column: Floats, kind: type = np.float32) -> Floats:
            return np.repeat(column[window][:, None], self._ranks, axis=1).astype(kind)

        def placed(numbers: Integers) -> Integers:
            return numbers if here.all() else np.where(here, numbers, np.int32(-1))

        return Totals(
            count=wide(self.count),
            first=wide(self.first, float),
            last=wide(self.last, float),
            duration=wide(self.duration),
            slowest=wide(self.slowest),
            work=self.work[window].astype(np.float32, copy=False),
            sections=self.sections[window].astype(np.float32, copy=False),
            part=placed(layout.part),
            stage=placed(layout.stage),
            depth=placed(layout.stage),
            pipeline=placed(layout.replica),
            device=placed(layout.device),
        )


@dataclass(frozen=True, slots=True)
class Aggregated:
    """Signals of all windows: names and kinds of the columns, windows by nodes by columns."""

    names: tuple[str, ...]
    counters: Flags
    values: Floats
    seconds: Floats

    def window(self, index: int) -> Signals:
        """Give those of one window."""
        return Signals(self.names, self.counters, self.seconds[index], self.values[index])


def _ends(which: np.ufunc, values: Floats, cut: Spans) -> Floats:
    return np.asarray(which.reduceat(values[: cut.stops[-1]], cut.starts, axis=0))


def _aggregated(case: Case, measured: Measured, cut: Spans, periods: Floats) -> Aggregated:
    seconds = periods * case.period
    if not measured.sources:
        return Aggregated((), np.zeros(0, dtype=bool), np.zeros((*periods.shape, 0), dtype=np.float32), seconds)
    summed = cut.sum(measured.values if cut.heard.all() else measured.values * cut.heard[:, :, None])
    several = np.empty((measured.values.shape[2]), dtype=bool)
    for source in measured.sources:
        several[source.columns] = source.counter
    with np.errstate(invalid="ignore", divide="ignore"):  # NaN of nodes that were not heard of is meant
        values = summed / np.where(several, seconds[:, :, None], periods[:, :, None])
    columns: dict[str, tuple[bool, Floats]] = {}
    for source in measured.sources:
        entries = values[:, :, source.columns]
        whole = entries.sum(axis=2) if source.counter else entries.mean(axis=2)
        columns[source.name] = (source.counter, whole if source.several else entries[:, :, 0])
        if source.several:
            columns[source.name + ODD] = (source.counter, odd(entries))
    names = tuple(sorted(columns))
    return Aggregated(
        names,
        np.array([columns[name][0] for name in names]),
        np.stack([columns[name][1] for name in names], axis=2).astype(np.float32, copy=False),
        seconds,
    )


def odd(entries: Floats) -> Floats:
    """Give the entry (along the last axis) farthest from the median, less that median; of two, the higher one."""
    ordered = np.sort(entries.astype(float), axis=-1)
    size = entries.shape[-1]
    middle = (ordered[..., (size - 1) // 2] + ordered[..., size // 2]) / 2
    above, below = ordered[..., -1] - middle, middle - ordered[..., 0]
    return np.asarray(np.where(above >= below, above, -below))
