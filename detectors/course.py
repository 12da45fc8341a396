"""How a job goes: its step time against its own earlier one, and since when.

The baseline is the lowest level among the segments between change points (:mod:`detectors.change`): so a job that
slows step by step is held against its first step, one that warms up slowly against what it reached, and one that
was resized against what it has done since. Of a job that is slow from its start there is nothing better to know:
windows in which a node stands out make no baseline, and without others there is none.
"""

import math
from collections import deque
from dataclasses import dataclass

import msgspec
import numpy as np

from detectors.change import Changes, ChangesState, Segment
from detectors.policy import Policy
from detectors.verdict import JOB_SCHEMA, JobStatus, JobVerdict, identify

_LASTING = 1.05
"""Step time of the present segment over the baseline at which a job is slow, as a change so small was found to be
beyond noise. `Policy.slow` is for the newest windows alone, which a change point does not vouch for yet."""

_NOISE = 3.0
"""Standard deviations by which the newest windows must exceed the baseline, and the most that this may ask for: in
a job whose steps take 1.0 s or 1.3 s, three long ones in a row are no news, but twice the time is."""
_NOISE_MOST = 1.5

_RESIZE = 0.1
"""Share of its nodes by which a job must have changed to be another one, with its own step time."""

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
        slowing: whether any of the accused slows the job, rather than having stopped it or reported an error.
    """

    nodes: int
    accused: tuple[str, ...]
    excuse: str
    silence: str | None
    slowing: bool = True


class CourseState(msgspec.Struct):
    """What a snapshot holds of the course."""

    recent: list[float]
    changes: ChangesState
    windows: int
    ended: bool
    hung: tuple[float, str] | None
    said: JobVerdict | None


class Course:
    """Step time, baseline and status of one attempt."""

    def __init__(self, policy: Policy, cluster: str, job: str, attempt: int) -> None:
        self._policy = policy
        self._about = (cluster, job, attempt)
        self._recent: deque[float] = deque(maxlen=_RECENT)
        self._changes = Changes()
        self._windows = 0
        self._ended = False
        self._hung: tuple[float, str] | None = None
        self._said: JobVerdict | None = None

    @property
    def spoken(self) -> bool:
        """Whether anything was said of this attempt yet."""
        return self._said is not None

    @property
    def status(self) -> JobStatus | None:
        """What was said of this attempt last."""
        return None if self._said is None else self._said.status

    @property
    def step_time(self) -> float | None:
        """The present step time in seconds."""
        return float(np.median(self._recent)) if self._recent else None

    @property
    def baseline(self) -> float | None:
        """The lowest level at which a job of about this many nodes has run, in seconds."""
        segments = self._changes.segments
        return min((one.well for one in segments if one.well and _alike(one, segments[-1])), default=None)

    @property
    def slow_since(self) -> float | None:
        """When the job became slow, Unix seconds; None while it is not."""
        return self._onset() if self._slow() else None

    def note(self, step_time: float | None, *, healthy: bool, time: float, nodes: int) -> None:
        """Take in one window.

        Args:
            step_time: its median step time in seconds; None where no step ended.
            healthy: whether no node stood out. Other windows make no baseline.
            time: when it began, Unix seconds.
            nodes: how many nodes the job has.
        """
        self._windows += 1
        if step_time is None:
            return
        self._recent.append(step_time)
        self._changes.note(step_time, time, healthy=healthy, nodes=nodes)

    def hang(self, since: float, reason: str) -> None:
        """No step has ended since then (Unix seconds)."""
        self._hung = (since, reason)

    def unhang(self) -> None:
        """Steps end again."""
        self._hung = None

    def end(self) -> None:
        """Every node has left."""
        self._ended = True

    def freeze(self) -> CourseState:
        """All of it."""
        return CourseState(
            list(self._recent), self._changes.freeze(), self._windows, self._ended, self._hung, self._said
        )

    def restore(self, state: CourseState) -> None:
        """Go on from there."""
        self._recent.extend(state.recent)
        self._changes.restore(state.changes)
        self._windows, self._ended, self._hung, self._said = state.windows, state.ended, state.hung, state.said

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
        self._said = JobVerdict(
            schema=JOB_SCHEMA,
            id=identify(cluster, "", "", job, attempt, time, "/".join((status, *accused))),
            cluster=cluster,
            job=job,
            time=time,
            since=min(self._since(status, time), time),
            status=status,
            step_time=None if step_time is None else round(step_time, 6),
            baseline=None if baseline is None else round(baseline, 6),
            slowdown=slowdown,
            nodes=standing.nodes,
            accused=accused,
            reason=self._reason(status, standing),
        )
        return [self._said]

    def _reason(self, status: JobStatus, standing: Standing) -> str | None:
        if standing.silence is not None:
            return standing.silence
        if status is JobStatus.HUNG and self._hung is not None:
            return self._hung[1]
        return standing.excuse if status is JobStatus.SLOW and not standing.accused else None

    def _since(self, status: JobStatus, time: float) -> float:
        """When it began, as well as it can be dated: a slow time by its change, a hang by its last step."""
        said = self._said
        began = time
        if said is not None and said.status is status:
            began = said.since
        if status is JobStatus.HUNG and self._hung is not None:
            began = self._hung[0]
        elif status is JobStatus.SLOW and self._slow():
            onset = self._onset()
            began = began if onset is None else onset
        return began

    def _onset(self) -> float | None:
        step_time, baseline = self.step_time, self.baseline
        if step_time is None or baseline is None:
            return None
        segments = self._changes.segments
        since = None
        for segment in reversed(segments):
            if segment.level < _LASTING * baseline or not _alike(segment, segments[-1]):
                break
            since = segment.since
        if since is None or since == segments[0].since:
            # No change is found yet, or it came too early to be one: the newest windows tell.
            since = self._changes.above(math.sqrt(baseline * step_time))
        return since

    def _status(self, standing: Standing) -> JobStatus:
        if self._ended:
            return JobStatus.ENDED
        if self._hung is not None:
            return JobStatus.HUNG
        if standing.accused and standing.slowing:
            return JobStatus.SLOW
        if self._windows < self._policy.starting:
            return JobStatus.STARTING
        return JobStatus.SLOW if self._slow() else JobStatus.NORMAL

    def _slow(self) -> bool:
        step_time, baseline = self.step_time, self.baseline
        if step_time is None or baseline is None:
            return False
        noise = self._changes.noise
        if step_time > baseline * max(self._policy.slow, min(math.exp(_NOISE * noise), _NOISE_MOST)):
            return True
        level = self._changes.segments[-1].level
        # A slow time is over when the newest windows are clearly nearer to the baseline, before a change is found.
        return level >= _LASTING * baseline and step_time > math.sqrt(level * baseline) * math.exp(-noise)


def _alike(one: Segment, other: Segment) -> bool:
    """Whether the job had about as many nodes in both."""
    return abs(one.nodes - other.nodes) <= _RESIZE * max(one.nodes, other.nodes)
