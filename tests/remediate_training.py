"""A training job and its detector, spoken for by a test: telemetry, verdicts, and checkpoints on request."""

import json
import time
from pathlib import Path

from collectors.telemetry import Job, Ranks, Steps, Telemetry, encode
from detectors.verdict import Cause, Evidence, JobAttempt, Role, Severity, Status, Verdict, identify
from detectors.verdict import encode as encode_saying
from guard.bus import Bus, Outgoing, Topic
from remediation.views import JobState
from tests.remediate_world import JOB, world
from tests.remediator import CLUSTER

_STEP = 0.05
_RESTARTS = 1000
"""Attempts that a scheduler's restart counts for (the telemetry record)."""

_WORDS = {
    Status.OK: (None, None, Severity.INFO),
    Status.STRAGGLER: (Role.CULPRIT, Cause.COMPUTE, Severity.WARNING),
    Status.FAULT: (Role.CULPRIT, Cause.DEVICE, Severity.CRITICAL),
}


class Training:
    """Says at each `beat` what the job's nodes would say by then.

    Attributes:
        accused: status of the node that the detector accuses, by name.
        saves: steps at which a checkpoint was asked for and written.
    """

    def __init__(self, bus: Bus, directory: Path) -> None:
        self.accused: dict[str, Status] = {}
        self.saves: list[int] = []
        self._bus, self._directory = bus, directory
        self._began = time.time()
        self._resumed = 0
        self._attempt = 0
        self._seq = 0

    def beat(self) -> None:
        """Publish telemetry of the job's nodes, and the verdicts."""
        with world(self._directory) as cluster:
            job = cluster.observe(1.0).jobs[JOB]
        if job.restarts * _RESTARTS != self._attempt:
            self._attempt, self._resumed = job.restarts * _RESTARTS, self._newest
        said: list[Telemetry | Verdict] = []
        if job.state is JobState.RUNNING:
            step = self._step()
            said += [self._record(number, node, step) for number, node in enumerate(sorted(job.nodes))]
        said += [self._verdict(node, status) for node, status in self.accused.items()]
        self._bus.publish([_outgoing(one) for one in said], 10.0)

    def _step(self) -> int:
        """Steps take their time; where a checkpoint is asked for, the job is past it at once and wrote it."""
        step = self._resumed + int((time.time() - self._began) / _STEP)
        asked = self._asked()
        if asked is not None and asked > self._newest:
            step = max(step, asked + 1)
            self.saves.append(asked)
            self._began = time.time() - (step - self._resumed) * _STEP
        return step

    @property
    def _newest(self) -> int:
        return self.saves[-1] if self.saves else 0

    def _asked(self) -> int | None:
        try:
            return int(json.loads((self._directory / f"{JOB}.json").read_text())["at_step"])
        except OSError:
            return None

    def _record(self, number: int, node: str, step: int) -> Telemetry:
        self._seq += 1
        return Telemetry(
            schema="guard.telemetry/1", cluster=CLUSTER, node=node, instance=f"i-{node}", boot="b", seq=self._seq,
            time=time.time(), period=1.0, job=Job(JOB, self._attempt), ranks=Ranks([number]),
            steps=Steps(
                [20], last_step=[step], duration=[20 * _STEP],
                checkpoint_step=[self._newest] if self._newest else None, resumed_step=[self._resumed],
            ),
        )  # fmt: skip

    def _verdict(self, node: str, status: Status) -> Verdict:
        role, cause, severity = _WORDS[status]
        return Verdict(
            schema="guard.verdict/1", id=identify(node, status, self._began), cluster=CLUSTER, node=node,
            instance=f"i-{node}", job=JobAttempt(JOB, 0), time=time.time(), since=self._began, status=status,
            role=role, cause=cause, device=None, slowdown=0.3 if role else None, severity=severity,
            confidence=0.99,
            evidence=[Evidence("steps.compute", 2.0, 1.0, 9.0, 5)] if role else [],
        )  # fmt: skip


def _outgoing(said: Telemetry | Verdict) -> Outgoing:
    if isinstance(said, Telemetry):
        return Outgoing(Topic.TELEMETRY, said.key, encode(said))
    return Outgoing(Topic.STATE, said.key, encode_saying(said))
