"""From a wish to an intent: past the rails, and as its mode says."""

from typing import Literal

from detectors.verdict import identify
from remediation.draft import Draft
from remediation.fold import request_of
from remediation.ledger import Act, Applied, Intent, Proposed
from remediation.policy import Mode
from remediation.rails import refusal
from remediation.scene import Case, Scene

Answer = Literal["begun", "under way", "refused", "proposed"]


def mode_of(scene: Scene, act: Act) -> Mode:
    """The mode of an act."""
    modes = scene.policy.modes
    by_act: dict[Act, Mode] = {
        Act.CORDON: modes.cordon,
        Act.CHECKPOINT: modes.checkpoint,
        Act.RESTART: modes.restart,
        Act.REPAIR: modes.repair,
        Act.RELEASE: modes.release,
    }
    return by_act[act]


def approval(scene: Scene, case: Case) -> Applied | None:
    """The operator's word that stands behind the act: an order, or an approval that has not expired."""
    if case.ordered is not None:
        return case.ordered
    if mode_of(scene, case.act) is not Mode.APPROVE:
        return None
    given = scene.durable.approved.get(request_of(case.act, case.incident.id, case.subject, restarts(case)))
    if given is None or given.expires is None:
        return None
    # An approval from the future was given before the clock was set back; how long ago cannot be told.
    return given if given.time - 60 <= scene.now <= given.expires else None


def permitted(scene: Scene, case: Case) -> bool:
    """Whether mode or person let guard do it."""
    return mode_of(scene, case.act) is Mode.AUTO or approval(scene, case) is not None


def restarts(case: Case) -> int | None:
    """Of the job, when the case is about one."""
    about_job = case.act in (Act.RESTART, Act.CHECKPOINT)
    return case.job.restarts if about_job and case.job is not None else None


def want(
    draft: Draft, case: Case, reason: str, *, at_step: int | None = None, expires: float | None = None
) -> Answer:
    """Begin the act, propose it, or write down which rail forbids it."""
    scene = draft.scene
    if scene.durable.alive_for(case.subject) or not _due_again(scene, case):
        return "under way"
    ruling = refusal(scene, case)
    if ruling is not None:
        draft.deny(case, ruling)
        return "refused"
    if not case.finishes and not permitted(scene, case):
        _propose(draft, case, reason)
        return "proposed"
    given = approval(scene, case)
    draft.write(
        Intent(
            **draft.common,
            id=intent_id(scene, case, at_step),
            incident=case.incident.id,
            act=case.act,
            subject=case.subject,
            identity=case.node.identity if case.node is not None else "",
            restarts=restarts(case),
            at_step=at_step,
            attempt=_attempt(scene, case),
            expires=draft.now + (draft.policy.lead.expires if expires is None else expires),
            deadline=draft.policy.lead.deadline,
            approved_by=given.by if given is not None else None,
            reason=reason[:500],
        )
    )
    return "begun"


def intent_id(scene: Scene, case: Case, at_step: int | None = None) -> str:
    """A hash of what the act is: the same decision, made twice, is one."""
    identity = case.node.identity if case.node is not None else ""
    parts = (case.incident.id, case.act, case.subject, identity, restarts(case), at_step, _attempt(scene, case))
    return identify(*parts)


def _attempt(scene: Scene, case: Case) -> int:
    return 1 + len(scene.durable.tried(case.incident.id, case.act, case.subject))


def _due_again(scene: Scene, case: Case) -> bool:
    tried = scene.durable.tried(case.incident.id, case.act, case.subject)
    if not tried or tried[-1].ended is None:
        return True
    # A job that stands still does not wait for the tries before it was stopped.
    before = min(scene.policy.attempts.act, len(tried) - 1) if case.finishes else 0
    wait = scene.policy.attempts.again * 2.0 ** min(len(tried) - 1 - before, 8)
    return scene.now - tried[-1].ended >= wait


def _propose(draft: Draft, case: Case, reason: str) -> None:
    scene = draft.scene
    mode = mode_of(scene, case.act)
    request = request_of(case.act, case.incident.id, case.subject, restarts(case))
    name = intent_id(scene, case)
    standing = scene.durable.proposed.get(name)
    if request in scene.durable.rejected or (standing is not None and standing.mode == mode):
        return
    draft.write(
        Proposed(
            **draft.common,
            id=identify("proposed", name, mode),
            incident=case.incident.id,
            act=case.act,
            subject=case.subject,
            intent=name,
            reason=reason[:500],
            mode=mode,
            restarts=restarts(case),
        )
    )
    if mode is not Mode.OBSERVE:
        ask = "approve" if mode is Mode.APPROVE else "do"
        text = f"please {ask}: {case.act} {case.subject} ({name}): {reason}"
        draft.alert("proposed", "warning", text, incident=case.incident.id, key=name)
