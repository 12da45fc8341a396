"""The threshold at which a baseline scores best on a calibration split.

An event is found when a culprit's strength exceeds the threshold at any time after the onset, and a false
accusation is a node that exceeds it without being at fault: so the highest strength that each node reaches is
all that is needed to score every threshold at once.
"""

import sys
from collections.abc import Sequence

import msgspec
import numpy as np


class Peaks(msgspec.Struct, frozen=True):
    """Highest strengths in one case.

    Attributes:
        true: of each culprit, while it was at fault; NaN as None where nothing was known of it.
        false: of each node that was not at fault, and of each culprit before its fault.
    """

    true: tuple[float | None, ...]
    false: tuple[float, ...]


def best_threshold(cases: Sequence[Peaks]) -> float:
    """The threshold of the highest F1, and of those the highest. Beyond everything where nobody is to be found."""
    true = np.sort([peak for case in cases for peak in case.true if peak is not None])
    false = np.sort([peak for case in cases for peak in case.false])
    culprits = sum(len(case.true) for case in cases)
    if not len(true):
        return sys.float_info.max  # finite, as JSON knows no infinity
    found = len(true) - np.arange(len(true))
    wrong = len(false) - np.searchsorted(false, true, side="left")
    # A tie of two strengths counts at its first place, where all of them are found.
    first = np.searchsorted(true, true, side="left")
    score = (2 * found / (found + wrong + culprits))[first]
    lowest = true[len(score) - 1 - score[::-1].argmax()]
    return _just_below(float(lowest), np.concatenate([true, false]))


def _just_below(strength: float, every: np.ndarray[tuple[int], np.dtype[np.floating]]) -> float:
    """Halfway to the next strength below: accusing is exceeding."""
    below = every[every < strength]
    return (strength + float(below.max())) / 2 if len(below) else float(np.nextafter(strength, -np.inf))
