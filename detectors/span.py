"""Signals of several windows made one: hardware speaks slower than steps do.

Most sources give a value every five to ten seconds, and what they show is smoothed over a minute. Comparing them
in every window would triple the cost of the detector and find nothing sooner.
"""

import numpy as np

from detectors.observed import Flags, Floats, Observed, Signals

SECONDS = 30.0
"""What is gathered at least before it is compared."""


class Span:
    """Gathers signals, each weighted by the time it stands for.

    Attributes:
        empty: whether nothing is held back.
        start: when what is gathered began, Unix seconds.
    """

    def __init__(self) -> None:
        self.empty = True
        self.start = 0.0
        self._names: tuple[str, ...] = ()
        self._counters: Flags = np.zeros(0, dtype=bool)
        self._sum = np.zeros((0, 0), dtype=np.float32)
        self._known = np.zeros((0, 0), dtype=np.float32)
        self._seconds = np.zeros(0, dtype=np.float32)

    def add(self, observed: Observed) -> Signals | None:
        """Take in one window.

        Returns:
            The signals of all that was gathered, once that is enough, or once others are measured than before.
        """
        signals = observed.signals
        if self.empty and observed.end - observed.start >= SECONDS:
            self.start = observed.start
            return signals
        if self.empty or signals.names != self._names:
            self._begin(observed)
        self._gather(signals)
        if observed.end - self.start < SECONDS:
            return None
        self.empty = True
        with np.errstate(invalid="ignore", divide="ignore"):
            values = self._sum / self._known
        return Signals(self._names, self._counters, self._seconds, values)

    def vacate(self, slot: int) -> None:
        """Forget a slot whose node has left."""
        if not self.empty and slot < len(self._seconds):
            self._sum[slot] = self._known[slot] = self._seconds[slot] = 0.0

    def _begin(self, observed: Observed) -> None:
        """Start anew. What was gathered of other signals is let go: names change when a source comes or goes."""
        signals = observed.signals
        self.empty, self.start = False, observed.start
        self._names, self._counters = signals.names, signals.counters
        self._sum = np.zeros(signals.values.shape, dtype=np.float32)
        self._known = np.zeros(signals.values.shape, dtype=np.float32)
        self._seconds = np.zeros(len(signals.seconds), dtype=np.float32)

    def _gather(self, signals: Signals) -> None:
        more = len(signals.seconds) - len(self._seconds)
        if more > 0:
            self._sum, self._known = (np.pad(rows, ((0, more), (0, 0))) for rows in (self._sum, self._known))
            self._seconds = np.pad(self._seconds, (0, more))
        weight: Floats = np.where(np.isnan(signals.values), np.float32(0), signals.seconds[:, None])
        self._known += weight
        self._sum += np.where(weight > 0, signals.values * weight, np.float32(0))
        self._seconds += signals.seconds
