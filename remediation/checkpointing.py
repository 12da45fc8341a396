"""Asking a job for a checkpoint before it is restarted, and seeing that every rank wrote it.

All ranks must see the request before they come to its step, else they would write at different steps and wait for
each other for ever. So the step lies beyond what the fastest rank can reach until the file is there; and a request
that may stand is never replaced by another until every rank is past it.
"""

import math
from dataclasses import replace

from detectors.verdict import identify
from remediation.draft import Draft
from remediation.economy import whole
from remediation.events import Progress
from remediation.incidents import Deed
from remediation.ledger import Act, Checkpointed, Result
from remediation.policy import Policy
from remediation.scene import Case, Scene
from remediation.wanting import want

EXPIRES = 10.0
"""Seconds within which the request must be written: steps go on, and its step comes nearer."""
_PATIENCE = 60.0
"""Seconds waited for telemetry to tell how far the job is."""
_FASTER = 1.5
"""Steps may become shorter than they were told to be."""


def ready(draft: Draft, restart: Case) -> bool:
    """Whether the restart need not wait (any more) for a checkpoint: it came, will not come, or is not needed."""
    scene, incident, job = draft.scene, restart.incident, restart.job
    if job is None or scene.severe(incident) or not scene.policy.checkpoint.path:
        return True
    if (incident.id, job.restarts) in scene.durable.checkpointed:
        return True
    progress = whole(scene, job)
    asked = _asked(scene, restart, progress)
    if asked and asked[-1].result is None:
        return False
    return _standing(draft, restart, asked, progress) if asked else _ask(draft, restart, progress)


def beyond(progress: Progress, policy: Policy, now: float) -> int | None:
    """The first step that no rank reaches before all can have seen a request made now; None: not known."""
    if progress.step_time is None or not progress.step_time > 0 or not progress.steps:
        return None
    seconds = max(now - progress.time, 0.0) + EXPIRES + policy.checkpoint.margin
    ahead = math.ceil(_FASTER * seconds / progress.step_time)
    return max(progress.steps.values()) + max(ahead, policy.checkpoint.steps)


def _asked(scene: Scene, restart: Case, progress: Progress | None) -> list[Deed]:
    """Requests that this restart goes by, oldest first: its own, or one that still stands, whoever made it."""
    number = restart.job.restarts if restart.job is not None else None
    made = [deed for deeds in scene.durable.deeds.values() for deed in deeds if _may_stand(deed, restart.subject)]
    made.sort(key=lambda deed: (deed.intent.time, deed.intent.id))
    own = [deed for deed in made if deed.intent.restarts == number and _since(deed, restart)]
    if own or not made or progress is None:
        return own
    return [] if min(progress.steps.values()) > (made[-1].intent.at_step or 0) else made[-1:]


def _may_stand(deed: Deed, job: str) -> bool:
    return (deed.intent.act, deed.intent.subject) == (Act.CHECKPOINT, job) and deed.result is not Result.FAILED


def _since(deed: Deed, restart: Case) -> bool:
    return deed.intent.incident == restart.incident.id or deed.intent.time >= restart.incident.opened


def _standing(draft: Draft, restart: Case, asked: list[Deed], progress: Progress | None) -> bool:
    at_step = asked[-1].intent.at_step or 0
    if progress is not None and all(progress.checkpoints.get(rank, -1) >= at_step for rank in progress.steps):
        return _conclude(draft, restart, at_step, f"every rank of {len(progress.steps)} wrote step {at_step}")
    waited = draft.now - max(asked[0].intent.time, restart.incident.opened)
    if not -_PATIENCE <= waited <= draft.policy.checkpoint.within:
        return _conclude(draft, restart, at_step, f"step {at_step} was not written by every rank", complete=False)
    if asked[-1].result is Result.DONE or progress is None:
        return False
    # It may have been written or not. The same request again harms nobody while no rank can be there yet.
    first = beyond(progress, draft.policy, draft.now)
    if first is not None and at_step >= first:
        return _request(draft, restart, at_step)
    past = min(progress.steps.values()) > at_step
    return _ask(draft, restart, progress) if past else False


def _ask(draft: Draft, restart: Case, progress: Progress | None) -> bool:
    at_step = None if progress is None else beyond(progress, draft.policy, draft.now)
    if at_step is not None:
        return _request(draft, restart, at_step)
    if 0 <= draft.now - restart.incident.moved < _PATIENCE:
        return False
    return _conclude(draft, restart, None, "telemetry does not tell how far every rank is", complete=False)


def _request(draft: Draft, restart: Case, at_step: int) -> bool:
    case = replace(restart, act=Act.CHECKPOINT, ordered=None)
    answer = want(draft, case, f"write a checkpoint at step {at_step}", at_step=at_step, expires=EXPIRES)
    waited = draft.now - restart.incident.moved
    if answer in ("begun", "under way") or 0 <= waited < draft.policy.checkpoint.within:
        # A proposal is waited for as long as a checkpoint would be.
        return False
    return _conclude(draft, restart, None, f"asking for one is {answer}", complete=False)


def _conclude(draft: Draft, restart: Case, at_step: int | None, reason: str, *, complete: bool = True) -> bool:
    number = restart.job.restarts if restart.job is not None else 0
    draft.write(
        Checkpointed(
            **draft.common,
            id=identify("checkpointed", restart.incident.id, restart.subject, number),
            incident=restart.incident.id,
            job=restart.subject,
            restarts=number,
            at_step=at_step,
            complete=complete,
            reason=reason,
        )
    )
    return True
