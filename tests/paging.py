"""Words for tests of paging: verdicts, records of the ledger, and a pager that remembers what it told."""

import itertools
from dataclasses import dataclass, field

from detectors.verdict import (
    JOB_SCHEMA,
    VERDICT_SCHEMA,
    Cause,
    Evidence,
    JobAttempt,
    JobStatus,
    JobVerdict,
    Role,
    Severity,
    Status,
    Verdict,
)
from remediation.alerts.notice import Kind, Notice
from remediation.ledger import Alert, Breaker, Cleared, Moved, Opened, Record
from remediation.orders import Command, Order
from remediation.paging import pager
from remediation.paging.events import Entered, Event, Looked, Ordered, Said, Tried
from remediation.paging.policy import Paging
from remediation.states import NodeState

CLUSTER = "use1"
NODE = "ip-10-0-12-7"
INSTANCE = "i-0a1b"
JOB = "81723"
START = 1_790_000_000.0
_numbers = itertools.count()


def accusation(time, *, node=NODE, since=None, status=Status.STRAGGLER, severity=Severity.WARNING, **more):
    return verdict(time, node=node, since=since, status=status, severity=severity, **more)


def verdict(
    time,
    *,
    node=NODE,
    instance=INSTANCE,
    since=None,
    status=Status.OK,
    severity=Severity.INFO,
    job=JOB,
    cluster=CLUSTER,
):
    accused = status in (Status.STRAGGLER, Status.FAULT)
    return Verdict(
        schema=VERDICT_SCHEMA,
        id=f"v{time}",
        cluster=cluster,
        node=node,
        instance=instance,
        job=JobAttempt(job) if job else None,
        time=START + time,
        since=START + (time if since is None else since),
        status=status,
        role=Role.CULPRIT if accused else None,
        cause=Cause.COMPUTE if accused else None,
        device=5 if accused else None,
        slowdown=0.17 if accused else None,
        severity=severity,
        confidence=0.98,
        evidence=[Evidence("steps.compute", 1.12, 0.94, 11.3, 9)] if accused else [],
    )


def job(time, status, *, since=None, accused=(), reason=None, nodes=64, slowdown=None, name=JOB):
    return JobVerdict(
        schema=JOB_SCHEMA,
        id=f"j{time}",
        cluster=CLUSTER,
        job=name,
        time=START + time,
        since=START + (time if since is None else since),
        status=JobStatus(status),
        step_time=1.0,
        baseline=1.0,
        slowdown=slowdown,
        nodes=nodes,
        accused=list(accused),
        reason=reason,
    )


def record(kind: type[Record], time, *, incident="inc-1", **more) -> Record:
    more.setdefault("id", f"r{next(_numbers)}")
    return kind(cluster=CLUSTER, time=START + time, incident=incident, **more)


def opened(time, *, incident="inc-1", node=NODE, instance=INSTANCE, severity="warning", since=None, epoch=None):
    return record(
        Opened,
        time,
        incident=incident,
        node=node,
        instance=instance,
        job=JOB,
        verdict="v",
        cause="compute",
        severity=severity,
        slowdown=0.17,
        since=START + (time if since is None else since),
        epoch=epoch,
    )


def moved(time, after, *, before="suspect", incident="inc-1", reason="because", epoch=None):
    return record(
        Moved,
        time,
        incident=incident,
        before=NodeState(before),
        after=NodeState(after),
        reason=reason,
        epoch=epoch,
    )


def alert(time, about, *, severity="warning", incident="inc-1", subject="", text="a person is needed"):
    return record(Alert, time, incident=incident, about=about, severity=severity, text=text, subject=subject)


def cleared(time, alert_id):
    return record(Cleared, time, incident=None, alert=alert_id, reason="seen to be over")


def breaker(time, tripped):
    return record(Breaker, time, incident=None, tripped=tripped, reason="8 of 64 nodes were accused")


def acknowledge(time, subject, by="ana"):
    order = Order(cluster=CLUSTER, time=START + time, by=by, command=Command.ACKNOWLEDGE, subject=subject)
    return Ordered(order, START + time)


def event(thing) -> Event:
    """What the pager hears: verdicts and records are wrapped as the shell does."""
    if isinstance(thing, Verdict | JobVerdict):
        return Said(thing, thing.time)
    return thing if isinstance(thing, Ordered | Looked | Tried | Entered) else Entered(thing, thing.time)


@dataclass
class Pager:
    """The core with a clock of the test's, all that it told, and a restart whenever one is asked for."""

    policy: Paging = field(default_factory=Paging)
    channels: tuple[str, ...] = ("pagerduty", "slack")
    state: pager.State = field(default_factory=pager.State)
    letters: list[pager.Letter] = field(default_factory=list)

    def hear(self, now, *things):
        for thing in things:
            self.state = pager.hear(self.state, event(thing), self.policy, START + now)

    def due(self, now) -> list[Notice]:
        """What the first channel was told now."""
        return [letter.notice for letter in self.all_due(now) if letter.channel == self.channels[0]]

    def all_due(self, now) -> list[pager.Letter]:
        self.state, letters = pager.due(self.state, self.policy, self.channels, START + now)
        self.letters += letters
        return list(letters)

    def told(self, now, *things) -> list[Notice]:
        """What the first channel was told after these, a moment later than pages gather."""
        self.hear(now, *things)
        return self.due(now + self.policy.gather + 1)

    def kinds(self, now, *things) -> list[Kind]:
        return [notice.kind for notice in self.told(now, *things)]

    def restart(self):
        self.state = pager.decode(pager.encode(self.state))


def detail(notice: Notice, name: str) -> str:
    return next((line.text for line in notice.details if line.name == name), "")
