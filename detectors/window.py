"""Sums over one window of a job, in arrays of nodes by ranks: what each rank did, step by step.

Unknown is NaN and stays NaN through every sum, so a rank with a hole in its data is left out of a comparison
rather than taken for a fast one.
"""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.domains import Domains
from detectors.forms import Form
from detectors.growing import enough, grown, rows_of
from detectors.held import Held
from detectors.observed import SECTIONS, Flags, Floats, Integers, Latest, Signals, Totals
from detectors.packing import LARGEST
from detectors.places import Part, Places, Stage
from detectors.signal_sums import SignalSums
from detectors.stances import Stances

_LONGEST = 1e9
"""Seconds or work beyond which a number is a mistake (a step of 30 years)."""

_EXACT = 2**24
"""Whole numbers up to which 32-bit floating point is exact."""

_SLOTS, _RANKS = 16, 8


class Numbering(msgspec.Struct, array_like=True):
    """What a snapshot holds of a window: which numbers things have. Each list is in order of them."""

    stages: list[Stage]
    parts: list[Part]
    domains: dict[str, list[str]]
    signals: list[tuple[str, bool]]


class Window:
    """Accumulates records. Slots are given by the caller and grow as needed.

    Attributes:
        empty: whether nothing was added since the window began.
    """

    def __init__(self) -> None:
        self.empty = True
        self._size = (_SLOTS, _RANKS)
        self._places = Places(*self._size)
        self._stances = Stances(*self._size)
        self._signals = SignalSums()
        self._domains = Domains()
        self._count = np.zeros(self._size, dtype=np.float32)
        self._first = np.full(self._size, LARGEST, dtype=np.int32)
        self._last = np.full(self._size, -1, dtype=np.int32)
        self._duration, self._slowest, self._work = (np.zeros(self._size, dtype=np.float32) for _ in range(3))
        self._sections = np.zeros((len(SECTIONS), *self._size), dtype=np.float32)

    def add(self, slots: Sequence[int], records: Sequence[Held]) -> None:
        """Add records, one per slot at most, each no older than what its slot had before."""
        if not slots:
            return
        self.empty = False
        self._reach(max(slots) + 1, max((record.layout.rows for record in records if record.layout), default=0))
        alike: dict[Form, tuple[list[int], list[bytes]]] = {}
        for slot, record in zip(slots, records, strict=True):
            if record.domains:
                self._domains.note(slot, record.domains)
            if record.layout is not None and record.form is not None:
                if self._places.layouts[slot] is not record.layout:
                    self._places.put(slot, record.layout)
                where, bodies = alike.setdefault(record.form, ([], []))
                where.append(slot)
                bodies.append(record.body)
        self._signals.add(slots, records)
        self._stances.come(np.array(slots), np.array([record.time for record in records]))
        for form, (where, bodies) in alike.items():
            places, packed = np.array(where), np.frombuffer(b"".join(bodies), form.kind)
            self._places.move(places, packed["rank"], packed["pipeline"])
            self._stances.take(places, form, packed)
            self._sum(places, form, packed)

    @property
    def numbering(self) -> Numbering:
        """The numbers of all that was met so far, for a snapshot."""
        places = self._places
        return Numbering(list(places.stages), list(places.parts), self._domains.known, self._signals.names)

    def restore(self, numbering: Numbering) -> None:
        """Give things the numbers that they had before a restart."""
        self._places.stages = {stage: number for number, stage in enumerate(numbering.stages)}
        self._places.parts = {part: number for number, part in enumerate(numbering.parts)}
        self._domains.know(numbering.domains)
        self._signals.know(numbering.signals)

    @property
    def beyond(self) -> int:
        """Signals that records of this window had beyond what is kept."""
        return self._signals.beyond

    def totals(self, slots: int) -> Totals:
        """What the first `slots` slots have summed up to. Views: use them before the next `add`."""
        self._reach(slots, 0)
        places = self._places
        exact = np.float32 if int(self._last.max(initial=0)) < _EXACT else np.float64
        first, last = self._first[:slots], self._last[:slots]
        return Totals(
            count=self._count[:slots],
            first=np.where(first < LARGEST, first, np.nan).astype(exact),
            last=np.where(last >= 0, last, np.nan).astype(exact),
            duration=self._duration[:slots],
            slowest=self._slowest[:slots],
            work=self._work[:slots],
            sections=self._sections[:, :slots],
            part=places.part[:slots],
            stage=places.stage[:slots],
            depth=places.depth[:slots],
            pipeline=places.pipeline[:slots],
            device=places.device[:slots],
        )

    def signals(self, slots: int) -> Signals:
        """What the first `slots` slots have measured. A view in part: use it before the next `add`."""
        return self._signals.signals(slots)

    def latest(self, slots: int) -> Latest:
        """How the first `slots` slots stood in their newest records, of this window or an earlier one."""
        self._reach(slots, 0)
        return self._stances.latest(slots, self._places.rank[:slots])

    def domains(self, slots: int) -> dict[str, Integers]:
        """Fault domains of the first `slots` slots by label: a number per node, -1 where not known."""
        return self._domains.numbers(slots)

    def domain_name(self, label: str, number: int) -> str | None:
        """What a domain's number stands for."""
        return self._domains.name(label, number)

    def clear(self) -> None:
        """Start the next window. Places and stances stay known until the next record of their node."""
        self.empty = True
        self._signals.clear()
        for array in (self._count, self._duration, self._slowest, self._work, self._sections):
            array.fill(0.0)
        self._first.fill(LARGEST)
        self._last.fill(-1)

    def vacate(self, slot: int) -> None:
        """Empty a slot whose node has left."""
        self._signals.vacate(slot)
        self._domains.vacate(slot)
        if slot >= self._size[0]:
            return
        self._places.vacate(slot)
        self._stances.vacate(slot)
        for array in (self._count, self._duration, self._slowest, self._work):
            array[slot] = 0.0
        self._sections[:, slot] = 0.0
        self._first[slot], self._last[slot] = LARGEST, -1

    def _sum(self, slots: Integers, form: Form, packed: NDArray[np.void]) -> None:
        here = (rows_of(slots), slice(form.rows))
        count, first, last = packed["count"], packed["first"], packed["last"]
        ended = count > 0
        self._count[here] += np.where(ended, count, 0).astype(np.float32)
        self._first[here] = np.minimum(self._first[here], np.where(ended & (first >= 0), first, LARGEST))
        self._last[here] = np.maximum(self._last[here], np.where(ended, last, -1))
        self._duration[here] += _known(packed, "duration", ended)
        self._work[here] += _known(packed, "work", ended)
        self._slowest[here] = np.maximum(self._slowest[here], _known(packed, "slowest", ended))
        for index, name in enumerate(SECTIONS):
            self._sections[index][here] += _known(packed, name, ended)

    def _reach(self, slots: int, ranks: int) -> None:
        if slots <= self._size[0] and ranks <= self._size[1]:
            return
        shape = self._size = (enough(self._size[0], slots), max(self._size[1], ranks))
        self._places.reach(*shape)
        self._stances.reach(*shape)
        self._count, self._duration = grown(self._count, shape, 0), grown(self._duration, shape, 0)
        self._slowest, self._work = grown(self._slowest, shape, 0), grown(self._work, shape, 0)
        self._sections = grown(self._sections, (len(SECTIONS), *shape), 0)
        self._first, self._last = grown(self._first, shape, LARGEST), grown(self._last, shape, -1)


def _known(packed: NDArray[np.void], name: str, ended: Flags) -> Floats:
    """A column: NaN where unknown, negative or absurd; zero where no step ended, for there is nothing to know."""
    if name not in (packed.dtype.names or ()):
        return np.where(ended, np.float32(np.nan), np.float32(0))
    column = packed[name]
    sound = (column >= 0) & (column <= _LONGEST)
    return np.where(ended, np.where(sound, column, np.float32(np.nan)), np.float32(0))
