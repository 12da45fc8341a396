"""Node-hours that accused nodes cost the jobs they slowed. Pure.

While a job runs and its record accuses a node, the node's newest verdict tells which share of the step would go if
it were a typical one: so much of the job's node-hours is lost. Where several nodes' shares add up to more than the
whole, each counts for less.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from guard.report.accusations import Word
from guard.report.intervals import Intervals
from guard.report.job_log import Phase

_HOUR = 3600.0
_COLUMNS = ("cluster", "job", "interval", "node", "start", "end", "stopped", "hours")


@dataclass(frozen=True, slots=True)
class Costs:
    """A row for each accused node and interval: cluster, job, node, cause, start, end, whether the job `stopped`.

    `hours` are the job's node-hours meanwhile, `lost` those lost by the node; NaN where the verdict does not tell.
    """

    rows: pd.DataFrame

    def of(self, **names: str) -> "Costs":
        """Those of a cluster, a job or a node."""
        rows = self.rows
        for column, name in names.items():
            rows = rows[rows[column] == name]
        return Costs(rows)

    def during(self, since: float, until: float) -> "Costs":
        """Those of intervals that begin in a time."""
        return Costs(self.rows[(self.rows["start"] >= since) & (self.rows["start"] < until)])

    @property
    def _running(self) -> pd.DataFrame:
        return self.rows[~self.rows["stopped"].astype(bool)]

    @property
    def lost(self) -> float:
        """Node-hours lost to stragglers of running jobs, as far as they are known."""
        return float(self._running["lost"].sum())

    @property
    def hung(self) -> float:
        """Node-hours of jobs that hung and named the node; each of several has its part of them."""
        return float(self.rows.loc[self.rows["stopped"].astype(bool), "lost"].sum())

    @property
    def unknown(self) -> float:
        """Node-hours of jobs that a straggler slowed by an unknown share."""
        unknown = self._running[self._running["lost"].isna() & self._running["slow"].astype(bool)]
        return float(unknown.drop_duplicates(["cluster", "job", "start"])["hours"].sum())

    def by(self, column: str) -> dict[str, float]:
        """Node-hours by cause or node, most first."""
        sums = self._running.groupby(column)["lost"].sum()
        ordered = sorted(sums.items(), key=lambda pair: (-pair[1], str(pair[0])))
        return {str(name): float(value) for name, value in ordered if value > 0}


def blamed(cluster: str, job: str, known: Intervals, since: float, until: float) -> pd.DataFrame:
    """The times of a range in which a job that runs or hangs accuses nodes: a row for each of them."""
    start, end = np.maximum(known.start, since), np.minimum(known.end, until)
    running = np.isin(known.phase, (Phase.NORMAL, Phase.SLOW))
    some = (
        (running | (known.phase == Phase.HUNG))
        & (end > start)
        & np.array([bool(names) for names in known.names])[known.accused]
    )
    rows = [
        (cluster, job, int(index), node, start[index], end[index], not running[index], float(hours))
        for index in np.flatnonzero(some)
        for hours in [(end[index] - start[index]) * known.nodes[index] / _HOUR]
        for node in dict.fromkeys(known.names[known.accused[index]])
    ]
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def costs(frames: Iterable[pd.DataFrame], verdicts: pd.DataFrame) -> Costs:
    """What the blamed nodes cost, by what was said of each last before the end of each interval."""
    parts = [one for one in frames if len(one)]
    if not parts:
        return Costs(pd.DataFrame(columns=[*_COLUMNS, "cause", "instance", "slow", "lost"]))
    # Names are objects on both sides: versions of pandas differ in what text is by itself.
    rows = pd.concat(parts).astype(dict.fromkeys(("cluster", "job", "node"), object))
    rows = rows.sort_values("end", kind="stable", ignore_index=True)
    said = verdicts.rename(columns={"job": "of"})
    told = pd.merge_asof(
        rows, said, left_on="end", right_on="time", by=["cluster", "node"], allow_exact_matches=False
    )
    meant = (told["word"] == Word.ACCUSED) & (told["of"] == told["job"])
    share = told["slowdown"].where(meant).mask(told["stopped"], 1.0)
    together = share.groupby([told["cluster"], told["job"], told["interval"]]).transform("sum")
    told["lost"] = told["hours"] * share / together.clip(lower=1.0)
    told["cause"] = told["cause"].where(meant, "unknown")
    told["slow"] = told["slow"].where(meant, other=True)
    return Costs(told[[*_COLUMNS, "cause", "instance", "slow", "lost"]])
