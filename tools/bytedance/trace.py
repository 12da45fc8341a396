"""One trace as sections per step and rank: own work, waiting, garbage collection."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow.parquet as pq
import yaml

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

COMPUTE, COLLECTIVE, HOST = "compute", "collective", "host"
SECTIONS = {
    "forward-compute": COMPUTE,
    "backward-compute": COMPUTE,
    "optimizer": COMPUTE,
    "optimizer-clip-main-grad": COLLECTIVE,  # see the package: all ranks meet in it
    "forward-send": COLLECTIVE,
    "forward-recv": COLLECTIVE,
    "backward-send": COLLECTIVE,
    "backward-recv": COLLECTIVE,
    "params-all-gather": COLLECTIVE,
    "grads-reduce-scatter": COLLECTIVE,
    "layernorm-grads-all-reduce": COLLECTIVE,
    "embedding-grads-all-reduce": COLLECTIVE,
    "gc": HOST,
}
"""Section of each type of operation."""


class TraceError(ValueError):
    """A trace that is not what this reader knows. The text says what is wrong."""


@dataclass(frozen=True, slots=True)
class Trace:
    """One trace. Seconds; the clock of each step starts at 0.

    Attributes:
        name: of the job.
        steps: their numbers, ascending, [step].
        rank, stage, dp: of each rank, ascending by rank, [rank].
        start, end: of each rank's first and last operation, [step, rank].
        spent: section to seconds in it, [step, rank]. Exclusive: waiting under own work is own work.
        operations: of each step and rank, by start: columns `start`, `end` and index into `sections`.
        sections: names that `operations` refers to.
    """

    name: str
    steps: Ints
    rank: Ints
    stage: Ints
    dp: Ints
    start: Floats
    end: Floats
    spent: dict[str, Floats]
    operations: list[list[Floats]]
    sections: tuple[str, ...]

    @property
    def duration(self) -> Floats:
        """Length of each rank's step, [step, rank]."""
        return self.end - self.start

    @property
    def length(self) -> Floats:
        """Length of the job's step: until the last rank is done, [step]."""
        longest: Floats = self.end.max(axis=1)
        return longest


def read(path: Path, meta: Path | None = None) -> Trace:
    """Read a trace, and check it against its description where there is one.

    Raises:
        TraceError: an operation is unknown, a rank lacks a step, or the description tells another layout.
    """
    table = pq.read_table(path).to_pandas()
    unknown = set(table.optype[table.optype.notna()].astype(str)) - set(SECTIONS)
    if unknown:
        raise TraceError(f"{path}: unknown operations {', '.join(sorted(unknown))}")
    steps, at = np.unique(table.step.to_numpy(np.int64), return_inverse=True)
    rank, first, who = np.unique(table["rank"].to_numpy(np.int64), return_index=True, return_inverse=True)
    shape = (len(steps), len(rank))
    cell = at * len(rank) + who
    if len(np.unique(cell)) != shape[0] * shape[1]:
        raise TraceError(f"{path}: not every rank has every step")
    stage, dp = (table[column].to_numpy(np.int64)[first] for column in ("stage", "dp_rank"))
    named = _described(meta, stage, dp) if meta else path.stem.removeprefix("trace-")
    sections = (COMPUTE, COLLECTIVE, HOST)
    cells = _by_cell(table, cell, sections)
    return Trace(
        name=named,
        steps=steps,
        rank=rank,
        stage=stage,
        dp=dp,
        start=np.array([rows[:, 0].min() for rows in cells]).reshape(shape),
        end=np.array([rows[:, 1].max() for rows in cells]).reshape(shape),
        spent=_spent(cells, sections, shape),
        operations=[cells[row : row + len(rank)] for row in range(0, len(cells), len(rank))],
        sections=sections,
    )


def _described(meta: Path, stage: Ints, dp: Ints) -> str:
    told: dict[str, Any] = yaml.safe_load(meta.read_text())
    layout = (int(told["pp_size"]), int(told["dp_size"]))
    if (len(np.unique(stage)), len(np.unique(dp))) != layout:
        raise TraceError(f"{meta}: {layout[0]} stages by {layout[1]} replicas, and the trace has others")
    return str(told["trial_name"])


def _by_cell(table: pd.DataFrame, cell: Ints, sections: tuple[str, ...]) -> list[Floats]:
    """Operations of each step and rank: start, end, section; by start."""
    start = table.start_ts.to_numpy(np.float64)
    end = start + table.duration.to_numpy(np.float64)
    section = table.optype.astype(str).map(SECTIONS).map(sections.index).to_numpy(np.float64)
    order = np.lexsort((start, cell))
    rows = np.column_stack((start, end, section))[order]
    return np.split(rows, np.flatnonzero(np.diff(cell[order])) + 1)


def _spent(cells: list[Floats], sections: tuple[str, ...], shape: tuple[int, int]) -> dict[str, Floats]:
    """Time covered by own work; by that and waiting, less the former; by all three, less those before."""
    covered = [
        np.array([_covered(rows[rows[:, 2] < upto]) for rows in cells]).reshape(shape)
        for upto in range(len(sections) + 1)
    ]
    return {name: covered[at + 1] - covered[at] for at, name in enumerate(sections)}


def _covered(rows: Floats) -> float:
    """Seconds in which at least one of the operations, which are sorted by start, runs."""
    if not len(rows):
        return 0.0
    before = np.maximum.accumulate(np.concatenate(([-np.inf], rows[:-1, 1])))
    return float(np.maximum(0.0, rows[:, 1] - np.maximum(rows[:, 0], before)).sum())
