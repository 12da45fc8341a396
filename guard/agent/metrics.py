"""What the agent tells Prometheus, on loopback. It is about one node, which no label names: the scraper knows."""

import math
from collections.abc import Iterable

from prometheus_client import Counter, Gauge

from collectors.telemetry import Telemetry
from guard.agent.outbox import Standing
from guard.exposition import Told, new_registry


class Metrics:
    """Counters and gauges of one agent.

    Args:
        collectors: names of those that are asked.
        spool_limit: bytes that the spool may hold.

    Attributes:
        registry: what is served.
    """

    def __init__(self, collectors: Iterable[str] = (), spool_limit: int = 0) -> None:
        self.registry = registry = new_registry("agent")

        def gauge(name: str, meaning: str) -> Gauge:
            made = Gauge(f"guard_agent_{name}", meaning, registry=registry)
            made.set(math.nan)
            return made

        def told(name: str, meaning: str) -> Told:
            return Told(Counter(f"guard_agent_{name}", meaning, registry=registry))

        self._periods = Counter("guard_agent_periods", "Periods recorded", registry=registry)
        self._gaps = Counter(
            "guard_agent_gaps",
            "Periods for which a collector gave nothing",
            ["collector"],
            registry=registry,
        )
        for name in collectors:
            self._gaps.labels(name)
        self._period = gauge("period_seconds", "Seconds between records, as configured")
        self._end = gauge("last_record_timestamp_seconds", "End of the newest period recorded, Unix seconds")
        self._size = gauge("record_bytes", "Size of the newest record")
        self._seconds = gauge("collect_seconds", "Seconds that collecting the newest record took")
        self._ranks = gauge("ranks", "Ranks of a training job whose step rings were read for the newest record")
        self._clock = gauge(
            "clock_offset_seconds",
            "How far the clock is ahead, as the kernel believes; NaN: it does not know",
        )
        self._starts = told("neuron_monitor_starts", "Times that neuron-monitor was started, or could not be")
        self._sent = told("records_sent", "Records that the bus took")
        self._dropped = told("records_dropped", "Records lost to a full spool, or to a disk that hung")
        self._refused = told("records_refused", "Records set aside because the bus will never take them")
        self._taken = gauge(
            "last_sent_timestamp_seconds",
            "When the bus took a record last, Unix seconds; NaN: not since the start",
        )
        self._pending = gauge("records_pending", "Records that wait for the bus")
        self._oldest = gauge(
            "oldest_pending_timestamp_seconds",
            "End of the period of the oldest record that the bus did not take when tried, Unix seconds; NaN: none",
        )
        self._bytes = gauge("spool_bytes", "Bytes of the records that wait")
        gauge("spool_limit_bytes", "Bytes that the spool may hold; then the oldest give way").set(spool_limit)
        self._memory = gauge("spool_in_memory", "1 while the disk refuses, and records wait in memory alone")

    def period(self, record: Telemetry, *, size: int, seconds: float, gaps: list[str], starts: int) -> None:
        """A period was recorded.

        Args:
            record: what was recorded.
            size: its bytes.
            seconds: that collecting it took.
            gaps: the collectors that gave none of it.
            starts: of neuron-monitor until now.
        """
        self._periods.inc()
        self._period.set(record.period)
        self._end.set(record.time)
        self._size.set(size)
        self._seconds.set(seconds)
        self._ranks.set(0 if record.ranks is None else len(record.ranks.rank))
        offset = record.gauges.get("host.clock.offset")
        self._clock.set(offset if isinstance(offset, int | float) else math.nan)
        self._starts.tell(starts)
        for name in gaps:
            self._gaps.labels(name).inc()

    def outbox(self, standing: Standing) -> None:
        """How the sending goes."""
        self._sent.tell(standing.sent)
        self._dropped.tell(standing.dropped)
        self._refused.tell(standing.refused)
        self._pending.set(standing.pending)
        self._bytes.set(standing.spool_bytes)
        self._memory.set(standing.in_memory)
        self._taken.set(math.nan if standing.taken is None else standing.taken)
        self._oldest.set(math.nan if standing.oldest is None else standing.oldest)
