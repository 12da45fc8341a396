"""How far each node's clock is ahead of the others'.

All ranks of a synchronous job end a step together, so what nodes say of when the same step ended tells their
clocks apart, to within the time it takes to leave the last collective.
"""

import numpy as np

from detectors.observed import Floats, Latest


def clock_skew(latest: Latest, step_time: float | None = None) -> Floats:
    """Seconds each node's clock is ahead of the median of the nodes that ended the same step last.

    Of two nodes alone nobody can tell whose clock is off: each gets half.

    Args:
        latest: how nodes stand.
        step_time: seconds. A clock that is off by more than a step makes its node the only one to have ended
            last the step that it has; it is then held against the step that most ended, so many steps away, which
            is as exact as steps are equal. None: NaN is told of such a node.
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
    most = int(size.argmax())
    alone = np.full(len(size), np.nan)
    if step_time is not None and size[most] > 1:
        steps = step[order][first]
        alone = median[most] + (steps - steps[most]) * step_time
    ahead[order] = ordered - np.where(size > 1, median, alone)[group]
    return ahead
