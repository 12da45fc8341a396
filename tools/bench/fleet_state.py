"""``guard.state`` of a large fleet as compaction leaves it: the newest verdict of each node, and some older."""

import random
import time
from collections.abc import Iterator

from detectors.verdict import (
    JOB_SCHEMA,
    VERDICT_SCHEMA,
    Cause,
    Evidence,
    JobAttempt,
    JobStatus,
    JobVerdict,
    Role,
    Saying,
    Severity,
    Status,
    Verdict,
    identify,
)

CLUSTER = "use1-prod"
JOBS = 60
_NOT_OK = (
    (Status.WATCH, Role.INCONCLUSIVE, Cause.COMPUTE, 0.004),
    (Status.WATCH, Role.VICTIM, Cause.NETWORK, 0.0015),
    (Status.SILENT, None, None, 0.0008),
    (Status.STRAGGLER, Role.CULPRIT, Cause.COMPUTE, 0.0003),
    (Status.FAULT, Role.CULPRIT, Cause.DEVICE, 0.0002),
)
"""What is said of nodes that are not ok, and of what share of them: 425 of the whole fleet."""


class FleetState:
    """What detectors have said of many nodes in sixty jobs, the newest last.

    Args:
        nodes: how many.
        superseded: records before the newest of a node that compaction has not reached yet, a share of the nodes.
        now: Unix seconds of the newest.
        seed: of the draws.
    """

    def __init__(self, nodes: int, *, superseded: float = 0.5, now: float | None = None, seed: int = 1) -> None:
        self._nodes, self._superseded = nodes, superseded
        self._now = time.time() if now is None else now
        self._chance = random.Random(seed)

    def sayings(self) -> Iterator[Saying]:
        """All of them, in the order in which they were said."""
        chance = self._chance
        for node in chance.sample(range(self._nodes), round(self._nodes * self._superseded)):
            yield self._verdict(node, chance.random(), self._now - 7200 - chance.random() * 3600)
        for job in range(JOBS):
            yield self._job(job, self._now - 60)
        for node in range(self._nodes):
            yield self._verdict(node, chance.random(), self._now - chance.random() * 3600)
        for job in range(JOBS):
            yield self._job(job, self._now)

    def _verdict(self, node: int, draw: float, when: float) -> Verdict:
        status, role, cause = Status.OK, None, None
        for other, its_role, its_cause, share in _NOT_OK:
            if draw < share:
                status, role, cause = other, its_role, its_cause
                break
            draw -= share
        name, job = f"ip-10-{node >> 16}-{node >> 8 & 255}-{node & 255}", f"{81_700 + node % JOBS}"
        return Verdict(
            schema=VERDICT_SCHEMA,
            id=identify(CLUSTER, name, job, when),
            cluster=CLUSTER,
            node=name,
            instance=f"i-{node * 0x9E3779B97F4A7C15 & (1 << 68) - 1:017x}",
            job=JobAttempt(job, node % 3),
            time=round(when, 1),
            since=round(when - 60, 1),
            status=status,
            role=role,
            cause=cause,
            device=node % 16 if status is Status.FAULT else None,
            slowdown=0.17 if role is Role.CULPRIT else None,
            severity=Severity.INFO if status is Status.OK else Severity.WARNING,
            confidence=round(0.9 + draw / 20, 4),
            evidence=[] if role is None else [Evidence("steps.compute", 1.117, 0.942, 11.3, 9)] * 3,
        )

    def _job(self, job: int, when: float) -> JobVerdict:
        slow = job % 20 == 0
        return JobVerdict(
            schema=JOB_SCHEMA,
            id=identify(CLUSTER, "", "", job, when),
            cluster=CLUSTER,
            job=f"{81_700 + job}",
            time=when,
            since=when - 7200,
            status=JobStatus.SLOW if slow else JobStatus.NORMAL,
            step_time=1.377 if slow else 1.183,
            baseline=1.181,
            slowdown=0.1423 if slow else 0.0017,
            nodes=self._nodes // JOBS,
            accused=[],
            reason="every node is slower alike: nobody stands out" if slow else None,
        )
