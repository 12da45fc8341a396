"""How long accusing takes and what is missed: figures measured on simulated jobs, not a detector run again.

They are of the suite `faulty` (`guard bench detection --suite faulty --cases 1000`, seed 1). Kinds that are the
same in every step are told apart by their factor, the others by their kind.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from simulation.case import FaultKind


class _Measured(NamedTuple):
    """`missed` of `cases`; `seconds` from onset to accusation at the quantiles `_AT`."""

    missed: int
    cases: int
    seconds: Sequence[float]


_AT = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
_STEADY: Sequence[tuple[float, _Measured]] = (
    (1.25, _Measured(0, 105, (119, 137, 165, 193, 242, 359, 556))),
    (1.5, _Measured(0, 78, (52, 66, 76, 124, 141, 274, 313))),
    (2.0, _Measured(0, 217, (40, 43, 51, 66, 96, 211, 641))),
    (math.inf, _Measured(0, 193, (37, 40, 45, 50, 94, 163, 218))),
)
"""By factor: below which."""
_UNSTEADY: Mapping[FaultKind, _Measured] = {
    FaultKind.DRIFT: _Measured(0, 72, (159, 172, 204, 263, 407, 597, 755)),
    FaultKind.INTERMITTENT: _Measured(0, 59, (142, 150, 218, 278, 514, 940, 1087)),
    FaultKind.LINK: _Measured(1, 65, (278, 286, 303, 330, 391, 497, 523)),
    FaultKind.THROTTLE: _Measured(0, 76, (39, 41, 45, 57, 769, 1110, 1121)),
}

AILMENTS = (
    FaultKind.COMPUTE,
    FaultKind.CORE,
    FaultKind.DEVICE,
    FaultKind.MEMORY,
    FaultKind.HOST,
    FaultKind.INPUT,
    *_UNSTEADY,
)
"""What makes a node slow; as in the suite each is as likely as another. Stalling checkpoints are left out: what
they cost is not a factor of every step."""

EXCESS_MOST: Mapping[FaultKind, float] = {FaultKind.THROTTLE: 0.6, FaultKind.INTERMITTENT: 0.3}
"""Greatest mean excess of kinds that come and go, as in the suite."""

LATENESS = 10.0
"""Seconds that the detector waits for late records (`detect.lateness`), beside the measured delay."""

SOURCE = "837 cases of the suite `faulty`, seed 1, detectors at commit 526087c"


def delay(ailment: FaultKind, factor: float, luck: float) -> float | None:
    """Seconds from onset to accusation; None: never accused.

    Args:
        ailment: what makes the node slow, one of `AILMENTS`.
        factor: own work over normal.
        luck: uniform in [0, 1): the smaller, the longer; the smallest are missed.
    """
    measured = _UNSTEADY.get(ailment) or next(found for most, found in _STEADY if factor < most)
    missed = measured.missed / measured.cases
    if luck < missed:
        return None
    at = 1 - (luck - missed) / (1 - missed)
    return LATENESS + float(np.interp(at, _AT, measured.seconds))
