"""What many packed records have in common, kept once: where ranks sit, which columns there are, which signals."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from detectors.observed import SECTIONS, Integers

MOST_RANKS = 1024
"""Ranks of one node. No Trainium node has more than 128 cores; more is not a node."""

_NOWHERE = -1
_HEAD = (("end", "f8"), ("rank", "i4"), ("pipeline", "i4"))
_COLUMNS = (
    *((name, "i4") for name in ("count", "first", "last")),
    *((name, "f4") for name in ("duration", "slowest", "work", *SECTIONS, "age")),
    ("current", "i1"),
    ("alive", "i1"),
)
"""What a packed record has columns of, in this order, after its head."""


class Layout:
    """Where the ranks of a node sit. Equal ones are the same object, so that comparing them costs nothing.

    Attributes:
        rows: how many ranks.
        stage, tp, ep: pipeline stage, tensor and expert role of each rank, None where not known.
        device: device of each rank, -1 where not known.
        rank, pipeline: what to add to a record's own numbers for each rank's global rank and replica.
        kind: instance type of the node.
    """

    __slots__ = ("device", "ep", "kind", "pipeline", "rank", "rows", "stage", "tp")

    def __init__(self, rows: int, columns: Sequence[bytes], kind: str | None) -> None:
        stage, tp, ep, device, self.rank, self.pipeline = (np.frombuffer(column, "i4") for column in columns)
        self.rows, self.kind = rows, kind
        self.stage, self.tp, self.ep = (_whole(column, rows) for column in (stage, tp, ep))
        self.device: Integers = np.where(device < MOST_RANKS, device, _NOWHERE).astype(np.int16)


class Form:
    """Which columns a packed record has, and what its `current` refers to. Equal ones are the same object.

    Attributes:
        rows: how many ranks.
        sections: names that the column `current` refers to.
    """

    def __init__(self, rows: int, lengths: Sequence[int], sections: tuple[str, ...]) -> None:
        self.rows, self.sections, self._lengths = rows, sections, lengths

    @cached_property
    def kind(self) -> np.dtype[np.void]:
        """The type of a packed record: each column with an entry per rank, or one for all."""
        columns: list[tuple[str, str] | tuple[str, str, tuple[int]]] = [*_HEAD]
        for (name, kind), length in zip(_COLUMNS, self._lengths, strict=True):
            if length:
                columns.append((name, kind, (length // np.dtype(kind).itemsize,)))
        return np.dtype(columns)


class Measured:
    """Names of a record's signals. Equal ones are the same object.

    Attributes:
        names: of the signals, in the order of their values.
        counters: how many of them, at the end, are counters.
        beyond: how many sources were left out: too many, or without a sensible name.
    """

    __slots__ = ("beyond", "counters", "names")

    def __init__(self, names: tuple[str, ...], counters: int, beyond: int) -> None:
        self.names, self.counters, self.beyond = names, counters, beyond


def _whole(column: Integers, rows: int) -> tuple[int | None, ...]:
    numbers = tuple(None if number < 0 else int(number) for number in column)
    return numbers if len(numbers) == rows else numbers * rows
