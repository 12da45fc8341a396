"""The measures of a range, each as `docs/reports.md` defines it. Pure: times and records come in as arguments."""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from guard.report.between import Between, between
from guard.report.costs import Costs
from guard.report.course import Course
from guard.report.intervals import Totals

HOUR = 3600.0


class Seconds(Struct, frozen=True):
    """Where a job's time went; see `Totals`."""

    running: float
    hung: float
    starting: float
    between: float
    unknown: float
    pace_unknown: float


class Loss(Struct, frozen=True):
    """Node-hours lost to stragglers; `unknown` are those of jobs that one slowed by an unknown share."""

    node_hours: float
    unknown_node_hours: float
    by_cause: dict[str, float]
    by_node: dict[str, float]


class Day(Struct, frozen=True):
    """A day's goodput; None: nothing is known."""

    start: float
    goodput: float | None


class JobMeasures(Struct, frozen=True, kw_only=True):
    """A job's range. Lengths in seconds; None is not known.

    Attributes:
        nodes: the most that it had.
        step_time: mean over time. `run_spread`: of the means of its `runs`, standard deviation over mean.
        goodput: share of the time of which something is known in which progress was made that lasted.
        lost_work: at restarts by guard. `lost_work_unknown`: stops of which nobody tells what they lost.
        mttf: running time between failures.
        restarts: starts anew, `restarts_by_guard` among them.
    """

    cluster: str
    job: str
    nodes: int
    seconds: Seconds
    step_time: float | None
    runs: int
    run_spread: float | None
    goodput: float | None
    useful: float
    lost_work: float
    lost_work_unknown: int
    node_hours: float
    stragglers: Loss
    failures: int
    mttf: Between
    restarts: int
    restarts_by_guard: int
    days: tuple[Day, ...] = ()


def measured(one: Course, costs: Costs) -> JobMeasures:
    """The measures of a job."""
    sums = one.sums
    return JobMeasures(
        cluster=one.cluster,
        job=one.job,
        nodes=one.most,
        seconds=seconds(sums),
        step_time=sums.step_time,
        runs=len(one.runs),
        run_spread=_spread(one.runs),
        goodput=_share(sums.useful - one.lost_work, sums.known),
        useful=sums.useful,
        lost_work=one.lost_work,
        lost_work_unknown=one.lost_unknown,
        node_hours=sums.node_seconds / HOUR,
        stragglers=loss(costs.of(cluster=one.cluster, job=one.job)),
        failures=len(one.failures),
        mttf=between(len(one.failures), sums.running),
        restarts=len(one.starts),
        restarts_by_guard=len(one.asked),
        days=tuple(Day(day.since, _share(part.useful - lost, part.known)) for day, part, lost in one.days),
    )


class FleetMeasures(Struct, frozen=True, kw_only=True):
    """All jobs together; goodput counts each job's time by its nodes."""

    jobs: int
    seconds: Seconds
    goodput: float | None
    node_hours: float
    stragglers: Loss
    failures: int
    mttf: Between
    restarts: int
    restarts_by_guard: int


def fleet(courses: Sequence[Course], costs: Costs) -> FleetMeasures:
    """The measures of several jobs."""
    sums = sum((one.sums for one in courses), Totals())
    failures = sum(len(one.failures) for one in courses)
    lost = sum(one.lost_nodes for one in courses)
    return FleetMeasures(
        jobs=len(courses),
        seconds=seconds(sums),
        goodput=_share(sums.useful_nodes - lost, sums.node_seconds),
        node_hours=sums.node_seconds / HOUR,
        stragglers=loss(costs),
        failures=failures,
        mttf=between(failures, sums.running),
        restarts=sum(len(one.starts) for one in courses),
        restarts_by_guard=sum(len(one.asked) for one in courses),
    )


def fleet_days(courses: Sequence[Course]) -> tuple[Day, ...]:
    """Goodput of all jobs together by day; each job's time counts by its nodes."""
    parts: dict[float, list[tuple[Totals, float]]] = {}
    for one in courses:
        for day, sums, lost in one.days:
            parts.setdefault(day.since, []).append((sums, lost * one.most))
    return tuple(
        Day(
            start,
            _share(sum(sums.useful_nodes - lost for sums, lost in of), sum(sums.node_seconds for sums, _ in of)),
        )
        for start, of in sorted(parts.items())
    )


def seconds(sums: Totals) -> Seconds:
    """Where the time went."""
    return Seconds(sums.running, sums.hung, sums.starting, sums.between, sums.unknown, sums.unpaced)


def loss(costs: Costs) -> Loss:
    """Node-hours lost to stragglers."""
    return Loss(costs.lost, costs.unknown, costs.by("cause"), costs.by("node"))


def _spread(runs: Sequence[float]) -> float | None:
    return float(np.std(runs, ddof=1) / np.mean(runs)) if len(runs) > 1 else None


def _share(part: float, of: float) -> float | None:
    # The ledger may tell of more lost work than the range made, where the work was made before it.
    return min(max(part / of, 0.0), 1.0) if of > 0 else None
