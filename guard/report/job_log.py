"""What a range's records say of one job, as columns that grow: a number each, not an object for every record."""

from array import array
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from detectors.verdict import JobStatus, JobVerdict

LATEST = 1e12
"""Unix seconds; a time beyond is none."""
_LONGEST_STEP = 1e8
_MOST_NODES = 10_000_000
_SILENCE = "no telemetry from any node of the job"
"""What the detector gives for a reason while it repeats its last word without hearing the job itself."""

Floats = NDArray[np.float64]


class Phase(IntEnum):
    """What a record says of the time from it on."""

    UNKNOWN = 0  # the detector was there, and heard nothing of the job
    NORMAL = 1
    SLOW = 2
    HUNG = 3
    STARTING = 4
    ENDED = 5


_PHASES = {status: Phase[status.name] for status in JobStatus}


class UnbelievableError(ValueError):
    """A record that can be read and whose numbers are none: a step of a thousand years."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """The records about a job as arrays, in order of time; of equal times the later one on the bus comes last.

    Attributes:
        time: when it was said, Unix seconds. `since`: since when it holds.
        phase: a `Phase` each.
        step, baseline: seconds; NaN where not known.
        nodes: how many the job has.
        accused: which of `names` it accuses.
        names: different lists of accused nodes.
    """

    time: Floats
    since: Floats
    phase: NDArray[np.uint8]
    step: Floats
    baseline: Floats
    nodes: Floats
    accused: NDArray[np.int64]
    names: tuple[tuple[str, ...], ...]


@dataclass(slots=True)
class JobLog:
    """Takes records of one job in any order."""

    _columns: "tuple[array[float], ...]" = field(default_factory=lambda: tuple(array("d") for _ in range(5)))
    _phase: "array[int]" = field(default_factory=lambda: array("B"))
    _accused: "array[int]" = field(default_factory=lambda: array("q"))
    _known: dict[tuple[str, ...], int] = field(default_factory=lambda: {(): 0})

    def __len__(self) -> int:
        return len(self._phase)

    def add(self, said: JobVerdict) -> None:
        """Take a record.

        Raises:
            UnbelievableError: a number in it cannot be.
        """
        if not (0 <= said.time < LATEST and 0 <= said.since < LATEST and 0 <= said.nodes <= _MOST_NODES):
            raise UnbelievableError("a time or a count that cannot be")
        row = (said.time, said.since, _length(said.step_time), _length(said.baseline), float(said.nodes))
        for column, value in zip(self._columns, row, strict=True):
            column.append(value)
        self._phase.append(Phase.UNKNOWN if said.reason == _SILENCE else _PHASES[said.status])
        self._accused.append(self._known.setdefault(tuple(said.accused), len(self._known)))

    def spoken(self) -> Spoken:
        """All of it, in order of time."""
        time, since, step, baseline, nodes = (np.array(column) for column in self._columns)
        order = np.argsort(time, kind="stable")
        return Spoken(
            time[order],
            since[order],
            np.array(self._phase, dtype=np.uint8)[order],
            step[order],
            baseline[order],
            nodes[order],
            np.array(self._accused, dtype=np.int64)[order],
            tuple(self._known),
        )


def _length(seconds: float | None) -> float:
    if seconds is None:
        return float("nan")
    if not 0 < seconds < _LONGEST_STEP:
        raise UnbelievableError("a step time that cannot be")
    return seconds
