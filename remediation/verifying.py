"""A restart is seen through: the job runs elsewhere, from the right step, and is faster. Else a person hears."""

from dataclasses import dataclass

from detectors.verdict import JobStatus, identify
from remediation.draft import Draft
from remediation.events import Progress
from remediation.incidents import Incident
from remediation.ledger import Intent, Verified
from remediation.views import JobState, JobView


@dataclass(frozen=True, slots=True)
class _Seen:
    running: bool
    resumed: int | None
    right_step: bool | None
    faster: bool | None


_NOTHING = _Seen(running=False, resumed=None, right_step=None, faster=None)


def verify(draft: Draft) -> None:
    """Conclude those restarts of which enough is seen, and those that took too long."""
    look = draft.scene.look
    if look is None:
        return
    for key in sorted(draft.durable.verifying):
        intent = draft.durable.verifying[key]
        job = look.view.jobs.get(intent.subject)
        if job is None or job.state is JobState.ENDED:
            _conclude(draft, intent, _NOTHING, "the job has ended", fine=False)
        elif any(name == key[0] and restarts > key[1] for name, restarts in draft.durable.verifying):
            _conclude(draft, intent, _NOTHING, "the job was restarted once more", fine=False)
        elif job.restarts <= (intent.restarts or 0):
            _not_yet(draft, intent, job)
        else:
            _follow(draft, intent, _see(draft, intent, job))


def _not_yet(draft: Draft, intent: Intent, job: JobView) -> None:
    # As long as its incident is open, the restart is tried again, and rails and tries say how often. One that was
    # cut off is ended whatever became of the incident.
    if job.halted or intent.id in draft.durable.alive or intent.incident in draft.durable.incidents:
        return
    _conclude(draft, intent, _NOTHING, "the incident was closed before the restart took", fine=False)


def _follow(draft: Draft, intent: Intent, seen: _Seen) -> None:
    if seen.running and seen.right_step and seen.faster:
        _conclude(draft, intent, seen, "runs again, and is faster", fine=True)
    elif not 0 <= draft.now - intent.time <= draft.policy.verify and intent.id not in draft.durable.alive:
        reason = f"within {draft.policy.verify:g} s: {_missing(seen)}"
        _conclude(draft, intent, seen, reason, fine=False)
        text = f"job {intent.subject} was restarted; {reason}"
        draft.alert("unverified", "warning", text, incident=intent.incident, key=intent.id)


def _missing(seen: _Seen) -> str:
    if not seen.running:
        return "it does not run again without the node"
    if seen.right_step is None:
        return "telemetry does not tell from which step it went on"
    if not seen.right_step:
        return f"it went on from step {seen.resumed}, before its checkpoint"
    return "it is not faster" if seen.faster is False else "whether it is faster cannot be told"


def _see(draft: Draft, intent: Intent, job: JobView) -> _Seen:
    incident = _incident(draft, intent)
    node = incident.node if incident else ""
    running = job.state is JobState.RUNNING and node not in job.nodes
    progress = draft.picture.progress.get(job.name)
    # Records of the attempt before do not count: they are older, or come from the node that is out.
    if not running or progress is None or progress.time <= intent.time or not job.nodes <= progress.nodes:
        return _Seen(running, None, None, None)
    if node in progress.nodes:
        return _Seen(running, None, None, None)
    resumed = min(progress.resumed.values()) if progress.resumed else None
    asked = draft.durable.checkpointed.get((intent.incident or "", intent.restarts or 0))
    wanted = asked.at_step if asked is not None and asked.complete else None
    right = None if resumed is None else wanted is None or resumed >= wanted
    return _Seen(running, resumed, right, _faster(draft, intent, incident, progress))


def _faster(draft: Draft, intent: Intent, incident: Incident | None, progress: Progress) -> bool | None:
    job = draft.picture.jobs.get(intent.subject)
    if job is not None and job.status is JobStatus.NORMAL and job.since > intent.time:
        return True
    if progress.step_time is None:
        return None
    weighed = draft.durable.weighed.get(intent.incident or "")
    slowdown = weighed.slowdown if weighed is not None else None
    if slowdown is None or slowdown >= 1 or weighed is None or weighed.step_time is None:
        # It hung, or nobody knows how fast it was: that steps are made is what can be seen.
        stood_still = incident is None or slowdown is None or slowdown >= 1
        return True if stood_still and _steps_made(progress) else None
    return progress.step_time <= weighed.step_time * (1 - slowdown / 2)


def _steps_made(progress: Progress) -> bool:
    resumed = max(progress.resumed.values(), default=-1)
    return bool(progress.steps) and min(progress.steps.values()) > resumed


def _incident(draft: Draft, intent: Intent) -> Incident | None:
    name = intent.incident or ""
    return draft.durable.incidents.get(name) or draft.durable.closed.get(name)


def _conclude(draft: Draft, intent: Intent, seen: _Seen, reason: str, *, fine: bool) -> None:
    draft.write(
        Verified(
            **draft.common,
            id=identify("verified", intent.id),
            incident=intent.incident,
            job=intent.subject,
            restarts=intent.restarts or 0,
            running=seen.running,
            resumed=seen.resumed,
            faster=seen.faster,
            fine=fine,
            reason=reason,
        )
    )
