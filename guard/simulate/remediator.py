"""guard in the month: the real controller on verdicts that come as late, and are missed as often, as measured.

It is woken when something is said or was to be waited for, not every second. Its turns are five seconds apart, so
what takes a few seconds in a real shell takes as long here.
"""

import math
from collections.abc import Iterable, Mapping
from functools import partial

from detectors.verdict import Cause, JobAttempt, Role, Severity, Status, Verdict, identify
from guard.simulate.detection import AILMENTS
from guard.simulate.faults import SLOWING, STOPPING, Fault, Kind
from guard.simulate.fleet import JOB, name_of
from guard.simulate.month import Month, Phase
from guard.simulate.shell import CLUSTER, Shell
from remediation.controller import jobs_followed
from remediation.events import Ordered, Progress, Progressed, Said
from remediation.ledger import Act, Alert, Denied, Intent, Record, Weighed
from remediation.orders import Command, Order
from remediation.policy import Policy
from remediation.states import NodeState
from simulation.case import FaultKind

_TURN = 5.0
_WAITING = 60.0
"""Seconds between turns while an accused node cannot be taken out yet; after `_LONG` of that, `_REFRESH`."""
_LONG = 900.0
_REFRESH = 300.0
"""Seconds after which the detector repeats a verdict (`detect.refresh`)."""
_ALLEGED = 1.1
"""Factor that a false accusation tells of."""
_CONFIDENCE = 0.99
_PAGES = frozenset({"warning", "critical"})
_CAUSES: Mapping[FaultKind | None, Cause] = {
    **dict.fromkeys(AILMENTS, Cause.COMPUTE),
    FaultKind.MEMORY: Cause.MEMORY,
    FaultKind.HOST: Cause.HOST,
    FaultKind.INPUT: Cause.INPUT,
    FaultKind.LINK: Cause.NETWORK,
}
_UNDECIDED = frozenset({NodeState.CONFIRMED, NodeState.CORDONED, NodeState.DRAINING})


