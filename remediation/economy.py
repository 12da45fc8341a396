"""What a restart saves and costs, in seconds of the whole job.

`saved = remaining * slowdown * (1 - chance_wrong) - restart_cost - lost_work`; it is worth it above zero.
"""

from dataclasses import dataclass

from remediation.events import Progress
from remediation.incidents import Incident
from remediation.scene import Scene
from remediation.views import JobView


@dataclass(frozen=True, slots=True)
class Sum:
    """The inputs and the sum, as `remediation.ledger.Weighed` keeps them."""

    remaining: float
    slowdown: float
    chance_wrong: float
    restart_cost: float
    lost_work: float

    @property
    def saved(self) -> float:
        """Seconds of the job that the restart saves, all costs taken off."""
        return self.remaining * self.slowdown * (1 - self.chance_wrong) - self.restart_cost - self.lost_work


def weigh(scene: Scene, incident: Incident, job: JobView) -> Sum:
    """Weigh the restart of `job` without the incident's node."""
    given = scene.policy.economy
    verdict = scene.accusation(incident)
    slowdown = verdict.slowdown if verdict is not None else incident.slowdown
    remaining = given.remaining if job.ends is None else max(job.ends - scene.now, 0.0)
    writes = will_ask(scene, incident, job)
    lost = None if writes else lost_work(scene, job)
    return Sum(
        remaining=remaining,
        # A job that hangs, or whose node is broken, makes no steps that are worth anything.
        slowdown=1.0 if scene.severe(incident) else slowdown or 0.0,
        chance_wrong=1 - verdict.confidence if verdict is not None else 1.0,
        restart_cost=given.restart + (given.checkpoint if writes else 0.0),
        lost_work=0.0 if writes else given.lost_work if lost is None else lost,
    )


def will_ask(scene: Scene, incident: Incident, job: JobView) -> bool:
    """Whether a checkpoint is asked for before the restart, or was and came."""
    done = scene.durable.checkpointed.get((incident.id, job.restarts))
    if done is not None:
        return False
    return bool(scene.policy.checkpoint.path) and not scene.severe(incident)


def whole(scene: Scene, job: JobView) -> Progress | None:
    """How far the job is, if all of its nodes have told, and lately."""
    progress = scene.picture.progress.get(job.name)
    if progress is None or not job.nodes <= progress.nodes or not progress.steps:
        return None
    return progress if scene.now - progress.time <= scene.policy.verdict_age else None


def lost_work(scene: Scene, job: JobView) -> float | None:
    """Seconds of work since the newest checkpoint that every rank wrote; None: not known."""
    progress = whole(scene, job)
    if progress is None or progress.step_time is None:
        return None
    if any(rank not in progress.checkpoints for rank in progress.steps):
        return None
    saved = min(progress.checkpoints[rank] for rank in progress.steps)
    return max(max(progress.steps.values()) - saved, 0) * progress.step_time
