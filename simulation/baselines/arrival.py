"""Who arrives last at the gradients' collective is to blame: which is wrong wherever there is a pipeline.

A replica's stages arrive when the slowest of them lets them: on ByteDance's trace `AR` two victims in the
culprit's pipeline arrive 24 s late, the culprit itself 2.3 s. Telemetry holds sums, no times of arrival, so
these are rebuilt: the stages of a replica arrive together, the later the more own work they have in sum. Where
the job tells no replicas, who waits least in collectives has arrived last.
"""

from typing import ClassVar

import numpy as np

from detectors.observed import Floats
from simulation.baselines.baseline import Name
from simulation.baselines.seen import Last, Seen, middle, most

_SUSTAINED = 6
"""Windows, a minute at 10 s, in which a node must be late: its best chance against noise."""


class Arrival:
    """Lateness of each node's latest rank as a share of the typical replica's work."""

    name: ClassVar = Name.ARRIVAL
    published: ClassVar[float | None] = None

    def __init__(self) -> None:
        self._last = Last(_SUSTAINED)

    def strength(self, seen: Seen) -> Floats:
        """Say who was late in every one of the last windows."""
        known = (seen.pipeline >= 0) & ~np.isnan(seen.ranks)
        late = _by_replica(seen, known) if known.any() else _by_waiting(seen)
        return self._last.sustained(late)


def _by_replica(seen: Seen, known: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Floats:
    replica = seen.pipeline[known]
    count = int(seen.pipeline.max()) + 1
    members = np.bincount(replica, minlength=count)
    work = np.bincount(replica, seen.ranks[known], count) / np.where(members > 0, members, np.nan)
    arrived = np.where(known, work[np.maximum(seen.pipeline, 0)], np.nan)
    return most(arrived / middle(work[:, None]) - 1)


def _by_waiting(seen: Seen) -> Floats:
    late: Floats = (middle(seen.waiting[:, None]) - seen.waiting) / middle(seen.own[:, None])
    return late
