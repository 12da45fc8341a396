"""Sums over one window of a job, in arrays of nodes by ranks: what each rank did, step by step.

Unknown is NaN and stays NaN through every sum, so a rank with a hole in its data is left out of a comparison
rather than taken for a fast one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from detectors.held import COLUMNS, WHOLE, Held, Layout
from detectors.observed import OWN, Floats, Integers

_LONGEST = 1e9
"""Seconds or work beyond which a number is a mistake (a step of 30 years)."""

_SUMS = len(WHOLE)


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
    """Accumulates records into :class:`Totals`. Slots are given by the caller and grow as needed.

    Attributes:
        empty: whether nothing was added since the window began.
    """

    def __init__(self) -> None:
        self.empty = True
        self._groups: dict[tuple[int | None, str | None], int] = {}
        self._group_rows: dict[Layout, Integers] = {}
        self._layouts: list[Layout | None] = []
        self._size = (0, 0)
        self._grow(16, 8)

    def add(self, slots: Sequence[int], records: Sequence[Held]) -> None:
        """Add the steps of records, one per slot at most. Records without steps add nothing."""
        by_rows: dict[int, tuple[list[int], list[bytes]]] = {}
        for slot, record in zip(slots, records, strict=True):
            layout = record.layout
            if layout is None:
                continue
            if slot >= len(self._layouts) or self._layouts[slot] is not layout:
                self._place(slot, layout)
            places, sums = by_rows.setdefault(len(layout.stage), ([], []))
            places.append(slot)
            sums.append(record.sums)
        for rows, (places, sums) in by_rows.items():
            self._sum(np.array(places), np.frombuffer(b"".join(sums), np.int32).reshape(-1, COLUMNS, rows))
            self.empty = False

    @property
    def groups(self) -> list[tuple[int | None, str | None]]:
        """The peer groups met so far, by number."""
        return list(self._groups)

    def know(self, groups: Sequence[tuple[int | None, str | None]]) -> None:
        """Give groups the numbers that they had before a restart."""
        self._groups = {group: number for number, group in enumerate(groups)}

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
        self.empty = True
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
        self._layouts[slot : slot + 1] = [None] * len(self._layouts[slot : slot + 1])

    def _place(self, slot: int, layout: Layout) -> None:
        """Note where the ranks of a slot sit, the first time and when it changes."""
        rows = len(layout.stage)
        if slot >= self._size[0] or rows > self._size[1]:
            self._grow(slot + 1, rows)
        self._layouts += [None] * (slot + 1 - len(self._layouts))
        self._layouts[slot] = layout
        group = self._group_rows.get(layout)
        if group is None:
            numbers = [self._groups.setdefault((stage, layout.kind), len(self._groups)) for stage in layout.stage]
            group = self._group_rows[layout] = np.array(numbers, dtype=np.int32)
        self._group[slot] = self._device[slot] = -1
        self._group[slot, :rows] = group
        self._device[slot, :rows] = layout.device

    def _sum(self, slots: Integers, packed: NDArray[np.int32]) -> None:
        rows = packed.shape[2]
        count, first, last = packed[:, 0], packed[:, 1], packed[:, 2]
        sums = packed[:, _SUMS:].view(np.float32)
        ended = count > 0
        here = (slots[:, None], np.arange(rows))
        self._count[here] += np.where(ended, count, 0)
        self._first[here] = np.fmin(self._first[here], np.where(ended & (first >= 0), first, np.nan))
        self._last[here] = np.fmax(self._last[here], np.where(ended & (last >= 0), last, np.nan))
        # Negative, infinite and absurd are all unknown; of ranks that ended no step there is nothing to know.
        known = np.where((sums >= 0) & (sums <= _LONGEST), sums, np.float32(np.nan))
        known[np.broadcast_to(~ended[:, None], known.shape)] = 0.0
        self._duration[here] += known[:, 0]
        self._work[here] += known[:, 1]
        for index in range(len(OWN)):
            self._sections[index][here] += known[:, 2 + index]

    def _grow(self, slots: int, ranks: int) -> None:
        old_slots, old_ranks = self._size
        slots = max(old_slots, slots if slots <= old_slots else max(slots, 2 * old_slots))
        ranks = max(old_ranks, ranks)

        def grown(
            name: str, fill: float, lead: tuple[int, ...] = (), kind: type = np.float32
        ) -> NDArray[np.generic]:
            array: NDArray[np.generic] = np.full((*lead, slots, ranks), fill, dtype=kind)
            if old_slots:
                array[..., :old_slots, :old_ranks] = getattr(self, name)
            return array

        self._count = cast("Floats", grown("_count", 0.0))
        self._first = cast("Floats", grown("_first", np.nan, (), float))
        self._last = cast("Floats", grown("_last", np.nan, (), float))
        self._duration = cast("Floats", grown("_duration", 0.0))
        self._work = cast("Floats", grown("_work", 0.0))
        self._sections = cast("Floats", grown("_sections", 0.0, (len(OWN),)))
        self._group = cast("Integers", grown("_group", -1, (), np.int32))
        self._device = cast("Integers", grown("_device", -1, (), np.int16))
        self._size = (slots, ranks)
