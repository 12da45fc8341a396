"""What judging one window costs, from a thousand nodes to the largest fleet, beside a bare isolation forest."""

import gc
import os
import statistics
import time
from collections.abc import Iterator

import numpy as np
import psutil
from sklearn.ensemble import IsolationForest

from detectors.judge import Judge
from detectors.observed import SECTIONS, Observed, Signals, Totals
from detectors.policy import Policy
from tools.bench.page import Figure, Section

_FLEETS = [int(size) for size in os.environ.get("GUARD_BENCH_FLEETS", "1000,4000,16000,62500").split(",")]
_RANKS = 64
_STAGES = 4
_WARM, _WINDOWS = 12, 18
"""Windows before the first figure, and windows measured: signals are compared in one of three."""

_SIGNALS = (
    *(f"efa.counter_{number:02}" for number in range(8)),
    *(f"host.gauge_{number:02}" for number in range(10)),
    *(f"net.counter_{number:02}" for number in range(6)),
    *(f"neuron.gauge_{number:02}" for number in range(16)),
)
_COUNTERS = np.array([".counter" in name for name in _SIGNALS])


def measure() -> Section:
    """Judge windows of one job of each size, with a slow node in it, everything included."""
    figures = []
    least = None
    for nodes in _FLEETS:
        mean, worst, memory = watch(nodes)
        bare = _bare_forest(nodes)
        each = mean / nodes * 1e6
        least = each if least is None else min(least, each)
        largest = nodes == max(_FLEETS)
        about = f"{nodes} nodes of {_RANKS} ranks, {len(_SIGNALS)} signals: CPU a window"
        figures += [
            Figure(
                about, f"{mean:.3f} s, longest {worst:.3f} s", "≤ 1 s" if largest else "", mean <= 1 or not largest
            ),
            Figure(
                "of a bare forest's fit and scores, same run", f"{mean / bare:.2f} times", "≤ 3", mean <= 3 * bare
            ),
            Figure("a node", f"{each:.1f} µs"),
        ]
    figures.append(Figure("resident, most", f"{memory:.0f} MB", "≤ 1,500 MB", memory <= 1500))
    how = f"{_WINDOWS} windows of 10 s after {_WARM}; bare: 100 trees of 256 samples over as many nodes."
    return Section("Judging one window", how, figures)


def watch(nodes: int) -> tuple[float, float, float]:
    """Mean and longest CPU seconds of a window, and resident MB at most."""
    judge, process = Judge(Policy()), psutil.Process()
    seconds, memory = [], 0.0
    gc.collect()
    for number, observed in enumerate(windows(nodes, _WARM + _WINDOWS)):
        start = time.process_time()
        judge.judge(observed)
        if number >= _WARM:
            seconds.append(time.process_time() - start)
            memory = max(memory, process.memory_info().rss / 2**20)
    return statistics.mean(seconds), max(seconds), memory


def windows(nodes: int, many: int) -> Iterator[Observed]:
    """Windows of one job with four stages, all signals known, the last node half as slow again."""
    chance = np.random.default_rng(nodes)
    stage = np.repeat((np.arange(nodes) * _STAGES // nodes).astype(np.int32)[:, None], _RANKS, axis=1)
    replica = (np.arange(nodes, dtype=np.int32) % (nodes // _STAGES))[:, None] + np.zeros(_RANKS, dtype=np.int32)
    device = np.repeat(np.arange(_RANKS // 4, dtype=np.int16), 4)[None, :] + np.zeros((nodes, 1), dtype=np.int16)
    level = chance.normal(0, 0.01, (nodes, 1)).astype(np.float32)
    usual = chance.normal(5, 1, (nodes, len(_SIGNALS))).astype(np.float32)
    everybody = np.ones(nodes, dtype=bool)
    count = np.full((nodes, _RANKS), 10, dtype=np.float32)
    for number in range(many):
        own = 8 * np.exp(level + 0.002 * chance.standard_normal((nodes, _RANKS), dtype=np.float32))
        own[-1] *= 1.5
        whole = np.full_like(own, 1.05 * own.max())
        sections = np.full((len(SECTIONS), nodes, _RANKS), np.nan, dtype=np.float32)
        sections[0], sections[1], sections[2] = 0.9 * own, 0.07 * own, 0.03 * own
        sections[3] = whole - own
        totals = Totals(
            count, count * number, count * number + 9, whole, whole / 10, np.full_like(own, np.nan), sections,
            stage, stage, stage, replica, device,
        )  # fmt: skip
        values = usual + 0.3 * chance.standard_normal(usual.shape, dtype=np.float32)
        signals = Signals(_SIGNALS, _COUNTERS, np.full(nodes, 10, dtype=np.float32), np.abs(values))
        start = 1.79e9 + 10 * number
        yield Observed(start, start + 10, totals, signals, everybody, everybody, {"rack": stage[:, 0]})


def _bare_forest(nodes: int) -> float:
    """CPU seconds of scikit-learn's own forest on a matrix of the same size."""
    matrix = np.random.default_rng(1).normal(0, 1, (nodes, len(_SIGNALS))).astype(np.float32)
    start = time.process_time()
    IsolationForest(n_estimators=100, max_samples=256, random_state=0).fit(matrix).score_samples(matrix)
    return time.process_time() - start
