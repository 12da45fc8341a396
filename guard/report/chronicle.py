"""What the ledger tells of a range: incidents from opening to end, guard's restarts, and what people had to do.

A record counts where it changes the fold of the remediator itself (`remediation.fold`): no second rule here.
"""

from dataclasses import dataclass, field

from guard.report.stories import Deed, Doing, Incident, Intervention, Restart
from remediation.fold import CLOSING, fold
from remediation.incidents import Durable
from remediation.ledger import (
    Act,
    Applied,
    Denied,
    Intent,
    Leader,
    Moved,
    Opened,
    Outcome,
    Record,
    Result,
    Verified,
    Weighed,
)
from remediation.orders import Command
from remediation.states import OUT_OF_SERVICE, NodeState


@dataclass(frozen=True, slots=True)
class Chronicle:
    """All that the ledger tells, by time.

    Attributes:
        led: whether a remediator has ever led; without one, nothing is known of people or acts.
    """

    led: bool = False
    incidents: tuple[Incident, ...] = ()
    restarts: tuple[Restart, ...] = ()
    interventions: tuple[Intervention, ...] = ()


@dataclass(slots=True)
class _Open:
    """An incident in the making."""

    opened: Opened
    state: NodeState = NodeState.HEALTHY
    out: float | None = None
    resumed: float | None = None
    closed: float | None = None
    ending: str = ""
    held_by_order: float | None = None
    weighed: Weighed | None = None
    deeds: dict[str, Deed] = field(default_factory=dict)
    denied: dict[str, None] = field(default_factory=dict)
    people: list[Doing] = field(default_factory=list)


@dataclass(slots=True)
class _Restarting:
    intent: Intent
    weighed: Weighed | None
    done: float | None = None
    running: bool = False


class Chronicler:
    """Takes the ledger's records in their order.

    Args:
        cluster: only what concerns this one; None: all.
    """

    def __init__(self, cluster: str | None = None) -> None:
        self._cluster = cluster
        self._base = Durable()
        self._durables: dict[str, Durable] = {}
        self._open: dict[tuple[str, str], _Open] = {}
        self._intents: dict[tuple[str, str], _Open] = {}
        self._restarts: dict[tuple[str, str], _Restarting] = {}
        self._by_number: dict[tuple[str, str, int], list[_Restarting]] = {}
        self._interventions: list[Intervention] = []

    def hear(self, record: Record, offset: int) -> None:
        """Take the record at ``offset``."""
        if isinstance(record, Leader):
            # A new leader is the leader of every cluster's records, also of those that come later.
            self._base = fold(self._base, record, offset)
            self._durables = {name: fold(old, record, offset) for name, old in self._durables.items()}
            return
        if self._cluster not in (None, record.cluster):
            return
        before = self._durables.get(record.cluster, self._base)
        after = fold(before, record, offset)
        self._durables[record.cluster] = after
        if after is not before:
            self._count(record)

    def _count(self, record: Record) -> None:
        match record:
            case Opened():
                self._open[record.cluster, record.incident or ""] = _Open(record)
            case Moved():
                self._moved(record)
            case Intent():
                self._intent(record)
            case Outcome():
                self._outcome(record)
            case Verified():
                self._verified(record)
            case Applied():
                self._applied(record)
            case Denied() | Weighed():
                self._note(record)

    def told(self) -> Chronicle:
        """All of it."""
        return Chronicle(
            self._base.leader is not None,
            tuple(sorted(map(_incident, self._open.values()), key=lambda one: (one.opened, one.id))),
            tuple(sorted(map(_restart, self._restarts.values()), key=lambda one: one.asked)),
            tuple(self._interventions),
        )

    def _of(self, record: Record) -> _Open | None:
        return self._open.get((record.cluster, record.incident or ""))

    def _moved(self, record: Moved) -> None:
        incident = self._of(record)
        if incident is None:
            return
        incident.state, incident.ending = record.after, record.reason
        if record.after in OUT_OF_SERVICE and incident.out is None:
            incident.out = record.time
        if record.after in CLOSING:
            incident.closed = record.time
        if record.after is NodeState.HELD and incident.held_by_order != record.time:
            node, name = incident.opened.node, record.incident
            self._interventions.append(Intervention(record.time, record.cluster, "held", "", node, name))

    def _intent(self, record: Intent) -> None:
        incident = self._of(record)
        if incident is not None:
            deed = Deed(record.time, record.act.value, record.subject, None, None, record.approved_by)
            incident.deeds[record.id] = deed
            self._intents[record.cluster, record.id] = incident
            if record.act is Act.RESTART:
                restart = _Restarting(record, incident.weighed)
                self._restarts[record.cluster, record.id] = restart
                number = (record.cluster, record.subject, record.restarts or 0)
                self._by_number.setdefault(number, []).append(restart)

    def _outcome(self, record: Outcome) -> None:
        incident = self._intents.get((record.cluster, record.intent))
        if incident is not None:
            deed = incident.deeds[record.intent]
            incident.deeds[record.intent] = deed.ended_with(record.result.value, record.time)
        restart = self._restarts.get((record.cluster, record.intent))
        if restart is not None and record.result is Result.DONE:
            restart.done = record.time

    def _note(self, record: Denied | Weighed) -> None:
        incident = self._of(record)
        if incident is None:
            return
        if isinstance(record, Denied):
            incident.denied[record.rail] = None
        else:
            incident.weighed = record

    def _verified(self, record: Verified) -> None:
        incident = self._of(record)
        if incident is not None and record.running and incident.resumed is None:
            incident.resumed = record.time
        for restart in self._by_number.get((record.cluster, record.job, record.restarts), ()):
            restart.running = restart.running or record.running

    def _applied(self, record: Applied) -> None:
        if not record.accepted:
            return
        incident = self._of(record)
        if incident is not None:
            incident.people.append(Doing(record.time, record.what, record.by))
            if record.what == Command.HOLD:
                incident.held_by_order = record.time
        self._interventions.append(
            Intervention(record.time, record.cluster, record.what, record.by, record.subject, record.incident)
        )


def _incident(one: _Open) -> Incident:
    said = one.opened
    return Incident(
        id=said.incident or "", cluster=said.cluster, node=said.node, instance=said.instance, job=said.job,
        cause=said.cause, severity=said.severity, slowdown=said.slowdown, since=said.since, opened=said.time,
        closed=one.closed, state=one.state.value, ending=one.ending, out=one.out, resumed=one.resumed,
        acts=tuple(one.deeds.values()), denied=tuple(one.denied), people=tuple(one.people),
    )  # fmt: skip


def _restart(one: _Restarting) -> Restart:
    intent, weighed = one.intent, one.weighed
    took = one.done if one.done is not None else intent.time if one.running else None
    return Restart(
        cluster=intent.cluster,
        job=intent.subject,
        incident=intent.incident,
        asked=intent.time,
        took=took,
        lost_work=None if weighed is None else weighed.lost_work,
        step_time=None if weighed is None else weighed.step_time,
        stood_still=weighed is not None and weighed.slowdown >= 1,
    )
