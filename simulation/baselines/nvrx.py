"""NVIDIA NVRx's relative performance score: a rank is a straggler below 0.75 of the best.

Its report, every 60 s, takes each rank's median time and divides the best rank's by it
(`nvidia_resiliency_ext.straggler.reporting`: reference of the relative score is "the best-performing rank in
the workload"; `identify_stragglers` has 0.75 for kernels and sections alike). Here a rank's times are its means
over windows, as telemetry has sums, and own work stands for its kernels. No stages are known to it.
"""

import math
from typing import ClassVar

import numpy as np

from detectors.observed import Floats
from simulation.baselines.baseline import Name
from simulation.baselines.seen import Last, Seen, middle, most

_REPORT = 60.0
"""Seconds: NVRx's default interval between reports."""


class Nvrx:
    """How far each node's worst rank falls short of the best: 0 is as good, 0.25 is a score of 0.75."""

    name: ClassVar = Name.NVRX
    published: ClassVar[float | None] = 0.25

    def __init__(self) -> None:
        self._last: Last | None = None

    def strength(self, seen: Seen) -> Floats:
        """Score the last minute."""
        if self._last is None:
            self._last = Last(max(1, math.ceil(_REPORT / seen.seconds)))
        median = middle(self._last.push(seen.ranks))
        best = np.where(np.isnan(median), np.inf, median).min(initial=np.inf)
        return most(1 - best / median)
