"""What a detector tells Prometheus, on loopback."""

from collections import Counter
from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest, start_http_server
from prometheus_client import Counter as Count

from detectors.detector import Detector
from guard.bus import Place
from guard.detect.intake import Reason

_AGES = (0.1, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 900, 3600)
"""Seconds. A record is a period old at least on the average; minutes mean that the bus or the detector lags."""


class Metrics:
    """Counters and gauges of one detector, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._records = Count("guard_detect_records", "Telemetry records read", registry=registry)
        self._letters = Count("guard_detect_dead_letters", "Records set aside", ["reason"], registry=registry)
        self._aside = Gauge(
            "guard_detect_not_folded",
            "Readable records that changed nothing, of held partitions",
            ["reason"],
            registry=registry,
        )
        self._sayings = Count("guard_detect_sayings", "Verdicts and job records said", registry=registry)
        self._lag = Gauge("guard_detect_lag", "Records not read yet", ["partition"], registry=registry)
        self._held = Gauge("guard_detect_partitions", "Partitions held", registry=registry)
        self._rebalances = Count("guard_detect_rebalances", "Changes of the partitions held", registry=registry)
        self._paused = Count("guard_detect_pauses", "Times that reading waited for writing", registry=registry)
        self._away = Count("guard_detect_bus_away", "Times that the bus was away", registry=registry)
        self._snapshots = Count("guard_detect_snapshot_bytes", "Bytes of snapshots written", registry=registry)
        self._age = Histogram(
            "guard_detect_age_seconds",
            "From when the bus took a record to its folding",
            buckets=_AGES,
            registry=registry,
        )

    def serve(self, address: str) -> None:
        """Serve ``HOST:PORT``. Raises OSError where the port is taken."""
        host, _, port = address.rpartition(":")
        start_http_server(int(port), host, registry=self._registry)

    def page(self) -> bytes:
        """What is served."""
        return generate_latest(self._registry)

    def read(self, records: int, taken: float, now: float) -> None:
        """So many records of a partition were read; the bus took the newest at ``taken``, Unix seconds."""
        self._records.inc(records)
        self._age.observe(max(0.0, now - taken))

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

    def snapshot(self, size: int) -> None:
        """So many bytes of snapshots were written."""
        self._snapshots.inc(size)

    def show(self, detectors: Iterable[Detector], lag: Mapping[Place, int]) -> None:
        """What the partitions held have set aside, and how far each is behind."""
        counts: Counter[str] = Counter()
        for detector in detectors:
            counts.update(detector.counts)
        for reason in ("duplicate", "late", "stale", "hurried"):
            self._aside.labels(reason).set(counts[reason])
        for (_, partition), records in lag.items():
            self._lag.labels(str(partition)).set(records)
