"""How own work grows with the work that a rank was given (tokens, say), learned from the job itself.

Batches of unequal size are nobody's fault. Own work seldom grows in proportion to tokens: attention grows
faster, input and host time hardly at all. So log own work = constant + elasticity times log work, with the
elasticity a running regression over all ranks and windows, each compared within its cohort.
"""

import msgspec
import numpy as np

from detectors.cohorts import Cohorts
from detectors.observed import Floats, Totals
from detectors.residuals import Work, nanmedian, sample

_MEMORY = 0.95
"""Weight that a window keeps when the next one comes: some twenty windows count."""

_CLIP = 3.0
"""Deviations beyond so many robust spreads are taken as so many: a straggler must not bend the line."""

_MOST = 1.5
"""Elasticity of the steepest plausible work: attention over long sequences, which is never all of a step."""

_PRIOR = 0.05
"""Weight of an elasticity of one, as `work` promises: that of 125 ranks whose work differs by 2 %."""

_LEAST_SPREAD = 1e-4
"""Log spread of work under which all ranks had the same: nothing to correct, nothing to learn."""


class ElasticityState(msgspec.Struct, array_like=True):
    """What a snapshot holds."""

    moved: float
    followed: float


class Elasticity:
    """The regression of one job."""

    def __init__(self) -> None:
        self._moved: float = 0.0
        self._followed: float = 0.0

    def expected(self, totals: Totals, work: Work, cohorts: Cohorts) -> Floats:
        """Log own work to be expected of each rank from the work it was given; zero where work is not given.

        Work corrects only if every rank that is compared tells it: half a correction compares unlike with unlike.
        """
        nothing = np.zeros_like(work.own)
        known = ~np.isnan(work.own) & (cohorts.number >= 0)[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            given = np.log(np.where(known, totals.work / totals.count, np.nan))
        if not known.any() or not np.isfinite(given[known]).all():
            return nothing
        self._learn(given, np.log(np.where(known, work.own, np.nan)), cohorts)
        slope = float(np.clip((self._followed + _PRIOR) / (self._moved + _PRIOR), 0.0, _MOST))
        expected: Floats = np.where(known, slope * (given - float(np.median(given[known]))), 0.0)
        return expected

    def freeze(self) -> ElasticityState:
        """All of it."""
        return ElasticityState(self._moved, self._followed)

    def restore(self, state: ElasticityState) -> None:
        """Go on from there."""
        self._moved, self._followed = state.moved, state.followed

    def _learn(self, given: Floats, took: Floats, cohorts: Cohorts) -> None:
        moved: float = 0.0
        followed: float = 0.0
        for block in cohorts.blocks:
            if block.shape[1] < 3:
                continue
            chosen = sample(block)
            x, y = _within(given[chosen]), _within(took[chosen])
            both = np.isfinite(x) & np.isfinite(y)
            moved += float(np.square(x[both]).sum())
            followed += float((x[both] * y[both]).sum())
        if moved > _LEAST_SPREAD**2 * max(1, int(np.isfinite(given).sum())):
            self._moved = _MEMORY * self._moved + moved
            self._followed = _MEMORY * self._followed + followed


def _within(values: Floats) -> Floats:
    """Deviations from each cohort's median, clipped to a few robust spreads."""
    flat = values.reshape(len(values), -1)
    flat = np.where(np.isfinite(flat), flat, np.nan)
    apart = flat - nanmedian(flat, 1)[:, None]
    limit = _CLIP * 1.4826 * nanmedian(np.abs(apart), 1)[:, None]
    clipped: Floats = np.clip(apart, -limit, limit)
    return clipped
