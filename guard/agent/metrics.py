"""What the agent tells Prometheus, on loopback."""

from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server


class Metrics:
    """Counters and gauges of one agent, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._periods = Counter("guard_agent_periods", "Periods recorded", registry=self._registry)
        self._gaps = Counter(
            "guard_agent_gaps", "Periods without an answer", ["collector"], registry=self._registry
        )
        self._sent = Gauge("guard_agent_sent", "Records the bus took since the start", registry=self._registry)
        self._pending = Gauge("guard_agent_pending", "Records that wait for the bus", registry=self._registry)
        self._dropped = Gauge("guard_agent_dropped", "Records lost to a full spool", registry=self._registry)
        self._refused = Gauge(
            "guard_agent_refused", "Records that the bus will never take", registry=self._registry
        )
        self._bytes = Gauge("guard_agent_record_bytes", "Size of the newest record", registry=self._registry)
        self._seconds = Gauge("guard_agent_collect_seconds", "Time to collect it", registry=self._registry)

    def serve(self, address: str) -> None:
        """Serve ``HOST:PORT``. Raises OSError where the port is taken."""
        host, _, port = address.rpartition(":")
        start_http_server(int(port), host, registry=self._registry)

    def period(self, size: int, seconds: float, gaps: list[str]) -> None:
        """A record of ``size`` bytes was made in ``seconds``; these collectors gave none of it."""
        self._periods.inc()
        self._bytes.set(size)
        self._seconds.set(seconds)
        for name in gaps:
            self._gaps.labels(name).inc()

    def outbox(self, *, sent: int, pending: int, dropped: int, refused: int) -> None:
        """How the sending goes."""
        self._refused.set(refused)
        self._sent.set(sent)
        self._pending.set(pending)
        self._dropped.set(dropped)
