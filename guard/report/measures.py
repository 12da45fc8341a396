"""The measures of a range, each as `docs/reports.md` defines it. Pure: times and records come in as arguments."""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from guard.report.between import Between, between
from guard.report.costs import Costs
from guard.report.course import Course, Part
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
        lost_work: at restarts by guard. `lost_work_unknown`: starts of which nobody tells.
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
    sums = one.whole.sums
    return JobMeasures(
        cluster=one.cluster,
        job=one.job,
        nodes=one.most,
        seconds=seconds(sums),
        step_time=sums.step_time,
        runs=len(one.runs),
        run_spread=_spread(one.runs),
        goodput=_of_time(one.whole),
        useful=sums.useful,
        lost_work=one.whole.lost,
        lost_work_unknown=one.lost_unknown,
        node_hours=sums.node_seconds / HOUR,
        stragglers=loss(costs.of(cluster=one.cluster, job=one.job)),
        failures=len(one.failures),
        mttf=between(len(one.failures), sums.running),
        restarts=len(one.starts),
        restarts_by_guard=len(one.asked),
        days=tuple(Day(part.span.since, _of_time(part)) for part in one.days),
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
    sums = sum((one.whole.sums for one in courses), Totals())
    failures = sum(len(one.failures) for one in courses)
    return FleetMeasures(
        jobs=len(courses),
        seconds=seconds(sums),
        goodput=_of_nodes([one.whole for one in courses]),
        node_hours=sums.node_seconds / HOUR,
        stragglers=loss(costs),
        failures=failures,
        mttf=between(failures, sums.running),
        restarts=sum(len(one.starts) for one in courses),
        restarts_by_guard=sum(len(one.asked) for one in courses),
    )


def fleet_days(courses: Sequence[Course]) -> tuple[Day, ...]:
    """Goodput of all jobs together by day; each job's time counts by its nodes."""
    parts: dict[float, list[Part]] = {}
    for part in (day for one in courses for day in one.days):
        parts.setdefault(part.span.since, []).append(part)
    return tuple(Day(start, _of_nodes(of)) for start, of in sorted(parts.items()))


def _of_nodes(parts: Sequence[Part]) -> float | None:
    useful = sum(part.sums.useful_nodes - part.lost_nodes for part in parts)
    return _share(useful, sum(part.sums.node_seconds for part in parts))


def _of_time(part: Part) -> float | None:
    return _share(part.sums.useful - part.lost, part.sums.known)


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
