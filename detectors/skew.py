"""How far each node's clock is ahead of the others'.

All ranks of a synchronous job end a step together, so what nodes say of when the same step ended tells their
clocks apart, to within the time it takes to leave the last collective.
"""

import numpy as np

from detectors.observed import Floats, Latest


def clock_skew(latest: Latest) -> Floats:
    """Seconds each node's clock is ahead of the median of the nodes that ended the same step last.

    NaN where no other node did. Of two nodes alone nobody can tell whose clock is off: each gets half.
    """
    step = latest.last_step.max(axis=1, initial=-1)
    with np.errstate(invalid="ignore"):
        end = np.fmax.reduce(latest.last_end, axis=1, initial=np.nan)
    ahead: Floats = np.full(len(step), np.nan)
    known = np.flatnonzero((step >= 0) & np.isfinite(end))
    if not len(known):
        return ahead
    order = known[np.lexsort((end[known], step[known]))]
    _, first, group, size = np.unique(step[order], return_index=True, return_inverse=True, return_counts=True)
    ordered = end[order]
    # The middle one or two of each group, which is sorted.
    median = (ordered[first + (size - 1) // 2] + ordered[first + size // 2]) / 2
    ahead[order] = np.where(size[group] > 1, ordered - median[group], np.nan)
    return ahead
