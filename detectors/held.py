"""What the detector keeps of a record until its time has come: what it compares, packed.

A decoded record of 64 ranks takes some 100 KB of Python numbers, and a fleet's records of the allowed lateness are
held at once. Packed they take 2 KB, and go into the arrays of a window without being looked at one by one.

What many records have in common is kept once: where ranks sit (`Layout`), which columns there are (`Form`), which
signals (`Measured`), and fault domains.
"""

import struct
import zlib
from collections.abc import Collection, Iterable, Sequence
from typing import TypeVar

import msgspec

from collectors.telemetry import Compared, ComparedRanks, ComparedSteps, Fault, Increases, Values
from detectors.forms import MOST_RANKS, Form, Layout, Measured
from detectors.observed import ODD, SECTIONS
from detectors.packing import (
    newest,
    packed_flags,
    packed_names,
    packed_real,
    packed_signals,
    packed_whole,
    reduced,
    shifted,
)

MOST_SIGNALS = 256
"""Signals of one job, and so of one record; a list makes two of them."""

_MOST_LABELS = 16
_LONGEST_NAME = 253

_INTERNED = 65_536
"""Layouts and the like kept at most. A fleet has some hundred; a hostile one must not fill the memory."""

_FORMS = 1024
"""Forms and sets of signals kept at most: a fleet has a few, and their names can be long."""

_HEAD = struct.Struct("dii")
"""When the newest step ended, and the first of the global ranks and of the replicas."""

_KIND = "instance_type"
_NO_SUMS = (None,) * (3 + len(SECTIONS))

_Key = TypeVar("_Key")
_Common = TypeVar("_Common")


class Held(msgspec.Struct, frozen=True, gc=False):
    """One record, packed.

    Attributes:
        node, instance, time, period, leaving, faults: as in the record.
        attempt: of its job; 0 while idle.
        offset: where it stands in its partition.
        checksum: of its identity.
        domains: its labels but for the instance type: where it stands, by kind of place.
        layout, form, body: where its ranks sit, which columns there are, and these; None where it has no steps.
        measured, signals: which signals there are, and their values in 32-bit floating point, NaN where unknown;
            None where there are none.
    """

    node: str
    instance: str
    time: float
    period: float
    attempt: int
    offset: int
    checksum: int
    leaving: bool = False
    faults: tuple[Fault, ...] = ()
    domains: tuple[tuple[str, str], ...] = ()
    layout: Layout | None = None
    form: Form | None = None
    body: bytes = b""
    measured: Measured | None = None
    signals: bytes = b""


