"""A job's range in sums, made when its records have been read and before they are forgotten. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from guard.report.intervals import Intervals, Totals, total
from guard.report.job_log import Floats
from guard.report.stops import Stops
from guard.report.stories import Failure, Restart

DAY = 86_400.0
_POINTS = 600
"""Points of a plotted course: more than a page has pixels for."""


@dataclass(frozen=True, slots=True)
class Range:
    """Unix seconds: from `since` on and before `until`."""

    since: float
    until: float

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.until - self.since

    def holds(self, time: float) -> bool:
        """Whether a moment is in it."""
        return self.since <= time < self.until

    def days(self) -> list["Range"]:
        """Its parts by day, UTC."""
        cuts = np.arange(np.ceil(self.since / DAY) * DAY, self.until, DAY)
        ends = [self.since, *(float(cut) for cut in cuts if cut > self.since), self.until]
        return [Range(*pair) for pair in pairwise(ends)]


@dataclass(frozen=True, slots=True)
class Part:
    """The sums of a time, and what guard's restarts in it threw away, in seconds and in seconds times nodes."""

    span: Range
    sums: Totals
    lost: float
    lost_nodes: float


@dataclass(frozen=True, slots=True)
class Course:
    """What is kept of a job when its records have been read.

    Attributes:
        whole: the range. `days`: each day of it.
        runs: mean step time of each run in which one is known.
        most: nodes.
        lost_unknown: starts of which nobody tells how much work they threw away: those guard did not ask for.
        curve: times and step times to be drawn; NaN where none is known.
    """

    cluster: str
    job: str
    whole: Part
    days: tuple[Part, ...]
    runs: tuple[float, ...]
    most: int
    starts: tuple[float, ...]
    asked: tuple[float, ...]
    failures: tuple[Failure, ...]
    lost_unknown: int
    curve: tuple[Floats, Floats]


def course(
    name: tuple[str, str], known: Intervals, stopped: Stops, restarts: Sequence[Restart], span: Range
) -> Course:
    """A job's range, in sums: of the job of this cluster and ``name``, with guard's own restarts of it."""
    starts = tuple(time for time in stopped.starts if span.holds(time))
    asked = tuple(time for time in stopped.asked if span.holds(time))
    took = [one for one in restarts if one.took is not None and span.holds(one.took)]
    losses = [(one, _lost(one, known)) for one in took]
    return Course(
        cluster=name[0],
        job=name[1],
        whole=_part(known, losses, span),
        days=tuple(_part(known, losses, day) for day in span.days()),
        runs=tuple(_runs(known, stopped.starts, span)),
        most=int(known.nodes.max(initial=0)),
        starts=starts,
        asked=asked,
        failures=tuple(one for one in stopped.failures if span.holds(one.time)),
        lost_unknown=len(starts) - len(asked) + sum(lost is None for _, lost in losses),
        curve=_curve(known, span),
    )


def _part(known: Intervals, losses: Sequence[tuple[Restart, float | None]], span: Range) -> Part:
    within = [(one, lost or 0.0) for one, lost in losses if one.took is not None and span.holds(one.took)]
    return Part(
        span,
        total(known, span.since, span.until),
        sum(lost for _, lost in within),
        sum(lost * _nodes(one, known) for one, lost in within),
    )


def _lost(one: Restart, known: Intervals) -> float | None:
    """Seconds of an undisturbed job that a restart of guard threw away; None: the ledger does not tell."""
    if one.lost_work is None:
        return None
    baselines = known.baseline[np.isfinite(known.baseline) & (known.start <= one.asked)]
    if not one.step_time or one.step_time < 0 or not len(baselines):
        return one.lost_work
    return one.lost_work * min(1.0, float(baselines[-1]) / one.step_time)


def _nodes(one: Restart, known: Intervals) -> float:
    place = max(int(np.searchsorted(known.start, one.asked, "right")) - 1, 0)
    return float(known.nodes[place]) if len(known.nodes) else 0.0


def _runs(known: Intervals, starts: Sequence[float], span: Range) -> Iterable[float]:
    cuts = [span.since, *(time for time in starts if span.holds(time)), span.until]
    for begin, end in pairwise(cuts):
        mean = total(known, begin, end).step_time
        if mean is not None:
            yield mean


def _curve(known: Intervals, span: Range) -> tuple[Floats, Floats]:
    edges = np.linspace(span.since, span.until, _POINTS + 1)
    middle = (known.start + known.end) / 2
    there = np.isfinite(known.step) & (middle >= span.since) & (middle < span.until)
    lasts = (known.end - known.start)[there]
    weight, _ = np.histogram(middle[there], edges, weights=lasts)
    steps, _ = np.histogram(middle[there], edges, weights=lasts * known.step[there])
    value = np.divide(steps, weight, out=np.full(_POINTS, np.nan), where=weight > 0)
    return (edges[:-1] + edges[1:]) / 2, value
