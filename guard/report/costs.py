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
_COLUMNS = ("cluster", "job", "interval", "node", "start", "end", "hours")


@dataclass(frozen=True, slots=True)
class Costs:
    """What stragglers cost, a row for each accused node and interval: cluster, job, node, cause, start, end.

    `lost` is in node-hours; NaN where the verdict does not tell, and `hours` are then what the job ran meanwhile.
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
    def lost(self) -> float:
        """Node-hours, as far as they are known."""
        return float(self.rows["lost"].sum())

    @property
    def unknown(self) -> float:
        """Node-hours of jobs that a straggler slowed by an unknown share."""
        unknown = self.rows[self.rows["lost"].isna() & self.rows["slow"].astype(bool)]
        return float(unknown.drop_duplicates(["cluster", "job", "start"])["hours"].sum())

    def by(self, column: str) -> dict[str, float]:
        """Node-hours by cause or node, most first."""
        sums = self.rows.groupby(column)["lost"].sum()
        ordered = sorted(sums.items(), key=lambda pair: (-pair[1], str(pair[0])))
        return {str(name): float(value) for name, value in ordered if value > 0}


def blamed(cluster: str, job: str, known: Intervals, since: float, until: float) -> pd.DataFrame:
    """The times of a range in which a running job accuses nodes: a row for each of them."""
    start, end = np.maximum(known.start, since), np.minimum(known.end, until)
    running = (known.phase == Phase.NORMAL) | (known.phase == Phase.SLOW)
    some = running & (end > start) & np.array([bool(names) for names in known.names])[known.accused]
    rows = [
        (cluster, job, int(index), node, start[index], end[index], float(hours))
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
    rows = pd.concat(parts).sort_values("end", kind="stable", ignore_index=True)
    said = verdicts.rename(columns={"job": "of"})
    told = pd.merge_asof(
        rows, said, left_on="end", right_on="time", by=["cluster", "node"], allow_exact_matches=False
    )
    meant = (told["word"] == Word.ACCUSED) & (told["of"] == told["job"])
    share = told["slowdown"].where(meant)
    together = share.groupby([told["cluster"], told["job"], told["interval"]]).transform("sum")
    told["lost"] = told["hours"] * share / together.clip(lower=1.0)
    told["cause"] = told["cause"].where(meant, "unknown")
    told["slow"] = told["slow"].where(meant, other=True)
    return Costs(told[[*_COLUMNS, "cause", "instance", "slow", "lost"]])
