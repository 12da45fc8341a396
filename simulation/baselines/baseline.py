"""What every baseline is: a number per node and window, and a threshold above which the node is accused."""

from enum import StrEnum
from typing import ClassVar, Protocol

import numpy as np

from detectors.observed import Floats
from simulation.baselines.seen import Seen


class Name(StrEnum):
    """Methods that are measured beside ours."""

    ZSCORE = "z-score"
    NVRX = "nvrx"
    DLROVER = "dlrover"
    MINDER = "minder-like"
    GREYHOUND = "greyhound-like"
    FOREST = "isolation-forest"
    ARRIVAL = "last-arriver"
    GUARD = "guard-like"


class Baseline(Protocol):
    """One method on one job. It keeps its own memory of earlier windows, so each case needs a fresh one.

    Attributes:
        name: of the method.
        published: the threshold that its authors give; None where they give none that carries over.
    """

    name: ClassVar[Name]
    published: ClassVar[float | None]

    def strength(self, seen: Seen) -> Floats:
        """Say how strongly this window and those before it speak against each node. NaN: nothing is known."""
        ...


def accused(strength: Floats, threshold: float) -> set[int]:
    """Slots of the nodes that a baseline accuses at a threshold."""
    return {int(slot) for slot in np.flatnonzero(strength > threshold)}
