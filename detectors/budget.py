"""Thresholds from one number: how many false accusations a fleet puts up with.

A fleet of 60,000 nodes that is checked every ten seconds makes half a billion checks a day, so no fixed cut-off
can hold. The budget is a rate, false accusations per 1,000 node-days, and is shared out over the checks that can
accuse.

Sequential evidence that is bounded below by nothing known (S at least 0) and whose healthy increments multiply
to at most one in the mean crosses log(1/a) at most once in 1/a windows (the average run length of an e-detector:
Shin, Ramdas & Rinaldo, "E-detectors", 2023, proposition 2.4). a per node and window then follows from the
budget.
"""

import math

from scipy import special

SHARES = 3
"""Paths that can accuse by time: fast, slow, and spells that recur. Each gets the same share of the budget."""

_DAY = 86_400.0


def per_check(budget: float, seconds: float, checks: int = 1) -> float:
    """Chance of a false accusation that one check of one node may have.

    Args:
        budget: false accusations per 1,000 node-days.
        seconds: from one check to the next.
        checks: how many are made at a time.
    """
    return budget / 1000 / (_DAY / seconds) / SHARES / checks


def bar(alpha: float) -> float:
    """Log evidence at which sequential evidence convicts."""
    return math.log(1 / alpha)


def margin(tolerance: float, peers: int, chance: float = 1e-3) -> float:
    """How far healthy nodes' own work may lie above the median of their peers for good, as a log ratio.

    Nodes differ for good by up to ± `tolerance`. The median of few peers is itself off: of `peers` draws from
    the uniform distribution over that range it is Beta-distributed with both parameters (peers + 1) / 2, and the
    margin adds the quantile that it exceeds with `chance`. So a small group needs a larger effect: 3.9 % at
    three peers, 3.0 % at 31, 2.4 % at 255, with 2 % of tolerance.
    """
    half = (peers + 1) / 2
    off = 1 - 2 * float(special.betaincinv(half, half, chance))
    return tolerance * (1 + off)


def cut(alpha: float, held: int, of: int) -> float:
    """Robust standard deviations that `held` of `of` windows must exceed.

    Noise among peers has heavy tails: Student's t with three degrees of freedom, whose tail is larger than that of
    both public traces.
    """
    tail = (alpha / math.comb(of, held)) ** (1 / held)
    return float(-special.stdtrit(3, tail))
