"""From what was said of a job to intervals of which something is known, and their sums over any range. Pure.

A record speaks for the time until the next one, and at most for `stale` seconds; a record that a job hangs speaks
from the end of its last step. What no record speaks for is unknown. Sums over a range are the sums over its parts.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from guard.report.job_log import Floats, Phase, Spoken


@dataclass(frozen=True, slots=True)
class Intervals:
    """Disjoint, in order of time; Unix seconds.

    Attributes:
        start, end: of each.
        phase: a `Phase`; `ENDED` is the time between two attempts.
        step, baseline: seconds; NaN where not known.
        pace: baseline over step time, at most 1; NaN where not known, or where no steps are made.
        nodes: of the job. `accused`: which of `names`.
        first, last: between these the job is there. `last` is infinite where nobody has said that it ended.
    """

    start: Floats
    end: Floats
    phase: NDArray[np.uint8]
    step: Floats
    baseline: Floats
    pace: Floats
    nodes: Floats
    accused: NDArray[np.int64]
    names: tuple[tuple[str, ...], ...]
    first: float
    last: float


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over a range, in seconds, in seconds times nodes, or in seconds times seconds a step.

    Attributes:
        running: steps were made. `unpaced`: of these, it is not known how fast against the baseline.
        hung, starting, between: no steps were made. `unknown`: the job was there, and nobody spoke of it.
        useful: running at its pace: seconds of an undisturbed job.
        stepped: running with a known step time. `steps`: the same, times the step time.
        node_seconds: known, times nodes. `useful_nodes`: useful, times nodes.
    """

    running: float = 0.0
    unpaced: float = 0.0
    hung: float = 0.0
    starting: float = 0.0
    between: float = 0.0
    unknown: float = 0.0
    useful: float = 0.0
    stepped: float = 0.0
    steps: float = 0.0
    node_seconds: float = 0.0
    useful_nodes: float = 0.0

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(Totals)))

    @property
    def known(self) -> float:
        """Seconds of which it is known how much progress they brought."""
        return self.running - self.unpaced + self.hung + self.starting + self.between

    @property
    def step_time(self) -> float | None:
        """The mean over time, seconds; None where no step time is known."""
        return self.steps / self.stepped if self.stepped > 0 else None


def intervals(said: Spoken, stale: float) -> Intervals:
    """What is known of a job, from at least one record.

    Args:
        said: the records.
        stale: seconds after which a record that was not followed by another says nothing any more.
    """
    begin = _begin(said)
    following = np.append(np.minimum.accumulate(begin[::-1])[::-1][1:], np.inf)
    ended = said.phase == Phase.ENDED
    # Between two attempts nothing is repeated; after the last one there is nothing to know.
    upto = np.where(ended, np.where(np.isfinite(following), np.inf, begin), said.time + stale)
    end = np.maximum(np.minimum(upto, following), begin)
    running = (said.phase == Phase.NORMAL) | (said.phase == Phase.SLOW)
    pace = np.where(running, np.minimum(said.baseline / said.step, 1.0), np.nan)
    kept = (end > begin) & (said.phase != Phase.UNKNOWN)
    return Intervals(
        begin[kept],
        end[kept],
        said.phase[kept],
        np.where(running, said.step, np.nan)[kept],
        said.baseline[kept],
        pace[kept],
        said.nodes[kept],
        said.accused[kept],
        said.names,
        float(begin.min()),
        float(said.time[-1]) if ended[-1] else np.inf,
    )


def _begin(said: Spoken) -> Floats:
    """From when on each record speaks: a hang from its last step, but not from before the attempt began."""
    hung = said.phase == Phase.HUNG
    onset = hung & ~np.append(True, hung[:-1])
    stopped = hung | (said.phase == Phase.STARTING) | (said.phase == Phase.ENDED)
    before = np.append(said.time[0], np.maximum.accumulate(np.where(stopped, said.time, said.time[0]))[:-1])
    since = np.minimum(np.maximum(said.since, before), said.time)
    return np.where(onset, since, said.time)


def total(known: Intervals, since: float, until: float) -> Totals:
    """The sums from ``since`` on and before ``until``, Unix seconds."""
    part = slice(np.searchsorted(known.end, since, "right"), np.searchsorted(known.start, until, "left"))
    phase, pace, nodes, step = known.phase[part], known.pace[part], known.nodes[part], known.step[part]
    lasts = np.maximum(np.minimum(known.end[part], until) - np.maximum(known.start[part], since), 0.0)
    running = (phase == Phase.NORMAL) | (phase == Phase.SLOW)
    paced, stepped = np.isfinite(pace), np.isfinite(step)
    told = paced | ~running
    useful = np.where(paced, pace, 0.0) * lasts
    there = max(min(known.last, until) - max(known.first, since), 0.0)
    return Totals(
        running=float(lasts[running].sum()),
        unpaced=float(lasts[~told].sum()),
        hung=float(lasts[phase == Phase.HUNG].sum()),
        starting=float(lasts[phase == Phase.STARTING].sum()),
        between=float(lasts[phase == Phase.ENDED].sum()),
        # Rounding of sums must not make it negative.
        unknown=max(there - float(lasts.sum()), 0.0),
        useful=float(useful.sum()),
        stepped=float(lasts[stepped].sum()),
        steps=float((lasts * np.where(stepped, step, 0.0)).sum()),
        node_seconds=float((lasts * nodes)[told].sum()),
        useful_nodes=float((useful * nodes).sum()),
    )
