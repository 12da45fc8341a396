"""What is known of one job at the end of a window, in arrays: what all deciding code reads.

A row per node slot, a column per local rank or per signal. Unknown is NaN (or -1 for numbers of things) and stays
so through every sum: a rank with a hole in its data is left out of a comparison rather than taken for a fast one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Integers = NDArray[np.integer]
Flags = NDArray[np.bool_]

OWN = ("compute", "data", "host")
"""Sections that are a rank's own work."""

SECTIONS = (*OWN, "collective", "checkpoint")
"""Sections that are read. `collective` is waiting for others, `checkpoint` is mostly shared storage."""

NO_SECTION = -1
"""In `Latest.current`: the rank is in no section, or it is not known in which."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the window of each node's (axis 0) local ranks (axis 1).

    Attributes:
        count: steps that ended.
        first, last: numbers of the first and last of them; NaN where none ended or none is given.
        duration: summed seconds of whole steps.
        slowest: seconds of the longest step.
        work: summed work.
        sections: summed seconds of `SECTIONS`, first axis in that order; NaN too where not synchronised.
        part: number of the rank's part in the job, which is pipeline stage, tensor and expert role and instance
            type; -1 where there is no rank.
        stage: number of its pipeline stage and instance type alone; -1 where there is no rank.
        depth: index of its pipeline stage; -1 where not known.
        pipeline: index of its data-parallel replica; -1 where not known.
        device: index of its device; -1 where not known.
    """

    count: Floats
    first: Floats
    last: Floats
    duration: Floats
    slowest: Floats
    work: Floats
    sections: Floats
    part: Integers
    stage: Integers
    depth: Integers
    pipeline: Integers
    device: Integers


@dataclass(frozen=True, slots=True)
class Signals:
    """Gauges and counters of the window: nodes by signals.

    A source that gives a list (per device, core or adapter) makes two signals: its own name is the mean of a gauge
    or the sum of a counter, and with :data:`ODD` behind the name it is the entry farthest from the list's median,
    less that median.

    Attributes:
        names: of the columns, sorted.
        counters: which columns are counters: increases per second over the window; the others are gauges, means.
        seconds: seconds of each node's records that the window holds (for rates of rare events).
        values: NaN where not measured.
    """

    names: tuple[str, ...]
    counters: Flags
    seconds: Floats
    values: Floats


ODD = ":odd"


@dataclass(frozen=True, slots=True)
class Latest:
    """How things stood in each node's newest record.

    Attributes:
        time: of that record, Unix seconds; NaN where the slot is empty.
        current: index in `sections` of the section that each rank is in, or `NO_SECTION`.
        age: seconds since the last event of its ring; NaN where not known.
        alive: 1, 0, or -1 where not known.
        last_step: number of its newest finished step; -1 where not known.
        last_end: when that ended, Unix seconds by the node's own clock; NaN where not known.
        rank: global rank; -1 where there is none.
        sections: names that `current` refers to.
    """

    time: Floats
    current: Integers
    age: Floats
    alive: Integers
    last_step: Integers
    last_end: Floats
    rank: Integers
    sections: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Observed:
    """One window of one job.

    Attributes:
        start, end: event time, Unix seconds.
        totals, signals: what was done and measured in it.
        among: nodes that did the same steps and so may be compared by time.
        active: nodes that are there and heard of; only these have signals that count.
        domains: fault domains by label (`rack`, `ultraserver`, …): a number per node, -1 where not known.
        priors: factor on each node's odds among suspects for its past, 1 or more; None: nothing is known of it.
    """

    start: float
    end: float
    totals: Totals
    signals: Signals
    among: Flags
    active: Flags
    domains: Mapping[str, Integers]
    priors: Floats | None = None
