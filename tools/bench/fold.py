"""The detector's fold over the largest fleet: memory and CPU, window by window."""

import os
import statistics
import time

import psutil

from collectors.telemetry import Telemetry
from detectors.detector import Detector
from detectors.policy import Policy
from guard.detect.memory import collect_rarely
from tools.bench.page import Figure, Section
from tools.bench.records import PERIOD, FleetRecords

_NODES = int(os.environ.get("GUARD_BENCH_NODES", "62500"))
_WINDOWS = int(os.environ.get("GUARD_BENCH_WINDOWS", "200"))
_WARM = 6
"""Windows before the first figure: the lateness fills, and arrays have their size."""
_BATCH = 500


def measure() -> Section:
    """Fold records that are decoded already; snapshots are taken as the service takes them."""
    process = psutil.Process()
    before = process.memory_info().rss / 2**20
    memory, seconds, sizes = watch(_NODES, _WINDOWS)
    tenth = max(1, len(memory) // 10)
    grown = statistics.mean(memory[-tenth:]) - statistics.mean(memory[:tenth])
    most = max(memory)
    figures = [
        Figure(f"resident, most, {_NODES} nodes of 64 ranks", f"{most:.0f} MB", "≤ 1,500 MB", most <= 1500),
        Figure("of which before the first record", f"{before:.0f} MB"),
        Figure("last tenth of the windows less the first", f"{grown:+.1f} MB", "no growth", grown < 0.02 * most),
        Figure("CPU a record, decoding not included", f"{statistics.median(seconds) / _NODES * 1e6:.1f} µs"),
        Figure("a snapshot of the job", f"{max(sizes) / 2**20:.1f} MB" if sizes else "none"),
    ]
    how = f"{_WINDOWS} windows of one period each after {_WARM} to warm up; one job; a snapshot every two windows."
    return Section("Folding the largest fleet", how, figures)


def watch(nodes: int, windows: int) -> tuple[list[float], list[float], list[int]]:
    """Resident MB and CPU seconds after each window, and the sizes of snapshots."""
    collect_rarely()
    process = psutil.Process()
    detector = Detector(Policy(window=PERIOD))
    fleet = FleetRecords(nodes)
    memory, seconds, sizes = [], [], []
    for period in range(_WARM + windows):
        used = 0.0
        batch = []
        if period % 2:
            detector.want_snapshots()
        for record in fleet.period(period):
            batch.append(record)
            if len(batch) == _BATCH:
                used += _fold(detector, batch)
        used += _fold(detector, batch)
        sizes += [len(snapshot.state or b"") for snapshot in detector.snapshots()]
        if period >= _WARM:
            memory.append(process.memory_info().rss / 2**20)
            seconds.append(used)
    return memory, seconds, sizes


def _fold(detector: Detector, batch: list[Telemetry]) -> float:
    start = time.process_time()
    detector.fold(batch)
    batch.clear()
    return time.process_time() - start
