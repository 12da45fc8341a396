"""Who slowed together: then it is not the single node's fault."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from detectors.observed import Flags, Integers

_CROWD = 3
"""Nodes that make a crowd. Two are one if they are more than `_PAIR` of their peers: then who is normal?"""

_PAIR = 1 / 3
_DOMAIN = 0.6
"""Share of a fault domain's nodes that, slow together, point to the domain."""


@dataclass(frozen=True, slots=True)
class Together:
    """What slowed together.

    Attributes:
        nodes: those who are excused.
        domains: label and number of the fault domains that did.
    """

    nodes: Flags
    domains: tuple[tuple[str, int], ...]


def together(off: Flags, cohort: Integers, domains: Mapping[str, Integers], share: float) -> Together:
    """Find crowds.

    Args:
        off: nodes with evidence against them.
        cohort: cohort of each node, -1 for nodes that are not compared.
        domains: fault domains by label, a number per node, -1 where not known.
        share: of a cohort that, slow together, is nobody's fault.
    """
    excused = np.zeros_like(off)
    slow, members = _count(off, cohort)
    crowd = (slow >= _CROWD) & (slow > share * members) | (slow == 2) & (slow > _PAIR * members)
    excused |= off & (cohort >= 0) & crowd[np.maximum(cohort, 0)]
    named: list[tuple[str, int]] = []
    compared = cohort >= 0
    for label, number in sorted(domains.items()):
        slow, members = _count(off & compared, np.where(compared, number, -1))
        # One domain that holds the whole job says nothing of the domain.
        crowd = (slow >= _CROWD) & (slow >= _DOMAIN * members) & (members < np.count_nonzero(compared))
        found = [int(domain) for domain in np.flatnonzero(crowd)]
        named += [(label, domain) for domain in found]
        excused |= off & np.isin(number, found)
    return Together(excused, tuple(named))


def _count(off: Flags, number: Integers) -> tuple[Integers, Integers]:
    known = number >= 0
    size = int(number.max(initial=0)) + 1
    return np.bincount(number[known & off], minlength=size), np.bincount(number[known], minlength=size)