class Remediator:
    """Says what the detector would, lets the controller act, and gives back what people have mended."""

    def __init__(self, month: Month, policy: Policy) -> None:
        self._month = month
        self._shell = Shell(month.fleet, policy, self._ask)
        self._blamed: dict[str, tuple[Fault, float, int]] = {}
        self._said: dict[str, float] = {}
        self._wake_at = math.inf
        self._orders = 0
        month.tally.refused = {}

    def stopped(self, fault: Fault) -> None:
        """See `Answer`."""
        self._plan(fault)

    def suspicious(self, fault: Fault) -> None:
        """See `Answer`."""
        self._plan(fault)

    def passed(self, fault: Fault) -> None:
        """See `Answer`."""
        self._month.at(self._month.now + self._month.given.clear, partial(self._take_back, fault))

    def started(self) -> None:
        """See `Answer`: whether a restart did good is to be seen now."""
        if self._shell.state.durable.verifying:
            self._wake(self._month.now + _WAITING)

    def mended(self, node: int) -> None:
        """See `Answer`: a person gives the node back, if it was guard that took it out."""
        if self._month.fleet.node(node).incident is not None:
            self._order(Command.RELEASE, name_of(node))

    def _plan(self, fault: Fault) -> None:
        if fault.accused is not None:
            self._month.at(self._month.now + fault.accused, partial(self._accuse, fault, self._month.attempt))

    def _accuse(self, fault: Fault, attempt: int) -> None:
        month = self._month
        real = month.in_job(fault.node) if fault.kind not in SLOWING else month.suspect(fault)
        if attempt != month.attempt or not real:
            return
        name = name_of(fault.node)
        self._blamed[name] = (fault, month.now, attempt)
        self._say(name)
        if fault.kind is Kind.FALSE:
            month.at(month.now + month.given.clear, partial(self._take_back, fault))
        self._turn()

    def _say(self, name: str, *, ok: bool = False) -> None:
        fault, since, _ = self._blamed[name]
        now = self._month.now
        self._said[name] = now
        self._shell.tell(Said(_verdict(fault, since, now, ok=ok)), now)

    def _take_back(self, fault: Fault) -> None:
        name = name_of(fault.node)
        blamed = self._blamed.get(name)
        if blamed is None or blamed[0].number != fault.number or self._month.fleet.node(fault.node).cordoned:
            return
        self._say(name, ok=True)
        del self._blamed[name]
        self._turn()

    def _turn(self) -> None:
        month, shell = self._month, self._shell
        self._wake_at = math.inf
        shell.look(month.now)
        month.place()
        self._tell_of_nodes()
        self._tell_of_job()
        restarts = month.fleet.job.restarts
        records, done = shell.turn(month.now)
        self._count(records, done)
        if month.fleet.job.restarts > restarts:
            month.restarted()
        shell.look(month.now)
        month.place()
        self._see_off()
        self._wake(month.now + self._pause(records, done))

    def _tell_of_nodes(self) -> None:
        """Repeat what still holds. A new attempt starts clean: what was said in the last is not repeated."""
        month = self._month
        for name, (fault, _, attempt) in self._blamed.items():
            fresh = attempt == month.attempt and month.in_job(fault.node)
            if fresh and month.now - self._said[name] >= _REFRESH:
                self._say(name)

    def _tell_of_job(self) -> None:
        month, training = self._month, self._month.training
        if month.phase is not Phase.RUNNING or JOB not in jobs_followed(self._shell.state):
            return
        # All ranks of a synchronous job are at the same step: one stands for all.
        progress = Progress(
            time=month.now,
            attempt=month.attempt,
            nodes=month.fleet.job.nodes,
            steps={0: training.steps},
            checkpoints={0: training.saved_steps()},
            resumed={0: training.saved_steps(training.resumed)},
            step_time=month.given.step * training.factor,
        )
        self._shell.tell(Progressed(JOB, progress), month.now)

    def _ask(self, at_step: int) -> None:
        month = self._month
        wait = month.training.ask(at_step)
        month.at(month.now + wait + 0.01, partial(self._write, month.attempt))

    def _write(self, attempt: int) -> None:
        month = self._month
        if attempt != month.attempt:
            return
        left = month.training.write_asked()
        if left is not None:
            month.at(month.now + left + 0.01, partial(self._write, attempt))
        else:
            month.at(month.now + month.given.write, partial(self._written, attempt))

    def _written(self, attempt: int) -> None:
        if attempt == self._month.attempt:
            self._month.training.written()
            self._turn()

    def _count(self, records: Iterable[Record], done: Iterable[Intent]) -> None:
        tally = self._month.tally
        refused = tally.refused if tally.refused is not None else {}
        for record in records:
            if isinstance(record, Alert) and record.severity in _PAGES:
                tally.people += 1
                if record.about == "storm":
                    self._month.at(
                        self._month.now + self._month.given.stopped, partial(self._order, Command.BREAKER_RESET)
                    )
            elif isinstance(record, Denied):
                refused[record.rail] = refused.get(record.rail, 0) + 1
        for intent in done:
            if intent.act is Act.CORDON:
                tally.cordons += 1
                blamed = self._blamed.get(intent.subject)
                tally.wrong += blamed is not None and blamed[0].kind is Kind.FALSE

    def _see_off(self) -> None:
        """Who left the job with our cordon is looked after; who was wrongly taken is given back after a while."""
        month = self._month
        for name, (fault, _, _) in tuple(self._blamed.items()):
            node = month.fleet.node(fault.node)
            if node.jobs or node.incident is None:
                continue
            del self._blamed[name]
            if fault.kind is Kind.FALSE:
                month.at(month.now + fault.noticed, partial(self._give_back, fault))
            elif fault.kind is not Kind.HARD:
                month.away(fault)

    def _give_back(self, fault: Fault) -> None:
        self._month.tally.people += 1
        self._month.mend(fault.node)

    def _order(self, command: Command, subject: str = "") -> None:
        self._orders += 1
        now = self._month.now
        order = Order(cluster=CLUSTER, time=now, by="operator", command=command, subject=subject)
        self._shell.tell(Ordered(order, f"0-{self._orders}"), now)
        self._wake(now + _TURN)

    def _pause(self, records: Iterable[Record], done: Iterable[Intent]) -> float:
        if any(done) or any(not isinstance(record, Alert | Denied | Weighed) for record in records):
            return _TURN
        durable, policy, now = self._shell.state.durable, self._shell.policy, self._month.now
        waits = [_WAITING * 5] if durable.verifying else []
        for incident in durable.incidents.values():
            if incident.state is NodeState.SUSPECT:
                wait = (
                    policy.confirm.critical if incident.severity == Severity.CRITICAL else policy.confirm.warning
                )
                waits.append(incident.moved + wait - now)
            elif incident.state in _UNDECIDED:
                waits.append(_WAITING if now - incident.moved < _LONG else _REFRESH)
        return max(min(waits, default=math.inf), _TURN)

    def _wake(self, time: float) -> None:
        if time < self._wake_at:
            self._wake_at = time
            self._month.at(time, partial(self._woken, time))

    def _woken(self, time: float) -> None:
        if time == self._wake_at:
            self._turn()


def _verdict(fault: Fault, since: float, now: float, *, ok: bool) -> Verdict:
    name, critical = name_of(fault.node), fault.kind in STOPPING
    factor = _ALLEGED if fault.kind is Kind.FALSE else fault.factor
    costs = {Kind.HARD: None, Kind.HANG: 1.0}.get(fault.kind, 1 - 1 / factor)
    broken = Status.FAULT if fault.kind is Kind.HARD else Status.STRAGGLER
    ailment = fault.ailment
    return Verdict(
        schema="guard.verdict/1",
        id=identify(name, fault.number, now, ok),
        cluster=CLUSTER,
        node=name,
        instance=f"i-{fault.node:05}",
        job=JobAttempt(JOB),
        time=now,
        since=now if ok else since,
        status=Status.OK if ok else broken,
        role=None if ok else Role.LINK if ailment is FaultKind.LINK else Role.CULPRIT,
        cause=None if ok else Cause.DEVICE if fault.kind is Kind.HARD else _CAUSES.get(ailment, Cause.UNKNOWN),
        device=None,
        slowdown=None if ok else costs,
        severity=Severity.INFO if ok else Severity.CRITICAL if critical else Severity.WARNING,
        confidence=_CONFIDENCE,
    )
