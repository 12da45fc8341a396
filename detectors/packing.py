"""Columns of a record as bytes, without a look at each value where there is no need for one.

Most columns have no hole and are packed by one call in C; one with holes or hostile numbers takes the long way.
`struct` takes a third of the time of `array` for that.
"""

import struct
from collections.abc import Sequence
from functools import cache
from math import isfinite, nan
from typing import cast

UNKNOWN = -1
"""In columns of whole numbers."""

LARGEST = 2**31 - 1

_ABSURD = 1e12
"""What larger seconds become: far beyond what a window takes for a number, and within 32 bits."""

_LARGEST_SIGNAL = 1e30
"""Magnitude beyond which a gauge or counter is a mistake. Leaves room for sums in 32 bits."""

_LONGEST_NAME = 253
_MOST_ENTRIES = 1024
"""Entries of one gauge's list. No node has so many devices, cores or adapters; more is not known what."""

_FEW = 5
"""Entries of a list up to which its exact median is taken."""

_ALIKE = struct.pack("i", 0)
_NOT_KNOWN = (nan, nan, nan)


def packed_whole(column: Sequence[int | None] | None) -> bytes:
    """Whole numbers in 32 bits; one stands for all where all are equal, as in step most are. -1 where unknown."""
    if column is None:
        return struct.pack("i", UNKNOWN)
    if column.count(column[0]) == len(column):
        column = column[:1]
    try:
        return struct.pack(f"{len(column)}i", *column)
    except struct.error:
        return struct.pack(f"{len(column)}i", *map(bounded, column))


def packed_real(columns: Sequence[Sequence[float | None] | None]) -> tuple[tuple[bool, ...], bytes]:
    """Seconds or work in 32-bit floating point, NaN where unknown.

    Returns:
        Which columns there are, and these one after the other.
    """
    values: list[float | None] = []
    for column in columns:
        if column is not None:
            values += column
    there = tuple([column is not None for column in columns])
    try:
        return there, struct.pack(f"{len(values)}f", *values)
    except (struct.error, OverflowError):
        return there, struct.pack(f"{len(values)}f", *[nan if v is None else min(v, _ABSURD) for v in values])


def packed_names(column: Sequence[str | None] | None) -> tuple[tuple[str, ...], bytes]:
    """Names as numbers of a byte, and what they stand for in the order in which they come; -1 for None."""
    if column is None:
        return (), b"\xff"
    name = column[0]
    if name is not None and len(name) <= _LONGEST_NAME and column.count(name) == len(column):
        return (name,), b"\0"
    names = tuple(name for name in dict.fromkeys(column) if name is not None and len(name) <= _LONGEST_NAME)[:127]
    number: dict[str | None, int] = {name: place for place, name in enumerate(names)}
    return names, bytes([number.get(name, 255) for name in column])


def packed_flags(column: Sequence[bool | None] | None) -> bytes:
    """1, 0, or -1 where unknown, a byte each; one stands for all where all are equal."""
    if column is None:
        return b"\xff"
    if column.count(column[0]) == len(column):
        column = column[:1]
    return bytes([255 if flag is None else flag for flag in column])


def newest(column: Sequence[float | None] | None) -> float:
    """The latest of some times, NaN if none is known."""
    if column is None:
        return nan
    if column.count(column[0]) == len(column):
        return nan if column[0] is None else float(min(column[0], _ABSURD))
    return max((float(min(time, _ABSURD)) for time in column if time is not None), default=nan)


def bounded(value: int | None) -> int:
    """A number of something, if it is one."""
    return int(value) if value is not None and 0 <= value <= LARGEST else UNKNOWN


def shifted(column: Sequence[int | None] | None, rows: int) -> tuple[int, bytes]:
    """Numbers as the first one, and how far each is from it: nodes that differ in the first one alone are alike.

    Returns:
        What to add, and packed whole numbers; where one is unknown, zero and all numbers as they are.
    """
    if column is None:
        return 0, packed_whole(None)
    first = column[0]
    if first is not None and 0 <= first <= LARGEST - rows:
        if column == list(range(first, first + rows)):
            return first, _in_order(rows)
        if column.count(first) == rows:
            return first, _ALIKE
    numbers = [bounded(value) for value in column]
    if min(numbers) < 0:
        return 0, packed_whole(numbers)
    return numbers[0], struct.pack(f"{rows}i", *[number - numbers[0] for number in numbers])


@cache
def _in_order(rows: int) -> bytes:
    return struct.pack(f"{rows}i", *range(rows))


def reduced(values: Sequence[float | None]) -> tuple[float, float, float]:
    """Mean, sum, and the odd one of what is known in a list: the entry farthest from the middle, less the middle.

    The middle of many is the mean without the least and the largest: as good as the median where one entry is odd,
    nearly so where two are, and to be had without sorting. Plain distance, not in spreads: one node's list has too
    few entries for a spread of its own, and what is far for this signal is known from other nodes.
    """
    rows = len(values)
    if not 0 < rows <= _MOST_ENTRIES:
        return _NOT_KNOWN
    first = values[0]
    if values.count(first) == rows:
        if first is None or not abs(first) <= _LARGEST_SIGNAL:  # as NaN is not either
            return _NOT_KNOWN
        return first, first * rows, 0.0
    known = cast("Sequence[float]", values)
    try:
        total, least, most = sum(known), min(known), max(known)
    except (TypeError, OverflowError):
        return _reduced_known(values)
    if not (least >= -_LARGEST_SIGNAL and most <= _LARGEST_SIGNAL and isfinite(total)):
        return _reduced_known(values)
    if rows <= _FEW:
        ordered = sorted(known)
        middle = (ordered[(rows - 1) // 2] + ordered[rows // 2]) / 2
    else:
        middle = (total - least - most) / (rows - 2)
    above, below = most - middle, middle - least
    return total / rows, total, above if above >= below else -below


def _reduced_known(values: Sequence[float | None]) -> tuple[float, float, float]:
    return reduced([value for value in values if value is not None and abs(value) <= _LARGEST_SIGNAL])


def packed_signals(values: Sequence[float | None]) -> bytes:
    """Gauges and counters in 32-bit floating point, NaN where unknown or absurd."""
    try:
        return struct.pack(f"{len(values)}f", *values)
    except (struct.error, OverflowError):
        sound = [v if v is not None and abs(v) <= _LARGEST_SIGNAL else nan for v in values]
        return struct.pack(f"{len(values)}f", *sound)
