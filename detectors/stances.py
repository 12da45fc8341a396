"""How each node stood in its newest record: in which section its ranks are, since when, and how far they came."""

import numpy as np
from numpy.typing import NDArray

from detectors.forms import Form
from detectors.growing import grown, rows_of
from detectors.observed import NO_SECTION, Integers, Latest

_UNKNOWN = -1
_MOST_SECTIONS = 127
"""Names of sections that are told apart: what a byte holds."""


class Stances:
    """The newest stance of each slot. It outlasts the window, for it is the newest record's."""

    def __init__(self, slots: int, ranks: int) -> None:
        self._sections: dict[str, int] = {}
        self._time, self._end = np.full(slots, np.nan), np.full(slots, np.nan)
        self._current, self._alive = (np.full((slots, ranks), _UNKNOWN, dtype=np.int8) for _ in range(2))
        self._age = np.full((slots, ranks), np.nan, dtype=np.float32)
        self._last = np.full((slots, ranks), _UNKNOWN, dtype=np.int32)

    def come(self, slots: Integers, times: NDArray[np.float64]) -> None:
        """Records of these slots have come; unless `take` follows, they say nothing of ranks."""
        rows = rows_of(slots)
        self._time[rows] = times
        self._end[rows] = self._age[rows] = np.nan
        self._current[rows] = self._alive[rows] = self._last[rows] = _UNKNOWN

    def take(self, slots: Integers, form: Form, packed: NDArray[np.void]) -> None:
        """Note packed records of one form."""
        rows, ranks = rows_of(slots), slice(form.rows)
        self._end[rows] = packed["end"]
        self._current[rows, ranks] = self._numbers(form.sections)[packed["current"]]
        self._alive[rows, ranks] = packed["alive"]
        self._last[rows, ranks] = packed["last"]
        names = packed.dtype.names or ()
        if "age" in names:
            age = packed["age"]
            self._age[rows, ranks] = np.where(np.isfinite(age), age, np.float32(np.nan))

    def latest(self, slots: int, rank: Integers) -> Latest:
        """Of the first `slots` slots. Views: use them before the next record."""
        return Latest(
            time=self._time[:slots],
            current=self._current[:slots],
            age=self._age[:slots],
            alive=self._alive[:slots],
            last_step=self._last[:slots],
            # One time for all ranks of a node: they end a step together, and share a clock.
            last_end=np.broadcast_to(self._end[:slots, None], self._age[:slots].shape),
            rank=rank,
            sections=tuple(self._sections),
        )

    def vacate(self, slot: int) -> None:
        """Empty a slot whose node has left."""
        self._time[slot] = self._end[slot] = self._age[slot] = np.nan
        self._current[slot] = self._alive[slot] = self._last[slot] = _UNKNOWN

    def reach(self, slots: int, ranks: int) -> None:
        """Have so many slots and ranks."""
        shape = (slots, ranks)
        self._time, self._end = grown(self._time, shape[:1], np.nan), grown(self._end, shape[:1], np.nan)
        self._current, self._alive = grown(self._current, shape, _UNKNOWN), grown(self._alive, shape, _UNKNOWN)
        self._age, self._last = grown(self._age, shape, np.nan), grown(self._last, shape, _UNKNOWN)

    def _numbers(self, sections: tuple[str, ...]) -> NDArray[np.int8]:
        """The window's number of each of a form's numbers; of -1 too, which is the last entry."""
        for name in sections:
            if len(self._sections) < _MOST_SECTIONS:
                self._sections.setdefault(name, len(self._sections))
        numbers = [self._sections.get(name, NO_SECTION) for name in sections]
        return np.array([*numbers, NO_SECTION], dtype=np.int8)
