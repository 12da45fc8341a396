"""What a remediator tells Prometheus, on loopback. No label names a node, a job or an incident: there are many."""

import math

from prometheus_client import Counter, Gauge

from guard.exposition import Told, new_registry
from guard.remediate.standing import Standing
from remediation.ledger import Act, Alert, Denied, Record, Result
from remediation.rails import RAILS
from remediation.states import NodeState

_STATES = [state for state in NodeState if state not in (NodeState.HEALTHY, NodeState.GONE)]
"""Those of an open incident."""


class Metrics:
    """Counters and gauges of one remediator. What is told of the ledger, whoever leads knows and who stands by.

    Attributes:
        registry: what is served.
    """

    def __init__(self) -> None:
        self.registry = registry = new_registry("remediate")

        def count(name: str, meaning: str, *labels: str) -> Counter:
            return Counter(f"guard_remediate_{name}", meaning, labels, registry=registry)

        def gauge(name: str, meaning: str, *labels: str) -> Gauge:
            return Gauge(f"guard_remediate_{name}", meaning, labels, registry=registry)

        def moment(name: str, meaning: str) -> Gauge:
            made = gauge(f"{name}_timestamp_seconds", f"{meaning}, Unix seconds; NaN: none")
            made.set(math.nan)
            return made

        self._leads = gauge("leads", "1 while this process may act")
        self._terms = count("terms", "Times that this process began to lead")
        self._records = count("ledger_records", "Records written to the ledger", "kind")
        self._acts = count("acts", "Acts that ended", "act", "result")
        for act in Act:
            for result in Result:
                self._acts.labels(act, result)
        self._denials = count("denials", "Denials written: a rail said no, and had not before", "act", "rail")
        for rail in RAILS:
            for act in sorted(rail.acts):
                self._denials.labels(act, rail.name)
        self._alerts = count("alerts", "Alerts written to the ledger", "about", "severity")
        self._looks = count("observations", "Looks at the cluster", "result")
        self._orders = count("orders", "Operators' orders read", "result")
        for look in ("seen", "failed"):
            self._looks.labels(look)
        for order in ("readable", "unreadable"):
            self._orders.labels(order)
        self._seen = moment("last_observation", "When the cluster was seen last")
        self._unreadable = Told(
            count("unreadable_records", "Records of ledger, verdicts and telemetry that could not be read")
        )
        self._away = count("bus_away", "Times that the bus was away")
        self._nodes = gauge("nodes", "Nodes with an open incident, by their state", "state")
        self._flight = gauge("acts_in_flight", "Intents without an outcome")
        self._tripped = gauge("breaker_tripped", "1 while the storm breaker stops new harm")
        self._paused = gauge("paused", "1 while guard is paused by an order")
        self._pause = moment("paused_since", "When the pause that holds was ordered")
        self._waiting = gauge("proposals_waiting", "Proposals that wait for an approval")
        self._oldest = moment("oldest_proposal", "When the oldest of them was made")
        self._held = moment("oldest_held", "When the node came into the state held that has been there longest")

    def leads(self, leads: bool) -> None:
        """This process leads from now on, or does not."""
        self._leads.set(leads)
        if leads:
            self._terms.inc()

    def wrote(self, record: Record) -> None:
        """A record went to the ledger."""
        self._records.labels(type(record).__struct_config__.tag).inc()
        if isinstance(record, Denied):
            self._denials.labels(record.act, record.rail).inc()
        if isinstance(record, Alert):
            self._alerts.labels(record.about, record.severity).inc()

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
        """So many records could not be read since the bus was opened."""
        self._unreadable.tell(records)

    def away(self) -> None:
        """The bus is away."""
        self._away.inc()

    def standing(self, standing: Standing) -> None:
        """How things stand by the ledger."""
        for state in _STATES:
            self._nodes.labels(state).set(standing.nodes[state])
        self._flight.set(standing.in_flight)
        self._tripped.set(standing.tripped)
        self._paused.set(standing.paused is not None)
        self._waiting.set(standing.waiting)
        for gauge, moment in (
            (self._pause, standing.paused),
            (self._oldest, standing.oldest_proposal),
            (self._held, standing.oldest_held),
        ):
            gauge.set(math.nan if moment is None else moment)
