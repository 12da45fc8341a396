"""How a job goes: its step time against its own earlier one."""

from collections import deque
from dataclasses import dataclass

import msgspec
import numpy as np

from detectors.policy import Policy
from detectors.verdict import JOB_SCHEMA, JobStatus, JobVerdict, identify

_HEALTHY = 240
"""First windows that make the baseline: two hours at the default; later ones would learn a slow decay."""

_RECENT = 3
"""Windows whose median is the present step time: a checkpoint or a collection in one of them is no slowdown."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the course of a job does not know itself, at the time it speaks.

    Attributes:
        nodes: how many nodes the job has.
        accused: names of the accused ones, sorted.
        excuse: why nobody is accused if the job is slow.
        silence: why nothing is known, if nothing is.
    """

    nodes: int
    accused: tuple[str, ...]
    excuse: str
    silence: str | None


class CourseState(msgspec.Struct):
    """What a snapshot holds of the course."""

    recent: list[float]
    healthy: list[float]
    windows: int
    ended: bool
    said: JobVerdict | None


class Course:
    """Step time, baseline and status of one attempt."""

    def __init__(self, policy: Policy, cluster: str, job: str, attempt: int) -> None:
        self._policy = policy
        self._about = (cluster, job, attempt)
        self._recent: deque[float] = deque(maxlen=_RECENT)
        self._healthy: list[float] = []
        self._windows = 0
        self._ended = False
        self._said: JobVerdict | None = None

    @property
    def spoken(self) -> bool:
        """Whether anything was said of this attempt yet."""
        return self._said is not None

    @property
    def step_time(self) -> float | None:
        """The present step time in seconds."""
        return float(np.median(self._recent)) if self._recent else None

    @property
    def baseline(self) -> float | None:
        """The lowest decile of the first windows' step times: robust to a slow start of up to nine tenths."""
        if not self._healthy:
            return None
        return float(np.quantile(self._healthy, 0.1, method="higher"))

    def note(self, step_time: float | None, *, healthy: bool) -> None:
        """Take in one window's median step time. Windows in which a node stands out make no baseline."""
        self._windows += 1
        if step_time is None:
            return
        self._recent.append(step_time)
        if healthy and len(self._healthy) < _HEALTHY:
            self._healthy.append(step_time)

    def end(self) -> None:
        """Every node has left."""
        self._ended = True

    def freeze(self) -> CourseState:
        """All of it."""
        return CourseState(list(self._recent), list(self._healthy), self._windows, self._ended, self._said)

    def restore(self, state: CourseState) -> None:
        """Go on from there."""
        self._recent.extend(state.recent)
        self._healthy = list(state.healthy)
        self._windows, self._ended, self._said = state.windows, state.ended, state.said

    def say(self, time: float, standing: Standing) -> list[JobVerdict]:
        """Speak if something changed, or if the repeat is due."""
        status = self._status(standing)
        said = self._said
        accused = list(standing.accused[:100])
        same = said is not None and (said.status, said.accused) == (status, accused)
        if said is not None and same and (time < said.time + self._policy.job_repeat or self._ended):
            return []
        cluster, job, attempt = self._about
        step_time, baseline = self.step_time, self.baseline
        slowdown = None
        if step_time and baseline:
            slowdown = round(max(0.0, 1 - baseline / step_time), 4)
        reason = standing.silence
        if reason is None and status is JobStatus.SLOW and not accused:
            reason = standing.excuse
        self._said = JobVerdict(
            schema=JOB_SCHEMA,
            id=identify(cluster, "", "", job, attempt, time, "/".join((status, *accused))),
            cluster=cluster,
            job=job,
            time=time,
            since=said.since if said is not None and said.status is status else time,
            status=status,
            step_time=None if step_time is None else round(step_time, 6),
            baseline=None if baseline is None else round(baseline, 6),
            slowdown=slowdown,
            nodes=standing.nodes,
            accused=accused,
            reason=reason,
        )
        return [self._said]

    def _status(self, standing: Standing) -> JobStatus:
        if self._ended:
            return JobStatus.ENDED
        if standing.accused:
            return JobStatus.SLOW
        if self._windows < self._policy.starting:
            return JobStatus.STARTING
        step_time, baseline = self.step_time, self.baseline
        if step_time is not None and baseline is not None and step_time > self._policy.slow * baseline:
            return JobStatus.SLOW
        return JobStatus.NORMAL
