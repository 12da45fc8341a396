"""Jobs of a simulated week: what truly happens to them, and what the detector and guard say of it."""

import random
from dataclasses import dataclass, field

import numpy as np

from detectors.verdict import Cause, JobAttempt, JobStatus, JobVerdict, Role, Severity, Status, Verdict
from remediation.ledger import (
    Act,
    Applied,
    Intent,
    Moved,
    Opened,
    Outcome,
    Proposed,
    Result,
    Verified,
    Weighed,
)
from remediation.states import NodeState as S
from tests.report_week import CLUSTER, END, START, WEEK, Week

STALE = 180
_TOLD, _HANGS, _STARTS, _MENDS = 120, 320, 600, 1200
_SILENCE = "no telemetry from any node of the job"


@dataclass
class Truth:
    """`pace` of each second: 1 undisturbed, 0 stopped; `seen` where somebody spoke of it. Lost work in seconds."""

    pace: np.ndarray = field(default_factory=lambda: np.zeros(WEEK))
    seen: np.ndarray = field(default_factory=lambda: np.ones(WEEK, dtype=bool))
    lost: float = 0.0
    slowed: float = 0.0
    failures: int = 0
    starts: int = 0

    def paint(self, since: int, until: int, pace: float) -> None:
        self.pace[since - START : max(until - START, 0)] = pace

    @property
    def goodput(self) -> float:
        return float((self.pace[self.seen].sum() - self.lost) / self.seen.sum())


