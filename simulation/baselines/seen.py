"""What every baseline looks at, read once per window: own work, waiting, and how far each signal stands out.

Baselines get sections where the job has them, as their authors would have used them had they had them. Without
sections a step's whole duration takes their place, which is equal for all nodes of a synchronous job.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np

from detectors.observed import OWN, SECTIONS, Floats, Integers, Observed, Totals

_COLLECTIVE = SECTIONS.index("collective")

_MAD = 1.4826
"""The standard deviation of normal noise over its median absolute deviation."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One window, as baselines see it. NaN where unknown, and for nodes that did other steps than most.

    Attributes:
        end: of the window, Unix seconds.
        seconds: its length.
        ranks: seconds of own work per step, nodes by local ranks.
        own: of the node's slowest rank.
        waiting: seconds per step in collectives, of the node's rank that waits least.
        signals: gauges and counters, nodes by signals.
        deviations: their robust z-scores among all nodes, same shape, 0 where unknown.
        pipeline: data-parallel replica of each rank, -1 where not known.
    """

    end: float
    seconds: float
    ranks: Floats
    own: Floats
    waiting: Floats
    signals: Floats
    deviations: Floats
    pipeline: Integers


def see(observed: Observed) -> Seen:
    """Read a window."""
    totals = observed.totals
    ranks = (observed.among & observed.active)[:, None] & (totals.stage >= 0) & (totals.count > 0)
    count = np.where(ranks, totals.count, np.nan)
    own = _own(totals, count)
    waiting = totals.sections[_COLLECTIVE] / count
    signals = np.where(observed.active[:, None], observed.signals.values, np.nan)
    return Seen(
        end=observed.end,
        seconds=observed.end - observed.start,
        ranks=own,
        own=most(own),
        waiting=-most(-waiting),
        signals=signals,
        deviations=np.nan_to_num(deviations(signals), nan=0.0),
        pipeline=totals.pipeline,
    )


def _own(totals: Totals, count: Floats) -> Floats:
    sections = totals.sections[: len(OWN)]
    used = ~np.isnan(sections).all(axis=(1, 2))
    whole = sections[used].sum(axis=0) if used.any() else totals.duration
    own: Floats = np.where(whole > 0, whole, np.nan) / count
    return own


def most(values: Floats) -> Floats:
    """The largest known value of each row; NaN where none is known."""
    top: Floats = np.where(np.isnan(values), -np.inf, values).max(axis=1, initial=-np.inf)
    top[np.isneginf(top)] = np.nan
    return top


def middle(values: Floats) -> Floats:
    """The median of each column's known values; NaN where none is known. Far quicker than numpy's."""
    if not len(values):
        return np.full(values.shape[1:], np.nan)
    ordered = np.sort(values, axis=0)  # unknown ones come last
    known = np.count_nonzero(~np.isnan(values), axis=0)[None]
    low, high = np.maximum(known - 1, 0) // 2, np.minimum(known // 2, len(values) - 1)
    median = (np.take_along_axis(ordered, low, 0) + np.take_along_axis(ordered, high, 0)) / 2
    first: Floats = median[0]
    return first


def deviations(values: Floats) -> Floats:
    """Robust z-scores within each column.

    Counters of rare events are zero nearly everywhere, and then so is the median absolute deviation: half the
    standard deviation bounds the scale from below, so that one node's single event does not count as infinite.
    """
    off = values - middle(values)
    known = np.maximum(np.count_nonzero(~np.isnan(off), axis=0), 1)
    deviation = np.sqrt(np.nansum(off**2, axis=0) / known)
    scale = np.fmax(_MAD * middle(np.abs(off)), deviation / 2)
    scores: Floats = np.divide(off, scale, out=np.zeros_like(off), where=scale > 0)
    return scores


class Last:
    """The newest windows of a value per node (and per signal)."""

    def __init__(self, windows: int) -> None:
        self._kept: deque[Floats] = deque(maxlen=windows)

    def push(self, values: Floats) -> Floats:
        """Add a window and get all that are kept, oldest first. Nodes that came later are NaN before that."""
        if self._kept and self._kept[-1].shape != values.shape:
            grown = [_grown(old, values.shape) for old in self._kept]
            self._kept.clear()
            self._kept.extend(grown)
        self._kept.append(values)
        return np.stack(list(self._kept))

    @property
    def full(self) -> bool:
        """Whether as many are kept as were asked for."""
        return len(self._kept) == self._kept.maxlen

    def sustained(self, values: Floats) -> Floats:
        """Add a window and get what each node has not been below in any of the last ones; NaN before these."""
        kept = self.push(values)
        least: Floats = kept.min(axis=0)  # NaN if one is NaN: not known is not sustained
        return least if self.full else np.full_like(values, np.nan)


def _grown(old: Floats, shape: tuple[int, ...]) -> Floats:
    grown = np.full(shape, np.nan)
    shared = tuple(slice(min(one, other)) for one, other in zip(old.shape, shape, strict=True))
    grown[shared] = old[shared]
    return grown
