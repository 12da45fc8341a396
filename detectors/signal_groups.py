"""Medians and means over groups of peers, for many signals at once: quick, and with unknown values left out.

numpy's ``nanmedian`` goes through Python for each row. Here groups of like size are laid side by side in a matrix
and sorted along its last axis, where unknown values come last: 62,500 nodes by 40 signals take 20 ms, and a
quarter of it where all is known.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from detectors.observed import Flags, Floats, Integers

SMALLEST = 4
"""Members under which a cohort is compared with all nodes of the job instead."""

FEWEST = 3
"""Known values without which nothing is typical."""

_MAD = 1.4826
"""The standard deviation of normal noise over its median absolute deviation."""

_OUTLYING = 3.0
"""Roots of the median count by which a count must exceed it to be capped in a mean."""


@dataclass(frozen=True, slots=True)
class Group:
    """Groups of like size.

    Attributes:
        members: groups by members; one past the last slot fills what a group lacks.
        judged: which of these are judged by this group, rather than only compared with.
    """

    members: Integers
    judged: Flags


def find_groups(cohort: Integers, active: Flags) -> list[Group]:
    """Tell who is compared with whom.

    Args:
        cohort: of each node; negative: none.
        active: nodes that are compared at all.
    """
    slots = len(active)
    here = np.flatnonzero(active)
    number = np.where(cohort[here] >= 0, cohort[here], -1)
    _, inverse, sizes = np.unique(number, return_inverse=True, return_counts=True)
    alone = (number < 0) | (sizes[inverse] < SMALLEST)
    groups = [Group(here[None, :], alone[None, :])] if alone.any() else []
    groups += [Group(rows, rows < slots) for rows in _laid_out(here[~alone], inverse[~alone], slots)]
    return groups


def _laid_out(here: Integers, group: Integers, filler: int) -> Iterator[Integers]:
    """Lay groups side by side, filled up to one of a few widths so that there are few matrices."""
    order = here[np.argsort(group, kind="stable")]
    _, starts, sizes = np.unique(np.sort(group), return_index=True, return_counts=True)
    widths = np.array([_width(int(size)) for size in np.unique(sizes)])[np.unique(sizes, return_inverse=True)[1]]
    padded = np.append(order, filler)
    for width in np.unique(widths):
        rows = widths == width
        place = np.arange(width)
        inside = place < sizes[rows][:, None]
        yield padded[np.where(inside, starts[rows][:, None] + place, len(order))]


def _width(size: int) -> int:
    """The size, rounded up to its three leading bits."""
    step = 1 << max(0, size.bit_length() - 3)
    return -(-size // step) * step


def median(values: Floats, fewest: int = FEWEST) -> tuple[Floats, Integers]:
    """The median along the last axis, kept as an axis of one, and how many are known; NaN where too few are."""
    members = values.shape[-1]
    known = members - np.count_nonzero(np.isnan(values), axis=-1, keepdims=True)
    low, high = np.maximum(known - 1, 0) // 2, np.minimum(known // 2, members - 1)
    if known.size and known.min() == members:
        ordered = np.partition(values, [(members - 1) // 2, members // 2], axis=-1)
    else:
        ordered = np.sort(values, axis=-1)
    middle = np.take_along_axis(ordered, low, -1) / 2 + np.take_along_axis(ordered, high, -1) / 2
    return np.where(known >= fewest, middle, np.nan), known


def spread(values: Floats, middle: Floats) -> Floats:
    """Robust standard deviation along the last axis, kept as an axis of one."""
    return _MAD * median(np.abs(values - middle))[0]


def mean_of_others(counts: Floats, middle: Floats, known: Integers) -> Floats:
    """For each count the mean of its peers': rare events have no median to speak of.

    One bad node must not make its own errors usual, nor those of its peers: it is left out of its own mean, and
    what lies far beyond the median is capped in the others'.
    """
    capped = np.minimum(counts, middle + _OUTLYING * np.sqrt(middle + 1))
    # Whole multiples of a power of two add up to the same in whatever order the nodes come.
    total = np.nansum(np.rint(capped * 64.0), axis=-1, keepdims=True, dtype=np.float64) / 64
    mean: Floats = (np.maximum(total - capped, 0) / np.maximum(known - 1, 1)).astype(counts.dtype)
    return mean


def typical(values: Floats, slot: int, groups: list[Group]) -> float:
    """The median of those that a slot is compared with; NaN where it is compared with nobody."""
    for group in groups:
        place = np.argwhere((group.members == slot) & group.judged)
        if len(place):
            members = group.members[place[0, 0]]
            known = values[members[members < len(values)]]
            known = known[np.isfinite(known)]
            return float(np.median(known)) if len(known) else float("nan")
    return float("nan")
