"""What agents and a detector would say of a job on a real API server: telemetry of its pods, and the verdicts."""

import contextlib
import time
from collections.abc import Iterator

from kubernetes import client
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from collectors.telemetry import Job, Ranks, Steps, Telemetry
from collectors.telemetry import encode as encode_telemetry
from detectors.verdict import (
    Cause,
    JobAttempt,
    JobStatus,
    JobVerdict,
    Role,
    Severity,
    Status,
    Verdict,
    encode,
    identify,
)
from guard.bus import Bus, Outgoing, Topic
from tests.kube_world import KubeWorld

_STEP, _SLOWED = 0.05, 0.065
_CHECKPOINT = 20
"""Steps from one to the next."""
_RESTARTS = 1000
"""Attempts that a scheduler's restart counts for (the telemetry record)."""
_INDEX = "batch.kubernetes.io/job-completion-index"
_INSTANCE = "i-00000000"


class Training:
    """A job with one rank a pod. It goes on whether the API server answers or not, and knows nothing of guard.

    Attributes:
        accused: whether the detector accuses the node.
    """

    def __init__(self, world: KubeWorld, cluster: str, job: str, bad: str) -> None:
        self.accused = False
        self._namespace, self._cluster, self._job, self._bad = world.namespace, cluster, job, bad
        configuration = world.server.configuration()
        configuration.retries = False
        self._api = client.ApiClient(configuration)
        self._began = self._since = self._judged = time.time()
        self._where: dict[int, str] = {}
        self._pods: set[str] = set()
        self._attempt = self._resumed = self._seq = 0
        self._slow = False

    def close(self) -> None:
        self._api.close()

    def beat(self, bus: Bus) -> None:
        """Say how it is now."""
        with contextlib.suppress(ApiException, HTTPError, OSError):
            self._look()
        slow = self.accused and self._bad in self._where.values()
        if slow is not self._slow:
            self._slow, self._judged = slow, time.time()
        said = [Outgoing(Topic.STATE, one.key, encode(one)) for one in (self._verdict(), self._word())]
        said += [Outgoing(Topic.TELEMETRY, one.key, encode_telemetry(one)) for one in self._telemetry()]
        bus.publish(said, 10.0)

    def _look(self) -> None:
        core, label = client.CoreV1Api(self._api), f"batch.kubernetes.io/job-name={self._job.partition('/')[2]}"
        found = core.list_namespaced_pod(self._namespace, label_selector=label, _request_timeout=1).items
        live = [pod for pod in found if pod.status.phase == "Running" and not pod.metadata.deletion_timestamp]
        uids = {pod.metadata.uid for pod in live}
        if uids and not uids & self._pods:
            if self._pods:
                self._attempt, self._resumed = self._attempt + _RESTARTS, self._saved
            self._pods, self._since = uids, time.time()
        self._where = {int(pod.metadata.annotations[_INDEX]): pod.spec.node_name for pod in live}

    @property
    def _newest(self) -> int:
        return self._resumed + int((time.time() - self._since) / self._seconds)

    @property
    def _saved(self) -> int:
        return self._newest // _CHECKPOINT * _CHECKPOINT

    @property
    def _seconds(self) -> float:
        return _SLOWED if self._slow else _STEP

    def _telemetry(self) -> Iterator[Telemetry]:
        for rank, node in self._where.items():
            self._seq += 1
            yield Telemetry(
                schema="guard.telemetry/1", cluster=self._cluster, node=node, instance=f"i-{node}", boot="b",
                seq=self._seq, time=time.time(), period=1.0, job=Job(self._job, self._attempt),
                ranks=Ranks([rank]), steps=Steps(
                    [_CHECKPOINT], last_step=[self._newest], duration=[_CHECKPOINT * self._seconds],
                    checkpoint_step=[self._saved], resumed_step=[self._resumed],
                ),
            )  # fmt: skip

    def _verdict(self) -> Verdict:
        told = self.accused
        return Verdict(
            schema="guard.verdict/1", id=identify(self._bad, told, self._began), cluster=self._cluster,
            node=self._bad, instance=_INSTANCE, job=JobAttempt(self._job, self._attempt), time=time.time(),
            since=self._began, status=Status.STRAGGLER if told else Status.OK,
            role=Role.CULPRIT if told else None, cause=Cause.COMPUTE if told else None, device=None,
            slowdown=0.3 if told else None, severity=Severity.WARNING if told else Severity.INFO, confidence=0.99,
        )  # fmt: skip

    def _word(self) -> JobVerdict:
        return JobVerdict(
            schema="guard.job/1", id=identify(self._job, self._slow, self._judged), cluster=self._cluster,
            job=self._job, time=time.time(), since=self._judged,
            status=JobStatus.SLOW if self._slow else JobStatus.NORMAL, step_time=self._seconds, baseline=_STEP,
            slowdown=0.3 if self._slow else 0.0, nodes=len(self._where), accused=[self._bad] * self._slow,
        )  # fmt: skip
