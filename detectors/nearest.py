"""Names that somebody may have meant by one that there is not."""

from collections.abc import Iterable
from difflib import get_close_matches
from heapq import nlargest

from detectors.plain import plain

_COMPARED = 500
"""Names of a fleet that are looked at closely: those that begin, and those that end, most like the one given."""
_LONGEST = 100
"""Characters that are compared; the cost grows with their square."""


def hint(name: str, known: Iterable[str], most: int = 3) -> str:
    """``; did you mean a, b or c?``, in harmless text; empty where nothing is near.

    Args:
        name: the one given.
        known: those there are, in any order.
        most: how many are told at most.
    """
    meant = nearest(name, known, most)
    told = ", ".join(meant[:-1]) + " or " + meant[-1] if len(meant) > 1 else "".join(meant)
    return f"; did you mean {told}?" if meant else ""


def nearest(name: str, known: Iterable[str], most: int = 3) -> list[str]:
    """The nearest names, in harmless text, the nearest first."""
    given = name[:_LONGEST]
    every = sorted({one[:_LONGEST] for one in known})
    if len(every) > 2 * _COMPARED:
        behind = given[::-1]
        alike = nlargest(_COMPARED, every, key=lambda one: _alike(one, given))
        alike += nlargest(_COMPARED, every, key=lambda one: _alike(one[::-1], behind))
        every = sorted(set(alike))
    return [plain(one) for one in get_close_matches(given, every, n=most, cutoff=0.5)]


def _alike(one: str, other: str) -> int:
    """How many characters they have in common from the start."""
    both = zip(one, other, strict=False)
    return next((place for place, (a, b) in enumerate(both) if a != b), min(len(one), len(other)))
