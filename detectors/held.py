"""What the detector keeps of a record until its time has come: the sums it compares, packed.

A decoded record of 64 ranks takes some 50 KB of Python numbers, and a fleet's records of the allowed lateness are
held at once. Packed they take 2 KB, and go into the arrays of a window without being looked at one by one.
"""

import math
import zlib
from array import array
from collections.abc import Sequence
from typing import cast

import msgspec

from collectors.telemetry import Compared, ComparedRanks, ComparedSteps, Fault
from detectors.observed import OWN

WHOLE = ("count", "first_step", "last_step")
"""The packed columns of whole numbers, 32 bits each, -1 where unknown."""

COLUMNS = len(WHOLE) + 2 + len(OWN)
"""After those: duration, work and the sections of `OWN`, 32-bit floating point, NaN where unknown."""

MOST_RANKS = 1024
"""Ranks of one node. No Trainium node has more than 128 cores; more is not a node."""

_INTERNED = 65_536
"""Layouts kept at most. A fleet has some hundred; a hostile one must not fill the memory."""

_NOWHERE = -1
_LARGEST = 2**31 - 1
_ABSURD = 1e12
"""What larger numbers become: far beyond what a window takes for a number, and within 32 bits."""


class Layout:
    """Where the ranks of a node sit. Equal ones are the same object, so that comparing them costs nothing.

    Attributes:
        stage: pipeline stage of each rank, None where not known.
        device: device of each rank, -1 where not known.
        kind: instance type of the node.
    """

    __slots__ = ("device", "kind", "stage")

    def __init__(self, stage: tuple[int | None, ...], device: tuple[int, ...], kind: str | None) -> None:
        self.stage, self.device, self.kind = stage, device, kind


class Held(msgspec.Struct, frozen=True, gc=False):
    """One record, packed.

    Attributes:
        node, instance, time, leaving, faults: as in the record.
        attempt: of its job; 0 while idle.
        offset: where it stands in its partition.
        checksum: of its identity.
        layout: where its ranks sit; None where it has no steps to compare.
        sums: `COLUMNS` columns of a 32-bit value per rank, one after the other.
    """

    node: str
    instance: str
    time: float
    attempt: int
    offset: int
    checksum: int
    leaving: bool = False
    faults: tuple[Fault, ...] = ()
    layout: Layout | None = None
    sums: bytes = b""


class Packer:
    """Packs records, and remembers the layouts that it has met."""

    def __init__(self) -> None:
        self._layouts: dict[tuple[bytes, str | None], Layout] = {}

    def pack(self, record: Compared, offset: int) -> Held:
        """Keep of a record what is compared. One without usable steps keeps who sent it and when."""
        steps, ranks = record.steps, record.ranks
        layout, sums = None, b""
        if steps is not None and ranks is not None and 0 < len(ranks.rank) <= MOST_RANKS and any(steps.count):
            layout = self._layout(ranks, record.labels.get("instance_type"))
            sums = _sums(steps, len(ranks.rank))
        return Held(
            record.node,
            record.instance,
            record.time,
            record.job.attempt if record.job else 0,
            offset,
            zlib.crc32(f"{record.node}\x1f{record.instance}\x1f{record.boot}\x1f{record.seq}".encode()),
            record.leaving,
            tuple(record.faults),
            layout,
            sums,
        )

    def _layout(self, ranks: ComparedRanks, kind: str | None) -> Layout:
        rows = len(ranks.rank)
        key = (_whole((ranks.stage, ranks.device), rows), kind)
        layout = self._layouts.get(key)
        if layout is None:
            if len(self._layouts) >= _INTERNED:
                self._layouts.clear()
            numbers = array("i", key[0])
            stage = tuple(None if number < 0 else number for number in numbers[:rows])
            device = tuple(number if number < MOST_RANKS else _NOWHERE for number in numbers[rows:])
            layout = self._layouts[key] = Layout(stage, device, kind)
        return layout


def _sums(steps: ComparedSteps, rows: int) -> bytes:
    # Without synchronisation at section ends, wall times of sections say nothing: as if absent.
    sections = (steps.sections or {}) if steps.synced else {}
    real = (steps.duration, steps.work, *[sections.get(name) for name in OWN])
    return _whole((steps.count, steps.first_step, steps.last_step), rows) + _real(real, rows)


def _whole(columns: Sequence[Sequence[int | None] | None], rows: int) -> bytes:
    """Columns of whole numbers in 32 bits. Most have no hole, and are packed without a look at each value."""
    values: list[int | None] = []
    for column in columns:
        values += [_NOWHERE] * rows if column is None else column
    try:
        return array("i", cast("list[int]", values)).tobytes()
    except (TypeError, OverflowError):
        return array("i", [_bounded(value) for value in values]).tobytes()


def _real(columns: Sequence[Sequence[float | None] | None], rows: int) -> bytes:
    """Columns of floating point numbers in 32 bits."""
    values: list[float | None] = []
    for column in columns:
        values += [math.nan] * rows if column is None else column
    try:
        return array("f", cast("list[float]", values)).tobytes()
    except (TypeError, OverflowError):
        return array("f", [math.nan if value is None else min(value, _ABSURD) for value in values]).tobytes()


def _bounded(value: int | None) -> int:
    return int(value) if value is not None and 0 <= value <= _LARGEST else _NOWHERE
