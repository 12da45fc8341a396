"""Sums of gauges and counters over one window, nodes by signals."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from detectors.forms import Measured
from detectors.growing import enough, grown, rows_of
from detectors.held import MOST_SIGNALS, Held
from detectors.observed import Integers, Signals

_LARGEST = 1e30
"""Magnitude beyond which a value is a mistake."""

_CHUNK = 16
"""Columns are added by so many: a job has some dozens, and gets to know most at its first record."""

_CACHED = 1024
_REFUSED = -1


class SignalSums:
    """Accumulates records. The columns of a job are numbered in order of first appearance.

    Attributes:
        empty: whether nothing was added since the window began.
        beyond: how many sources of records were set aside: too many for one record or for the job, without a
            sensible name, or a counter where others have a gauge.
    """

    def __init__(self) -> None:
        self.empty = True
        self.beyond = 0
        self._columns: dict[str, int] = {}
        self._counters: list[bool] = []
        self._places: dict[Measured, Integers] = {}
        self._seconds = np.zeros(0, dtype=np.float32)
        self._sums = np.zeros((0, 0), dtype=np.float32)
        self._known = np.zeros((0, 0), dtype=np.float32)

    def add(self, slots: Sequence[int], records: Sequence[Held]) -> None:
        """Add the signals of records, one per slot at most. Those without any still count as time."""
        if not slots:
            return
        self.empty = False
        self._reach(max(slots) + 1)
        self._seconds[rows_of(np.array(slots))] += np.array([record.period for record in records], np.float32)
        alike: dict[Measured, tuple[list[int], list[float], list[bytes]]] = {}
        for slot, record in zip(slots, records, strict=True):
            if record.measured is not None:
                places, periods, packed = alike.setdefault(record.measured, ([], [], []))
                places.append(slot)
                periods.append(record.period)
                packed.append(record.signals)
        for measured, (places, periods, packed) in alike.items():
            values = np.frombuffer(b"".join(packed), np.float32).reshape(len(places), -1)
            self._sum(measured, np.array(places), np.array(periods, np.float32)[:, None], values)

    def signals(self, slots: int) -> Signals:
        """What the first `slots` slots have measured: gauges as means over time, counters per second."""
        self._reach(slots)
        order = sorted(self._columns)
        columns = np.array([self._columns[name] for name in order], dtype=int)
        counters = np.array([self._counters[column] for column in columns], dtype=bool)
        known = self._known[:slots, columns]
        known[known == 0] = np.nan
        values = self._sums[:slots, columns]
        values /= known
        return Signals(tuple(order), counters, self._seconds[:slots], values)

    @property
    def names(self) -> list[tuple[str, bool]]:
        """The signals met so far and whether they are counters, by number."""
        return list(zip(self._columns, self._counters, strict=True))

    def know(self, names: Sequence[tuple[str, bool]]) -> None:
        """Number these first, as before a restart."""
        for name, counter in names:
            self._column(name, counter=counter)

    def clear(self) -> None:
        """Start the next window."""
        self.empty = True
        self.beyond = 0
        for array in (self._seconds, self._sums, self._known):
            array.fill(0)

    def vacate(self, slot: int) -> None:
        """Empty a slot whose node has left."""
        if slot < len(self._seconds):
            self._seconds[slot] = self._sums[slot] = self._known[slot] = 0

    def _sum(
        self, measured: Measured, slots: Integers, periods: NDArray[np.float32], values: NDArray[np.float32]
    ) -> None:
        columns = self._places_of(measured)
        self.beyond += len(slots) * (measured.beyond + int(np.count_nonzero(columns == _REFUSED)))
        gauges = values.shape[1] - measured.counters
        with np.errstate(invalid="ignore"):
            sound = np.abs(values) <= _LARGEST
        amounts = np.where(sound, values, np.float32(0))
        amounts[:, :gauges] *= periods
        taken = columns >= 0
        if not taken.all():
            amounts, sound, columns = amounts[:, taken], sound[:, taken], columns[taken]
        if not len(columns):
            return
        rows, known = rows_of(slots), sound * periods
        if isinstance(rows, slice) and bool((np.diff(columns) == 1).all()):
            there = slice(int(columns[0]), int(columns[-1]) + 1)
            self._sums[rows, there] += amounts
            self._known[rows, there] += known
        else:
            self._sums[slots[:, None], columns] += amounts
            self._known[slots[:, None], columns] += known

    def _places_of(self, measured: Measured) -> Integers:
        columns = self._places.get(measured)
        if columns is None:
            if len(self._places) >= _CACHED:
                self._places.clear()
            gauges = len(measured.names) - measured.counters
            found = [self._column(name, counter=place >= gauges) for place, name in enumerate(measured.names)]
            # The same name twice, as a gauge and as a counter, is refused the second time.
            columns = self._places[measured] = np.array(found, dtype=int)
        return columns

    def _column(self, name: str, *, counter: bool) -> int:
        column = self._columns.get(name)
        if column is not None:
            return column if self._counters[column] == counter else _REFUSED
        if len(self._columns) >= MOST_SIGNALS:
            return _REFUSED
        column = self._columns[name] = len(self._columns)
        self._counters.append(counter)
        slots, columns = self._sums.shape
        if column >= columns:
            shape = (slots, columns + _CHUNK)
            self._sums, self._known = grown(self._sums, shape, 0), grown(self._known, shape, 0)
        return column

    def _reach(self, slots: int) -> None:
        have, columns = self._sums.shape
        if slots > have:
            rows = enough(have, slots)
            self._seconds = grown(self._seconds, (rows,), 0)
            self._sums, self._known = grown(self._sums, (rows, columns), 0), grown(self._known, (rows, columns), 0)
