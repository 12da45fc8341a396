"""What a detector tells Prometheus, on loopback. No label names a node or a job: there are many."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping

from prometheus_client import Counter as Count
from prometheus_client import Gauge, Histogram

from detectors.detector import Detector
from detectors.verdict import JobStatus, Status
from guard.bus import Place
from guard.detect.intake import Reason
from guard.exposition import new_registry

_AGES = (0.1, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 900, 3600)
"""Seconds. A record is a period old at least on the average; minutes mean that the bus or the detector lags."""
_JUDGING = (0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Seconds. 62,500 nodes take half a second; a window lasts ten."""
_NOT_FOLDED = ("duplicate", "late", "stale", "hurried")


class Metrics:
    """Counters and gauges of one detector. Nodes and jobs are those of the partitions that it holds.

    Attributes:
        registry: what is served.
    """

    def __init__(self) -> None:
        self.registry = registry = new_registry("detect")

        def count(name: str, meaning: str) -> Count:
            return Count(f"guard_detect_{name}", meaning, registry=registry)

        def gauge(name: str, meaning: str, *labels: str) -> Gauge:
            return Gauge(f"guard_detect_{name}", meaning, labels, registry=registry)

        self._records = count("records", "Telemetry records read")
        self._letters = Count("guard_detect_dead_letters", "Records set aside", ["reason"], registry=registry)
        for reason in Reason:
            self._letters.labels(reason)
        self._folded = gauge(
            "last_record_timestamp_seconds",
            "When the bus took the newest record that was read, Unix seconds; NaN: none was",
        )
        self._stored = gauge(
            "last_snapshot_timestamp_seconds", "When the bus took a snapshot last, Unix seconds; NaN: none"
        )
        for unknown in (self._folded, self._stored):
            unknown.set(math.nan)
        self._aside = gauge("not_folded_records", "Readable records that changed nothing", "reason")
        self._sayings = count("sayings", "Verdicts and job records said")
        self._lag = gauge("lag_records", "Records not read yet", "partition")
        self._held = gauge("partitions_held", "Partitions held")
        self._rebalances = count("rebalances", "Changes of the partitions held")
        self._paused = count("pauses", "Times that reading waited for writing")
        self._away = count("bus_away", "Times that the bus was away")
        self._snapshots = count("snapshot_bytes", "Bytes of snapshots written")
        self._age = Histogram(
            "guard_detect_record_age_seconds",
            "From when the bus took the newest record of a batch to its reading",
            buckets=_AGES,
            registry=registry,
        )
        self._windows = count("windows_judged", "Windows of jobs that were judged")
        self._judging = Histogram(
            "guard_detect_judge_seconds",
            "Time that a batch took in which a window was judged: judging, and folding its records",
            buckets=_JUDGING,
            registry=registry,
        )
        self._nodes = gauge("nodes", "Nodes by what was said of them last", "status")
        self._accused = gauge("nodes_accused", "Nodes that stand accused")
        self._jobs = gauge("jobs", "Jobs by what was said of them last", "status")

    def read(self, records: int, taken: float, now: float) -> None:
        """So many records of a partition were read; the bus took the newest at ``taken``, Unix seconds."""
        self._records.inc(records)
        self._age.observe(max(0.0, now - taken))
        self._folded.set(taken)

    def judged(self, windows: int, seconds: float) -> None:
        """So many windows were judged, in a batch that took so long."""
        if windows:
            self._windows.inc(windows)
            self._judging.observe(seconds)

    def letter(self, reason: Reason) -> None:
        """A record was set aside."""
        self._letters.labels(reason).inc()

    def said(self, sayings: int) -> None:
        """So many verdicts and job records were said."""
        self._sayings.inc(sayings)

    def rebalanced(self, held: int) -> None:
        """The partitions held have changed; so many are held now."""
        self._rebalances.inc()
        self._held.set(held)
        self._lag.clear()

    def paused(self) -> None:
        """Reading waits until the bus has taken what was said."""
        self._paused.inc()

    def away(self) -> None:
        """The bus is away."""
        self._away.inc()

    def snapshot(self, size: int, now: float) -> None:
        """The bus took so many bytes of snapshots, at ``now``, Unix seconds."""
        self._snapshots.inc(size)
        self._stored.set(now)

    def show(self, detectors: Iterable[Detector], lag: Mapping[Place, int]) -> None:
        """What the partitions held have set aside, and how far each is behind."""
        counts: Counter[str] = Counter()
        for detector in detectors:
            counts.update(detector.counts)
        for reason in _NOT_FOLDED:
            self._aside.labels(reason).set(counts[reason])
        for (_, partition), records in lag.items():
            self._lag.labels(str(partition)).set(records)

    def standing(self, detectors: Iterable[Detector]) -> None:
        """How nodes and jobs of the partitions held stand."""
        nodes: Counter[Status] = Counter()
        jobs: Counter[JobStatus] = Counter()
        accused = 0
        for detector in detectors:
            found = detector.standing()
            nodes.update(found.nodes)
            jobs.update(found.jobs)
            accused += found.accused
        for status in Status:
            self._nodes.labels(status).set(nodes[status])
        for going in JobStatus:
            self._jobs.labels(going).set(jobs[going])
        self._accused.set(accused)