class Packer:
    """Packs records, and remembers what it has met of that which many have in common."""

    def __init__(self) -> None:
        self._layouts: dict[tuple[object, ...], Layout] = {}
        self._forms: dict[tuple[object, ...], Form] = {}
        self._measured: dict[tuple[object, ...], Measured] = {}
        self._domains: dict[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]] = {}

    def pack(self, record: Compared, offset: int) -> Held:
        """Keep of a record what is compared. One without usable ranks or signals keeps who sent it and when."""
        steps, ranks, labels = record.steps, record.ranks, record.labels
        layout = form = measured = None
        body = signals = b""
        if steps is not None and ranks is not None and 0 < len(ranks.rank) <= MOST_RANKS:
            rank, pipeline, layout = self._layout(ranks, labels.get(_KIND))
            form, body = self._body(steps, len(ranks.rank), rank, pipeline)
        if record.gauges or record.counters:
            measured, signals = self._signals(record.gauges, record.counters)
        return Held(
            record.node,
            record.instance,
            record.time,
            record.period,
            record.job.attempt if record.job else 0,
            offset,
            zlib.crc32(f"{record.node}\x1f{record.instance}\x1f{record.boot}\x1f{record.seq}".encode()),
            record.leaving,
            tuple(record.faults),
            self._places(labels) if labels else (),
            layout,
            form,
            body,
            measured,
            signals,
        )

    def _layout(self, ranks: ComparedRanks, kind: str | None) -> tuple[int, int, Layout]:
        rows = len(ranks.rank)
        rank, ranks_from_it = shifted(ranks.rank, rows)
        pipeline, pipelines_from_it = shifted(ranks.dp, rows)
        if kind is not None:
            kind = kind[:_LONGEST_NAME]
        key = (
            rows,
            kind,
            *[
                None if column is None else tuple(column)
                for column in (ranks.stage, ranks.tp, ranks.ep, ranks.device)
            ],
            ranks_from_it,
            pipelines_from_it,
        )
        layout = self._layouts.get(key)
        if layout is None:
            known = [packed_whole(column) for column in (ranks.stage, ranks.tp, ranks.ep, ranks.device)]
            layout = _kept(self._layouts, key, Layout(rows, [*known, ranks_from_it, pipelines_from_it], kind))
        return rank, pipeline, layout

    def _body(self, steps: ComparedSteps, rows: int, rank: int, pipeline: int) -> tuple[Form, bytes]:
        names, current = packed_names(steps.current)
        parts = [packed_whole(steps.count), packed_whole(steps.first_step), packed_whole(steps.last_step)]
        if any(steps.count):
            # Without synchronisation at section ends, wall times of sections say nothing: as if absent.
            sections = steps.sections if steps.synced and steps.sections else {}
            sums = (steps.duration, steps.slowest, steps.work, *map(sections.get, SECTIONS))
        else:
            sums = _NO_SUMS
        there, real = packed_real((*sums, steps.current_age))
        parts += (real, current, packed_flags(steps.alive))
        key = (rows, names, there, *map(len, parts))
        form = self._forms.get(key)
        if form is None:
            lengths = [*map(len, parts[:3]), *[4 * rows * one for one in there], *map(len, parts[4:])]
            form = _kept(self._forms, key, Form(rows, lengths, names), _FORMS)
        return form, _HEAD.pack(newest(steps.last_end), rank, pipeline) + b"".join(parts)

    def _signals(self, gauges: dict[str, Values], counters: dict[str, Increases]) -> tuple[Measured, bytes]:
        values: list[float | None] = []
        lists = [*_gather(gauges.values(), 0, values), *_gather(counters.values(), 1, values)]
        key = (len(gauges), *lists, *gauges, *counters)
        measured = self._measured.get(key)
        if measured is None:
            measured, values = _sensible(gauges, counters, lists, values)
            if not measured.beyond:
                measured = _kept(self._measured, key, measured, _FORMS)
        return measured, packed_signals(values)

    def _places(self, labels: dict[str, str]) -> tuple[tuple[str, str], ...]:
        found = [
            (name, value)
            for name, value in labels.items()
            if name != _KIND and 0 < len(name) <= _LONGEST_NAME and 0 < len(value) <= _LONGEST_NAME
        ]
        found.sort()
        domains = tuple(found[:_MOST_LABELS])
        return self._domains.get(domains) or _kept(self._domains, domains, domains)


def _kept(store: "dict[_Key, _Common]", key: "_Key", value: "_Common", most: int = _INTERNED) -> "_Common":
    if len(store) >= most:
        store.clear()
    store[key] = value
    return value


def _gather(sources: Iterable[Values], which: int, values: list[float | None]) -> list[bool]:
    """Add the values of sources, two of a list: mean (0) or sum (1), and the odd one. Tells which are lists."""
    lists = []
    for source in sources:
        if isinstance(source, list):
            lists.append(True)
            found = reduced(source)
            values += (found[which], found[2])
        else:
            lists.append(False)
            values.append(source)
    return lists


def _sensible(
    gauges: Collection[str], counters: Collection[str], lists: Sequence[bool], values: Sequence[float | None]
) -> tuple[Measured, list[float | None]]:
    """Name the values, and leave out those without a sensible name, and what is too many."""
    names: list[str] = []
    kept: list[float | None] = []
    counted = beyond = place = 0
    for number, (name, several) in enumerate(zip((*gauges, *counters), lists, strict=True)):
        own = (name, name + ODD) if several else (name,)
        if 0 < len(name) <= _LONGEST_NAME and not name.endswith(ODD) and len(names) + len(own) <= MOST_SIGNALS:
            names += own
            kept += values[place : place + len(own)]
            counted += len(own) if number >= len(gauges) else 0
        else:
            beyond += 1
        place += len(own)
    return Measured(tuple(names), counted, beyond), kept
