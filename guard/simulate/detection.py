"""How long accusing takes and what is missed: figures measured on simulated jobs, not a detector run again.

They are of the 1,000 cases of the suite `faulty` (`guard bench detection`, seed 1), by own work over normal.
"""

import numpy as np

_AT = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
_CLASSES: tuple[tuple[float, float, tuple[float, ...]], ...] = (
    (1.25, 4 / 199, (130, 141, 178, 248, 526, 988, 1121)),
    (1.5, 0 / 150, (42, 47, 117, 143, 322, 635, 1114)),
    (2.0, 2 / 335, (41, 43, 55, 73, 258, 664, 996)),
    (np.inf, 0 / 242, (40, 41, 46, 70, 159, 306, 471)),
)
"""Up to which factor; share missed; seconds from onset to accusation at the quantiles `_AT`."""

LATENESS = 10.0
"""Seconds that the detector waits for late records (`detect.lateness`), beside the measured delay."""

SOURCE = "837 cases of the suite `faulty`, seed 1, detectors at commit 526087c"


def delay(factor: float, luck: float) -> float | None:
    """Seconds from onset to accusation; None: never accused.

    Args:
        factor: own work over normal.
        luck: uniform in [0, 1): the smaller, the longer; the smallest are missed.
    """
    missed, seconds = next((share, times) for most, share, times in _CLASSES if factor < most)
    if luck < missed:
        return None
    at = 1 - (luck - missed) / (1 - missed)
    return LATENESS + float(np.interp(at, _AT, seconds))
