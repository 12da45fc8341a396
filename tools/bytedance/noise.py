"""What healthy ranks of a trace differ by: log own work per step, against their peers of the same stage.

A rank whose own work is more than 1.2 times its peers' is left out: `AR` has one, made slow on purpose.
"""

from dataclasses import dataclass

import numpy as np

from tools.bytedance.trace import COMPUTE, Floats, Trace

_SLOW = 1.2


@dataclass(frozen=True, slots=True)
class StageNoise:
    """Of one stage. Standard deviations are of logarithms, so 0.01 is 1 %.

    Attributes:
        stage: which.
        ranks: compared.
        median: of rank and step, against the stage's median in the step.
        between: of rank and step, unbiased by the number of ranks; persistent differences are in it.
        persistent: between the ranks' means over all steps.
        left: of rank and step, without persistent differences.
        common: of the stage's mean from step to step.
        memory: autocorrelation of `left` from one recorded step to the next.
        kurtosis: excess, of `left`.
        quantiles: of its magnitude at 50, 90, 99, 100 %, over its standard deviation.
        replica: correlation of `left` with the other stages of the same replica.
        corrected: of `left`, once those stages' mean is taken out (a proxy for the replica's work).
    """

    stage: int
    ranks: int
    median: float
    between: float
    persistent: float
    left: float
    common: float
    memory: float
    kurtosis: float
    quantiles: tuple[float, float, float, float]
    replica: float
    corrected: float


@dataclass(frozen=True, slots=True)
class Parts:
    """Of all stages: independent parts of log own work, as standard deviations.

    Attributes:
        step: common to all ranks of a step.
        replica: of step and replica, the same in all its stages: its microbatches.
        rank: of step and rank alone.
        persistent: between the ranks of a stage, over all steps.
    """

    step: float
    replica: float
    rank: float
    persistent: float


def measure(trace: Trace) -> tuple[list[StageNoise], Parts]:
    """Measure each stage and all together."""
    own = _own(trace)
    stages = own.shape[2]
    varying = own - own.mean(axis=0, keepdims=True)
    left = varying - np.nanmean(varying, axis=1, keepdims=True)
    return [_stage(own[:, :, at], left, at) for at in range(stages)], _parts(own, varying, left)


def _own(trace: Trace) -> Floats:
    """Log own work, [step, replica, stage]; NaN where a rank is slow in earnest."""
    stages, replicas = int(trace.stage.max()) + 1, int(trace.dp.max()) + 1
    own = np.full((len(trace.steps), replicas, stages), np.nan)
    own[:, trace.dp, trace.stage] = np.log(trace.spent[COMPUTE])
    excess = np.median(own - np.median(own, axis=1, keepdims=True), axis=0)
    own[:, excess > np.log(_SLOW)] = np.nan
    return own


def _stage(own: Floats, left: Floats, at: int) -> StageNoise:
    here = own[:, ~np.isnan(own[0])]
    steps, ranks = here.shape
    mine = left[:, :, at][:, ~np.isnan(own[0])]
    freedom = (steps - 1) * (ranks - 1)
    scale = np.sqrt(np.sum(mine**2) / freedom)
    proxy = _others(left, at)[:, ~np.isnan(own[0])]
    slope = np.sum(proxy * mine) / np.sum(proxy**2)
    quantiles = np.quantile(np.abs(mine) / scale, (0.5, 0.9, 0.99, 1.0))
    return StageNoise(
        stage=at,
        ranks=ranks,
        median=float(np.std(here - np.median(here, axis=1, keepdims=True))),
        between=float(np.sqrt(np.sum((here - here.mean(axis=1, keepdims=True)) ** 2) / (steps * (ranks - 1)))),
        persistent=float(here.mean(axis=0).std(ddof=1)),
        left=float(scale),
        common=float(here.mean(axis=1).std(ddof=1)),
        memory=float(np.sum(mine[1:] * mine[:-1]) / np.sum(mine**2)),
        kurtosis=float(np.mean(mine**4) / np.mean(mine**2) ** 2 - 3),
        quantiles=(float(quantiles[0]), float(quantiles[1]), float(quantiles[2]), float(quantiles[3])),
        replica=float(np.corrcoef(proxy.ravel(), mine.ravel())[0, 1]),
        corrected=float(np.sqrt(np.sum((mine - slope * proxy) ** 2) / freedom)),
    )


def _others(left: Floats, at: int) -> Floats:
    """Mean of the other stages of each replica, [step, replica]."""
    others: Floats = np.nanmean(np.delete(left, at, axis=2), axis=2)
    return others


def _parts(own: Floats, varying: Floats, left: Floats) -> Parts:
    """Tell the parts apart by what stages have in common.

    What the stages' means share is the step's; what the stages of a replica share beside is the replica's; the
    rest is the rank's. Deviations from a mean of n ranks have (n - 1)/n of the variance.
    """
    steps = len(own)
    ranks = np.sum(~np.isnan(own[0]), axis=0)
    full = left / np.sqrt((1 - 1 / ranks) * (1 - 1 / steps))
    total = float(np.nanmean(full**2))
    shared = _shared(full)
    means = np.nanmean(varying, axis=1)
    step = _shared(means[:, None, :]) * steps / (steps - 1) - shared / float(np.mean(ranks))
    persistent = np.mean(np.nanvar(own.mean(axis=0), axis=0, ddof=1))
    return Parts(
        step=float(np.sqrt(max(step, 0.0))),
        replica=float(np.sqrt(max(shared, 0.0))),
        rank=float(np.sqrt(max(total - shared, 0.0))),
        persistent=float(np.sqrt(persistent)),
    )


def _shared(values: Floats) -> float:
    """Mean product of two different stages, over steps and replicas: [step, replica, stage]."""
    stages = values.shape[2]
    pairs = [(a, b) for a in range(stages) for b in range(a)]
    return float(np.mean([np.nanmean(values[:, :, a] * values[:, :, b]) for a, b in pairs]))