class Job:
    """One job's week; `lives` writes it down."""

    def __init__(self, week: Week, seed: int, name: str, nodes: int, step: float) -> None:
        self.week, self.chance, self.truth = week, random.Random(f"{seed}/{name}"), Truth()
        self.name, self.nodes, self.step = name, nodes, step
        self.restarts = 0
        self.out: set[str] = set()

    def lives(self) -> Truth:
        now = self.starts(START)
        happenings = (self.slow, self.slow, self.approved, self.hang, self.crash, self.ends, self.fault,
                      self.false, self.away, self.silent)  # fmt: skip
        plan = self.chance.sample(happenings, len(happenings)) * 2
        for happening in plan:
            now = self.runs(now, self.chance.randrange(2 * 3600, 7 * 3600))
            if now > END - 6 * 3600:
                break
            now = happening(now)
        self.runs(now, END - now)
        return self.truth

    def says(self, now: int, status: JobStatus, **fields: object) -> None:
        noise = 1 + self.chance.uniform(-0.003, 0.003)
        given = {"since": float(now), "step_time": round(self.step * noise, 6), "accused": [], "reason": None}
        given |= fields
        step = given["step_time"]
        said = JobVerdict(
            schema="guard.job/1", id=self.week.name("said"), cluster=CLUSTER, job=self.name, time=float(now),
            status=status, baseline=None if step is None else self.step, slowdown=None, nodes=self.nodes, **given,
        )  # fmt: skip
        self.week.said.append((now, said))

    def repeats(self, begin: int, until: int, status: JobStatus, **fields: object) -> None:
        for now in range(begin, min(until, END), 60):
            self.says(now, status, **fields)

    def runs(self, now: int, lasts: int) -> int:
        until = min(now + lasts, END)
        self.truth.paint(now, until, 1.0)
        self.repeats(now, until, JobStatus.NORMAL)
        return until

    def starts(self, now: int) -> int:
        self.truth.paint(now, now + _STARTS, 0.0)
        self.repeats(now, now + _STARTS, JobStatus.STARTING, step_time=None)
        self.restarts += 1
        return now + _STARTS

    def accuse(self, now: int, node: str, **fields: object) -> None:
        given = {
            "status": Status.STRAGGLER,
            "role": Role.CULPRIT,
            "cause": Cause.COMPUTE,
            "slowdown": None,
        } | fields
        said = Verdict(
            schema="guard.verdict/1", id=self.week.name("said"), cluster=CLUSTER, node=node, instance=f"i-{node}",
            job=JobAttempt(self.name), time=float(now), since=float(now), device=None,
            severity=Severity.WARNING, confidence=0.99, **given,
        )  # fmt: skip
        self.week.said.append((now, said))

    def clear(self, now: int, node: str) -> None:
        self.accuse(now, node, status=Status.OK, role=None, cause=None)

    def culprit(self) -> str:
        here = [f"{self.name}-{number}" for number in range(self.nodes + 99)]
        return self.chance.choice([node for node in here if node not in self.out])

    def slow(self, now: int, *, approved: bool = False) -> int:
        factor, node = self.chance.uniform(1.15, 2.0), self.culprit()
        self.truth.paint(now, now + _TOLD + _MENDS, 1 / factor)
        self.repeats(now, now + _TOLD, JobStatus.NORMAL)
        now += _TOLD
        cost = round(1 - 1 / factor, 4)
        cause = self.chance.choice([Cause.COMPUTE, Cause.NETWORK, Cause.HOST])
        for time in range(now, now + _MENDS, 300):
            self.accuse(time, node, slowdown=cost, cause=cause)
        slow = {"step_time": round(self.step * factor, 6), "accused": [node]}
        self.repeats(now, now + _MENDS, JobStatus.SLOW, **slow)
        self.truth.slowed += self.nodes * (_TOLD + _MENDS) * (1 - 1 / factor) / 3600
        given = {"cause": cause, "step": self.step * factor, "approved": approved}
        return self.acts(now, now + _MENDS, node, cost, **given)

    def approved(self, now: int) -> int:
        return self.slow(now, approved=True)

    def acts(
        self, told: int, now: int, node: str, cost: float, *, step: float, cause: str = "", approved: bool = False
    ) -> int:
        """Guard takes the node out and starts the job anew; a person looks at the node days later."""
        enter, incident = self.week.enter, self.week.name("incident")
        of = {"incident": incident}
        enter(
            told + 5, Opened, node=node, instance=f"i-{node}", job=self.name, verdict="v", cause=cause or "device",
            severity="warning", slowdown=cost, since=float(told), **of,
        )  # fmt: skip
        lost = float(self.chance.randrange(60, 900))
        enter(
            told + 6, Weighed, job=self.name, remaining=9e5, slowdown=cost, chance_wrong=0.01, restart_cost=600.0,
            lost_work=lost, saved=1.0, worth=True, step_time=step, **of,
        )  # fmt: skip
        self.truth.lost += lost * self.step / step
        enter(told + 7, Moved, before=S.HEALTHY, after=S.CONFIRMED, reason="", **of)
        by = None
        if approved:
            by = "ann"
            asked = enter(told + 8, Proposed, act=Act.RESTART, subject=self.name, intent="wanted", reason="", **of)
            enter(told + 60, Applied, order=asked, what="approve", subject="wanted", by=by, accepted=True, **of)
        self.done(now - 30, Act.CORDON, node, of, by)
        enter(now - 20, Moved, before=S.CONFIRMED, after=S.CORDONED, reason="", **of)
        enter(now - 19, Moved, before=S.CORDONED, after=S.DRAINING, reason="", **of)
        self.done(now - 10, Act.RESTART, self.name, of, by)
        self.out.add(node)
        self.truth.starts += 1
        number = self.restarts
        up = self.starts(now)
        enter(
            up + 60,
            Verified,
            job=self.name,
            restarts=number,
            running=True,
            resumed=5,
            faster=True,
            fine=True,
            **of,
        )
        enter(up + 61, Moved, before=S.DRAINING, after=S.HELD, reason="a person must look", **of)
        back = up + self.chance.randrange(3600, 12 * 3600)
        enter(
            back,
            Applied,
            order=self.week.name("order"),
            what="release",
            subject=node,
            by="bob",
            accepted=True,
            **of,
        )
        self.clear(back + 10, node)
        enter(back + 5, Moved, before=S.HELD, after=S.HEALTHY, reason="given back as ordered", **of)
        return up

    def done(self, now: int, act: Act, subject: str, of: dict[str, str], by: str | None) -> None:
        intent = self.week.enter(
            now, Intent, act=act, subject=subject, restarts=self.restarts, expires=now + 60.0, deadline=60.0,
            approved_by=by, **of,
        )  # fmt: skip
        self.week.enter(now + 5, Outcome, intent=intent, result=Result.DONE, **of)

    def hang(self, now: int) -> int:
        node, told, until = self.culprit(), now + _HANGS, now + _HANGS + 180
        self.truth.paint(now, until, 0.0)
        self.truth.failures += 1
        self.repeats(now, told, JobStatus.NORMAL)
        self.accuse(told, node, slowdown=1.0)
        self.repeats(told, until, JobStatus.HUNG, since=float(now), accused=[node], reason="no step ended")
        return self.acts(told, until, node, 1.0, step=self.step)

    def fault(self, now: int) -> int:
        node = self.culprit()
        self.truth.paint(now, now + 60, 0.0)
        self.truth.failures += 1
        self.accuse(now + 30, node, status=Status.FAULT, cause=Cause.DEVICE)
        return self.acts(now + 30, now + 75, node, 1.0, step=self.step)

    def crash(self, now: int) -> int:
        """The scheduler starts it anew; nobody told that it had stopped."""
        self.truth.failures += 1
        self.truth.starts += 1
        return self.starts(now + 150)

    def ends(self, now: int) -> int:
        self.truth.failures += 1
        self.truth.starts += 1
        self.says(now + 30, JobStatus.ENDED, step_time=None)
        return self.starts(now + 1830)

    def false(self, now: int) -> int:
        node, until = self.culprit(), now + 600
        self.truth.paint(now, until, 1.0)
        for time in range(now, until, 300):
            self.accuse(time, node, slowdown=0.02)
        self.repeats(now, until, JobStatus.SLOW, accused=[node])
        self.clear(until, node)
        of = {"incident": self.week.name("incident")}
        self.week.enter(
            now + 5, Opened, node=node, instance=f"i-{node}", job=self.name, verdict="v", cause="compute",
            severity="warning", slowdown=0.02, since=float(now), **of,
        )  # fmt: skip
        self.week.enter(now + 6, Moved, before=S.HEALTHY, after=S.SUSPECT, reason="", **of)
        self.week.enter(until + 9, Moved, before=S.SUSPECT, after=S.HEALTHY, reason="taken back", **of)
        return until

    def away(self, now: int) -> int:
        """The detector is away: the job runs on, and nobody knows."""
        until = now + self.chance.randrange(3600, 3 * 3600)
        self.truth.paint(now, until, 1.0)
        self.truth.seen[now - START : until - START] = False
        return until

    def silent(self, now: int) -> int:
        """The detector is there and hears nothing."""
        until = now + 1800
        self.truth.paint(now, until, 1.0)
        self.truth.seen[now - START : until - START] = False
        self.repeats(now, until, JobStatus.NORMAL, reason=_SILENCE)
        return until


def simulated(seed: int) -> tuple[Week, dict[str, Truth]]:
    """A week of three jobs, and the truth about each."""
    week = Week()
    jobs = [Job(week, seed, *given) for given in (("pretrain", 64, 10.0), ("tune", 16, 2.5), ("probe", 8, 1.0))]
    return week, {job.name: job.lives() for job in jobs}
