"""Records of a job in order of event time, kept as bytes: decoded they take several times as much."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, overload

from collectors.telemetry import Compared, decode_compared, encode


class Kept(NamedTuple):
    """One record. Its order is that of event time (Unix seconds), then of identity, then of content."""

    time: float
    identity: tuple[str, str, str, str, int]
    raw: bytes


def keep(record: Compared, raw: bytes | None = None) -> Kept:
    """Keep a record; ``raw`` is what it was decoded from, where that is at hand."""
    return Kept(record.time, record.identity, encode(record) if raw is None else raw)


class Records(Sequence[Compared]):
    """Decodes each record when it is asked for."""

    def __init__(self, kept: Iterable[Kept] = ()) -> None:
        self._kept = sorted(kept)

    def __len__(self) -> int:
        return len(self._kept)

    @overload
    def __getitem__(self, index: int) -> Compared: ...
    @overload
    def __getitem__(self, index: slice) -> "Records": ...
    def __getitem__(self, index: int | slice) -> "Compared | Records":
        """One record, or some."""
        if isinstance(index, slice):
            return Records(self._kept[index])
        return decode_compared(self._kept[index].raw)

    def __iter__(self) -> Iterator[Compared]:
        for one in self._kept:
            yield decode_compared(one.raw)

    def nodes(self) -> int:
        """How many nodes there are."""
        return len({one.identity[1] for one in self._kept})

    def of(self, node: str) -> list[Compared]:
        """One node's records."""
        return [decode_compared(one.raw) for one in self._kept if one.identity[1] == node]
