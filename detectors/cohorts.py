"""Who is compared with whom: nodes whose ranks have the same parts in the job.

Stages of a pipeline have different work (embedding and loss at its ends), experts different loads, instance
types different speeds. Only nodes with the same parts, rank by rank, do the same work. Where these are too few
the roles of tensor and expert parallelism are left aside, and then only the stages count: that is enough to
suspect a node, not to accuse it, since experts have unequal loads. The stage or the instance type itself is
never left aside: on the public trace `ST` that would accuse two of eight healthy ranks.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from detectors.observed import Flags, Integers, Totals

NO_COHORT = -1


@dataclass(frozen=True)
class Cohorts:
    """Peers of each node.

    Attributes:
        number: cohort of each node, `NO_COHORT` for nodes that are not compared.
        peers: how many others are in it.
        widened: nodes whose cohort has others' parts in it too.
        column: ranks that are compared, nodes by ranks. All of a node's, but for nodes whose layout nobody shares:
            of those the ranks of one stage.
    """

    number: Integers
    peers: Integers
    widened: Flags
    column: Flags

    @cached_property
    def blocks(self) -> tuple[Integers, ...]:
        """The slots of each cohort's members: cohorts of one size together, as a matrix of cohorts by members."""
        order = np.argsort(self.number, kind="stable")
        order = order[self.number[order] >= 0]
        if not len(order):
            return ()
        _, starts, sizes = np.unique(self.number[order], return_index=True, return_counts=True)
        return tuple(order[starts[sizes == size][:, None] + np.arange(size)] for size in np.unique(sizes))


def find_cohorts(totals: Totals, among: Flags, enough: int, *, stages: bool = True) -> Cohorts:
    """Group the nodes that `among` marks.

    Args:
        totals: of the window.
        among: nodes to be compared.
        enough: peers with which a cohort is not widened.
        stages: whether stages are told apart (a switch for measuring what that is worth).
    """
    there = totals.stage >= 0
    if not stages:
        number = np.where(among, 0, NO_COHORT)
        return Cohorts(number, _others(number), np.zeros_like(among), there)
    number = np.full(len(among), NO_COHORT)
    column = there.copy()
    left = among & there.any(axis=1)
    widened = np.zeros_like(among)
    for rows in (totals.part, totals.stage):
        if not left.any():
            break
        found, sizes = _alike(rows, left)
        settled = left & (sizes > enough)
        number[settled] = found[settled] + number.max(initial=NO_COHORT) + 1
        left = left & ~settled
        widened |= left
    if left.any():
        _join(totals.stage, left, number, column)
        _share_a_stage(totals.stage, left & (number < 0), number, column)
    return Cohorts(number, _others(number), widened & _mixed(totals.part, number), column)


class Grouping:
    """The cohorts of one job, found anew only when a rank's part or who is compared has changed."""

    def __init__(self, enough: int, *, stages: bool = True) -> None:
        self._enough, self._stages = enough, stages
        self._known: tuple[Integers, Integers, Flags] | None = None
        self._cohorts: Cohorts | None = None

    def find(self, totals: Totals, among: Flags) -> Cohorts:
        """See :func:`find_cohorts`."""
        now = (totals.part, totals.stage, among)
        if self._cohorts is None or self._known is None or not all(map(np.array_equal, now, self._known)):
            self._known = (totals.part.copy(), totals.stage.copy(), among.copy())
            self._cohorts = find_cohorts(totals, among, self._enough, stages=self._stages)
        return self._cohorts


def _alike(rows: Integers, among: Flags) -> tuple[Integers, Integers]:
    """Number nodes with equal rows alike; and how many have each one's row."""
    # Equal rows have equal sums under fixed odd multipliers; unequal ones but for a chance of 2^-64 a pair.
    factor = np.random.Generator(np.random.PCG64(5)).integers(1, 2**62, rows.shape[1], dtype=np.int64) * 2 + 1
    with np.errstate(over="ignore"):
        digest = ((rows.astype(np.int64) + 2) * factor).sum(axis=1)
    found = np.full(len(rows), NO_COHORT)
    sizes = np.zeros(len(rows), dtype=int)
    places = np.flatnonzero(among)
    _, inverse, counts = np.unique(digest[places], return_inverse=True, return_counts=True)
    found[places], sizes[places] = inverse, counts[inverse]
    return found, sizes


def _mixed(part: Integers, number: Integers) -> Flags:
    """Nodes in whose cohort not all have the same parts."""
    first = np.full(int(number.max(initial=0)) + 1, -1)
    there = np.flatnonzero(number >= 0)
    first[number[there][::-1]] = there[::-1]
    mixed = np.zeros(len(first), dtype=bool)
    unlike = (part[there] != part[first[number[there]]]).any(axis=1)
    mixed[number[there[unlike]]] = True
    found: Flags = (number >= 0) & mixed[np.maximum(number, 0)]
    return found


def _join(stage: Integers, left: Flags, number: Integers, column: Flags) -> None:
    """Add nodes whose layout nobody shares to the cohort of a stage that some of their ranks are in.

    They are held against its members; these are many, and are hardly held against them.
    """
    settled = np.flatnonzero(number >= 0)
    rows = stage[settled]
    whole = settled[((rows == rows[:, :1]) | (rows < 0)).all(axis=1)]
    of_stage = dict(zip(stage[whole, 0].tolist(), number[whole].tolist(), strict=True))
    for slot in np.flatnonzero(left):
        found = next((one for one in stage[slot].tolist() if one in of_stage), None)
        if found is not None:
            number[slot] = of_stage[found]
            column[slot] = stage[slot] == found


def _share_a_stage(stage: Integers, left: Flags, number: Integers, column: Flags) -> None:
    """Compare what is left by the stage of each node's ranks that most others have too."""
    places = np.flatnonzero(left)
    if not len(places):
        return
    ranks = stage[places]
    holders = np.zeros(int(stage.max(initial=0)) + 1, dtype=int)
    for one in np.unique(ranks[ranks >= 0]):
        holders[one] = np.count_nonzero((ranks == one).any(axis=1))
    popular = np.where(ranks >= 0, holders[ranks], -1)
    chosen = ranks[np.arange(len(places)), popular.argmax(axis=1)]
    number[places] = chosen + number.max(initial=NO_COHORT) + 1
    column[places] = ranks == chosen[:, None]


def _others(number: Integers) -> Integers:
    counted = np.bincount(number[number >= 0], minlength=1) if (number >= 0).any() else np.zeros(1, dtype=int)
    others: Integers = np.where(number >= 0, counted[np.maximum(number, 0)] - 1, 0)
    return others
