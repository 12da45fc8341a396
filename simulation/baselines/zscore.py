"""z > 3.5 against all ranks of the job: the first thing that everybody tries.

The modified z-score and its cut-off of 3.5 are those of Iglewicz and Hoaglin, "How to detect and handle
outliers", 1993; the plain one could not exceed 2.5 among eight nodes, the suspect being part of the spread. It
knows no stages: where these are unequal, the ranks of a heavy one stand out, at whichever threshold.
"""

from typing import ClassVar

import numpy as np

from detectors.observed import Floats
from simulation.baselines.baseline import Name
from simulation.baselines.seen import Seen, middle, most

_SCALE = 0.6745
"""Of a normal distribution: the median absolute deviation, in standard deviations."""


class ZScore:
    """Modified z-score of each node's slowest rank."""

    name: ClassVar = Name.ZSCORE
    published: ClassVar[float | None] = 3.5

    def strength(self, seen: Seen) -> Floats:
        """Score this window alone."""
        everyone = seen.ranks.reshape(-1, 1)
        typical = middle(everyone)[0]
        spread = middle(np.abs(everyone - typical))[0]
        # Where more than half are equal to the last bit the spread is 0: clock resolution bounds it.
        score: Floats = _SCALE * (most(seen.ranks) - typical) / max(spread, 1e-6)
        return score
