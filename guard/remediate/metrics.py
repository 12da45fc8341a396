"""What a remediator tells Prometheus, on loopback."""

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest, start_http_server

from remediation.ledger import Act, Record, Result


class Metrics:
    """Counters and gauges of one remediator, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._leads = Gauge("guard_remediate_leads", "1 while this process may act", registry=registry)
        self._terms = Counter("guard_remediate_terms", "Times that this process began to lead", registry=registry)
        self._records = Counter(
            "guard_remediate_ledger_records", "Records written to the ledger", ["kind"], registry=registry
        )
        self._acts = Counter("guard_remediate_acts", "Acts that ended", ["act", "result"], registry=registry)
        self._looks = Counter(
            "guard_remediate_observations", "Looks at the cluster", ["result"], registry=registry
        )
        self._seen = Gauge(
            "guard_remediate_observed", "When the cluster was seen last, Unix seconds", registry=registry
        )
        self._orders = Counter("guard_remediate_orders", "Operators' orders read", ["result"], registry=registry)
        self._unreadable = Gauge(
            "guard_remediate_unreadable",
            "Records that could not be read, since the bus was opened",
            registry=registry,
        )
        self._away = Counter("guard_remediate_bus_away", "Times that the bus was away", registry=registry)

    def serve(self, address: str) -> None:
        """Serve ``HOST:PORT``. Raises OSError where the port is taken."""
        host, _, port = address.rpartition(":")
        start_http_server(int(port), host, registry=self._registry)

    def page(self) -> bytes:
        """What is served."""
        return generate_latest(self._registry)

    def leads(self, leads: bool) -> None:
        """This process leads from now on, or does not."""
        self._leads.set(leads)
        if leads:
            self._terms.inc()

    def wrote(self, record: Record) -> None:
        """A record went to the ledger."""
        self._records.labels(type(record).__struct_config__.tag).inc()

    def acted(self, act: Act, result: Result) -> None:
        """An act ended."""
        self._acts.labels(act, result).inc()

    def looked(self, now: float | None) -> None:
        """The cluster was seen at ``now``, Unix seconds; None: it could not be."""
        self._looks.labels("failed" if now is None else "seen").inc()
        if now is not None:
            self._seen.set(now)

    def ordered(self, readable: bool) -> None:
        """An operator's order was read."""
        self._orders.labels("readable" if readable else "unreadable").inc()

    def unreadable(self, records: int) -> None:
        """So many records of ledger and verdicts could not be read."""
        self._unreadable.set(records)

    def away(self) -> None:
        """The bus is away."""
        self._away.inc()
