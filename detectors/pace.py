"""How long a job's transfers take now and took at first: what tells a slow network from a slow node.

Who arrives last at a collective waits for nobody there: its time is the transfer's. The least of all ranks' times
in collectives is therefore the transfer itself, whoever is late.
"""

import math
from collections import deque
from itertools import pairwise
from statistics import median

import msgspec
import numpy as np

from detectors.observed import SECTIONS, Flags
from detectors.residuals import Work

_FIRST = 60
"""Windows that make the baseline."""

_RECENT = 6
"""Windows whose median is the present."""

_SLOWED = 1.03
"""Step time over its baseline at which a job counts as slowed."""

_LONG = 0.03
"""Share of the step time by which a window's transfers must exceed the usual ones to count as long."""

_MOSTLY = 4
"""Of the newest windows, those with long transfers that make them long."""

_CHANCE = 1
"""Of the newest windows, those with long transfers that are no more than chance."""

_COLLECTIVE = SECTIONS.index("collective")


class PaceState(msgspec.Struct):
    """What a snapshot holds."""

    first: list[float]
    recent: list[float]
    steps: list[tuple[float, float]]
    own: list[float]
    since: float
    flags: list[tuple[float, bool]]


class Pace:
    """Step and transfer times of one job, seconds per step."""

    def __init__(self) -> None:
        self._first: list[float] = []
        self._recent: deque[float] = deque(maxlen=_RECENT)
        self._steps: deque[tuple[float, float]] = deque(maxlen=4 * _FIRST)
        self._own: deque[float] = deque(maxlen=_FIRST)
        self._since = float("nan")
        self._flags: deque[tuple[float, bool]] = deque(maxlen=_RECENT)

    def note(self, work: Work, among: Flags, step_time: float | None, start: float) -> None:
        """Take in one window that began at `start`."""
        if step_time is not None:
            self._steps.append((start, step_time))
        own = work.own[among]
        own = own[~np.isnan(own)]
        if len(own):
            self._own.append(float(np.median(own)))
        waits = work.sections[_COLLECTIVE][among]
        waits = waits[~np.isnan(waits)]
        if not len(waits):
            return
        transfer = float(waits.min())
        self._recent.append(transfer)
        if len(self._first) < _FIRST:
            self._first.append(transfer)
        self._date(transfer, step_time, start)

    def slowed(self) -> bool:
        """Whether steps take longer than they did at first, by more than they vary."""
        times = [time for _, time in self._steps]
        if len(times) < 2 * _RECENT:
            return False
        first = times[:-_RECENT][:_FIRST]
        usual = sorted(first)[len(first) // 4]
        apart = median(abs(math.log(one / other)) for one, other in pairwise(first))
        return median(times[-_RECENT:]) > usual * max(_SLOWED, math.exp(3 * apart))

    def unsteadiness(self) -> float | None:
        """Robust spread of the typical own work per step from window to window, as a log; None until it is known.

        Of the step time, where no own work is known: that one moves with every culprit.
        """
        times = np.array(self._own or [time for _, time in self._steps])[-_FIRST:]
        if len(times) < _RECENT:
            return None
        apart = np.abs(np.diff(np.log(times)))
        return float(np.quantile(apart, 0.75))

    def transfer_excess(self) -> float:
        """Seconds per step that transfers take longer than at first; zero while that is not known."""
        if len(self._first) < _RECENT or len(self._recent) < _RECENT:
            return 0.0
        return max(0.0, median(self._recent) - self._baseline())

    def transfer_since(self) -> float:
        """When transfers began to take longer, Unix seconds; NaN where they do not."""
        return self._since

    def _baseline(self) -> float:
        """The lowest quarter of the first windows' transfers: some of those waited for a checkpoint."""
        return sorted(self._first)[(len(self._first) - 1) // 4]

    def _date(self, transfer: float, step_time: float | None, start: float) -> None:
        """Note whether this window's transfers are long. Most of the newest must be, as a checkpoint is one."""
        long = step_time is not None and transfer - self._baseline() > _LONG * step_time
        self._flags.append((start, long))
        flagged = [begun for begun, flag in self._flags if flag]
        if len(flagged) <= _CHANCE:
            self._since = float("nan")
        elif len(flagged) >= _MOSTLY and np.isnan(self._since):
            self._since = flagged[0]

    def freeze(self) -> PaceState:
        """All of it."""
        return PaceState(
            list(self._first),
            list(self._recent),
            list(self._steps),
            list(self._own),
            self._since,
            list(self._flags),
        )

    def restore(self, state: PaceState) -> None:
        """Go on from there."""
        self._first = list(state.first)
        self._recent.extend(state.recent)
        self._steps.extend((start, time) for start, time in state.steps)
        self._own.extend(state.own)
        self._since = state.since
        self._flags.extend((start, long) for start, long in state.flags)
