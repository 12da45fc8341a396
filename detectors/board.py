"""What was said last of each node: decides whether a conclusion is news, a repeat that is due, or neither."""

from dataclasses import dataclass, replace

from detectors.lemons import Lemons
from detectors.policy import Policy
from detectors.verdict import (
    VERDICT_SCHEMA,
    Cause,
    Evidence,
    JobAttempt,
    Role,
    Severity,
    Status,
    Verdict,
    identify,
)


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What is concluded of a node, without when and about whom."""

    status: Status
    role: Role | None = None
    cause: Cause | None = None
    device: int | None = None
    slowdown: float | None = None
    severity: Severity = Severity.INFO
    confidence: float = 0.0
    evidence: tuple[Evidence, ...] = ()

    @property
    def says(self) -> tuple[object, ...]:
        """What makes it another conclusion, beside the figures."""
        return (self.status, self.role, self.cause, self.device)

    @property
    def timed(self) -> bool:
        """Whether it rests on how long the node's own work takes."""
        return bool(self.evidence) and self.evidence[0].signal == "steps.own"

    def like(self, earlier: "Conclusion") -> "Conclusion":
        """The same figures under an earlier conclusion's cause and device: these do not flap."""
        return replace(self, cause=earlier.cause, device=earlier.device)


OK = Conclusion(Status.OK, confidence=0.5)
"""Nothing is known against the node."""

SILENT = Conclusion(Status.SILENT, confidence=1.0)
"""Nothing is known of the node."""


@dataclass(frozen=True, slots=True)
class Subject:
    """About whom something is said."""

    cluster: str
    node: str
    instance: str
    job: JobAttempt | None


class Board:
    """The newest verdict of every node of all jobs that this detector follows.

    Attributes:
        lemons: past accusations of the hardware.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._last: dict[tuple[str, str], Verdict] = {}
        self.lemons = Lemons()

    def last(self, cluster: str, node: str) -> Verdict | None:
        """The newest verdict of a node."""
        return self._last.get((cluster, node))

    def accused(self, subject: Subject) -> bool:
        """Whether this very hardware stands accused."""
        last = self.last(subject.cluster, subject.node)
        return last is not None and last.accused and last.instance == subject.instance

    def say(
        self, subject: Subject, conclusion: Conclusion, time: float, since: float | None = None
    ) -> list[Verdict]:
        """Say it if it is news, or if a repeat is due; nothing otherwise.

        Args:
            subject: about whom.
            conclusion: what.
            time: when it was concluded, Unix seconds of event time.
            since: when it began, if that is known better than by when it was first said.
        """
        last = self._last.get((subject.cluster, subject.node))
        same = last is not None and _says(last) == (subject.instance, subject.job, *conclusion.says)
        if last is not None and same:
            quiet = conclusion.status is Status.OK or time < last.time + self._policy.refresh
            if quiet:
                return []
            since = last.since
        what = "/".join(str(part) for part in conclusion.says)
        job = subject.job
        verdict = Verdict(
            schema=VERDICT_SCHEMA,
            id=identify(
                subject.cluster,
                subject.node,
                subject.instance,
                job.id if job else None,
                job.attempt if job else None,
                time,
                what,
            ),
            cluster=subject.cluster,
            node=subject.node,
            instance=subject.instance,
            job=job,
            time=time,
            since=time if since is None else min(since, time),
            status=conclusion.status,
            role=conclusion.role,
            cause=conclusion.cause,
            device=conclusion.device,
            slowdown=conclusion.slowdown,
            severity=conclusion.severity,
            confidence=conclusion.confidence,
            evidence=list(conclusion.evidence),
        )
        self.restore(verdict)
        return [verdict]

    def remember(self, verdict: Verdict) -> None:
        """What another detector, or this one before a restart, said, unless something newer is known."""
        last = self.last(verdict.cluster, verdict.node)
        if last is None or verdict.time > last.time:
            self.restore(verdict)

    def restore(self, verdict: Verdict) -> None:
        """What had been said last at the time of a snapshot from which is gone on: what came later comes again."""
        self.lemons.note(verdict)
        self._last[(verdict.cluster, verdict.node)] = verdict

    def forget(self, cluster: str, node: str) -> None:
        """A node that has not been heard of for long."""
        self._last.pop((cluster, node), None)


def _says(verdict: Verdict) -> tuple[object, ...]:
    return (
        verdict.instance,
        verdict.job,
        verdict.status,
        verdict.role,
        verdict.cause,
        verdict.device,
    )
