"""Sums over one window of a job, in arrays of nodes by ranks: what each rank did, step by step.

Unknown is NaN and stays NaN through every sum, so a rank with a hole in its data is left out of a comparison
rather than taken for a fast one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from collectors.telemetry import Ranks, Steps, Telemetry

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

OWN = ("compute", "data", "host")
"""Sections that are a rank's own work. `collective` is waiting for others, `checkpoint` is shared storage."""

MOST_RANKS = 1024
"""Ranks of one node. No Trainium node has more than 128 cores; more is not a node."""

_LONGEST = 1e9
"""Seconds, steps or work beyond which a number is a mistake (a step of 30 years)."""


@dataclass(frozen=True, slots=True)
class Totals:
    """One window, a row per node slot and a column per rank.

    Attributes:
        count: steps that ended.
        first, last: numbers of the first and last of them; NaN where none ended or none is given.
        duration: summed seconds of whole steps.
        work: summed work.
        sections: summed seconds of `OWN`, first axis in that order.
        group: peer group of each rank, -1 where there is no rank.
        device: device of each rank, -1 where not known.
    """

    count: Floats
    first: Floats
    last: Floats
    duration: Floats
    work: Floats
    sections: Floats
    group: Integers
    device: Integers


class Window:
    """Accumulates records into :class:`Totals`. Slots are given by the caller and grow as needed."""

    def __init__(self) -> None:
        self._groups: dict[tuple[int | None, str | None], int] = {}
        self._size = (0, 0)
        self._grow(16, 8)

    def add(self, slot: int, record: Telemetry) -> bool:
        """Add a record's steps to a slot.

        Returns:
            Whether it held any that can be used.
        """
        steps, ranks = record.steps, record.ranks
        if steps is None or ranks is None or not 0 < len(ranks.rank) <= MOST_RANKS:
            return False
        rows = len(ranks.rank)
        if slot >= self._size[0] or rows > self._size[1]:
            self._grow(slot + 1, rows)
        self._place(slot, ranks, record.labels.get("instance_type"))
        self._sum(slot, steps, rows)
        return True

    def totals(self, slots: int) -> Totals:
        """What the first `slots` slots have summed up to. Views: use them before the next `add`."""
        return Totals(
            count=self._count[:slots],
            first=self._first[:slots],
            last=self._last[:slots],
            duration=self._duration[:slots],
            work=self._work[:slots],
            sections=self._sections[:, :slots],
            group=self._group[:slots],
            device=self._device[:slots],
        )

    def clear(self) -> None:
        """Start the next window. Places of ranks stay known until the next record of their node."""
        for array in (self._count, self._duration, self._work, self._sections):
            array.fill(0.0)
        self._first.fill(np.nan)
        self._last.fill(np.nan)

    def vacate(self, slot: int) -> None:
        """Empty a slot whose node has left."""
        if slot >= self._size[0]:
            return
        for array in (self._count, self._duration, self._work):
            array[slot] = 0.0
        self._sections[:, slot] = 0.0
        self._first[slot] = self._last[slot] = np.nan
        self._group[slot] = self._device[slot] = -1

    def _place(self, slot: int, ranks: Ranks, kind: str | None) -> None:
        rows = len(ranks.rank)
        self._group[slot, rows:] = -1
        for row in range(rows):
            place = (ranks.stage[row] if ranks.stage else None, kind)
            self._group[slot, row] = self._groups.setdefault(place, len(self._groups))
            device = ranks.device[row] if ranks.device else None
            self._device[slot, row] = device if device is not None and 0 <= device < MOST_RANKS else -1

    def _sum(self, slot: int, steps: Steps, rows: int) -> None:
        count = np.nan_to_num(_column(steps.count, rows))
        ended = count > 0
        if not ended.any():
            return
        self._count[slot, :rows] += count
        first, last = _column(steps.first_step, rows), _column(steps.last_step, rows)
        self._first[slot, :rows] = np.fmin(self._first[slot, :rows], np.where(ended, first, np.nan))
        self._last[slot, :rows] = np.fmax(self._last[slot, :rows], np.where(ended, last, np.nan))
        self._duration[slot, :rows] += np.where(ended, _column(steps.duration, rows), 0.0)
        self._work[slot, :rows] += np.where(ended, _column(steps.work, rows), 0.0)
        # Without synchronisation at section ends, wall times of sections say nothing: as if absent.
        sections = (steps.sections or {}) if steps.synced else {}
        for index, name in enumerate(OWN):
            self._sections[index, slot, :rows] += np.where(ended, _column(sections.get(name), rows), 0.0)

    def _grow(self, slots: int, ranks: int) -> None:
        old_slots, old_ranks = self._size
        slots = max(old_slots, slots if slots <= old_slots else max(slots, 2 * old_slots))
        ranks = max(old_ranks, ranks)

        def grown(name: str, fill: float, lead: tuple[int, ...] = (), kind: type = float) -> NDArray[np.generic]:
            array: NDArray[np.generic] = np.full((*lead, slots, ranks), fill, dtype=kind)
            if old_slots:
                array[..., :old_slots, :old_ranks] = getattr(self, name)
            return array

        self._count = cast("Floats", grown("_count", 0.0))
        self._first = cast("Floats", grown("_first", np.nan))
        self._last = cast("Floats", grown("_last", np.nan))
        self._duration = cast("Floats", grown("_duration", 0.0))
        self._work = cast("Floats", grown("_work", 0.0))
        self._sections = cast("Floats", grown("_sections", 0.0, (len(OWN),)))
        self._group = cast("Integers", grown("_group", -1, (), int))
        self._device = cast("Integers", grown("_device", -1, (), int))
        self._size = (slots, ranks)


def _column(values: Iterable[float | None] | None, rows: int) -> Floats:
    """A column as numbers: absent, negative, infinite and absurd are all unknown."""
    if values is None:
        return np.full(rows, np.nan)
    column = np.array([np.nan if value is None else min(value, 2 * _LONGEST) for value in values], dtype=float)
    column[~((column >= 0) & (column <= _LONGEST))] = np.nan
    return column
