"""DLRover: a node that takes more than twice the median is a straggler.

`NetworkCheckRendezvousManager._detect_stragglers` compares the times of a probe (a matrix product and an
all-gather) that runs before training, over all nodes. Here it gets each node's own work while it trains, which
is kinder to it: the probe runs once, and sees no slowdown that comes later.
"""

from typing import ClassVar

from detectors.observed import Floats
from simulation.baselines.baseline import Name
from simulation.baselines.seen import Seen, middle


class DLRover:
    """Own work over the median of all nodes."""

    name: ClassVar = Name.DLROVER
    published: ClassVar[float | None] = 2.0

    def strength(self, seen: Seen) -> Floats:
        """Compare this window alone."""
        ratio: Floats = seen.own / middle(seen.own[:, None])
        return ratio
