"""Running totals of a source, and by how much they grew in a period.

Pure: no file is read here. The telemetry contract wants increases, and wants ``None`` where an increase is not
known: at first sight, after a reset, and when the source was away.
"""

from collections.abc import Hashable, Iterable, Mapping
from typing import Generic, TypeVar

LARGEST_TOTAL = 2**64 - 1
"""Counters of the kernel and of devices are at most 64 bits wide; a larger number is garbage."""

Key = TypeVar("Key", bound=Hashable)


class Increases(Generic[Key]):
    """Turns running totals into increases, one call per period.

    It remembers the totals of the last period only, so it stays as small as its source.
    """

    def __init__(self) -> None:
        self._last: Mapping[Key, int | None] = {}

    def advance(self, totals: Mapping[Key, int | None]) -> dict[Key, int | None]:
        """Say by how much each total grew since the last call.

        Args:
            totals: what the source says now; ``None`` where it could not be read. The caller must not change
                it afterwards.

        Returns:
            An increase >= 0, or ``None``: the key is new or was away in the last period, fell (a reset or a
            wrap: how much was lost is not known), cannot be read now, or vanished (then for this one call).
        """
        last = self._last
        grown: dict[Key, int | None] = dict.fromkeys(last)
        for key, total in totals.items():
            before = last.get(key)
            grown[key] = total - before if total is not None and before is not None and total >= before else None
        self._last = totals
        return grown


def sum_known(increases: Iterable[int | None]) -> int | None:
    """Add up; ``None`` when a part is unknown or there is none, because a partial sum would look like less."""
    total: int | None = None
    for increase in increases:
        if increase is None:
            return None
        total = increase if total is None else total + increase
    return total


def running_total(text: bytes | None) -> int | None:
    """Read a running total as the kernel prints it; all but a decimal number of at most 64 bits is ``None``."""
    if text is None:
        return None
    digits = text.strip()
    # isdigit of bytes is ASCII only; int() alone would take "-1", "1_000" and other alphabets.
    if not digits.isdigit() or len(digits) > 20:
        return None
    total = int(digits)
    return total if total <= LARGEST_TOTAL else None
