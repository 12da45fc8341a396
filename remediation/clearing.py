"""Alerts that are over are said to be: nobody is left to look for what is no longer there."""

from detectors.verdict import identify
from remediation.draft import Draft
from remediation.ledger import Alert, Cleared


def clear(draft: Draft) -> None:
    """Write down which standing alerts a look at the cluster shows to be over. Without a look, none is."""
    if draft.scene.look is None:
        return
    for name, alert in sorted(draft.durable.standing.items()):
        reason = _over(draft, alert)
        if reason is not None and not draft.full:
            draft.write(
                Cleared(
                    **draft.common,
                    id=identify("cleared", name, alert.time),
                    incident=alert.incident,
                    alert=name,
                    reason=reason,
                )
            )


def _over(draft: Draft, alert: Alert) -> str | None:
    look = draft.scene.look
    if look is None or look.time <= alert.time:
        return None
    if alert.about == "blind":
        return "the cluster is seen again"
    if alert.about == "halted":
        job = look.view.jobs.get(alert.subject)
        gone = "the job is no longer there" if job is None else "the job is started again"
        return gone if job is None or not job.halted else None
    if look.stamped.get(alert.subject) == alert.incident:
        return None
    return "the node no longer carries that cordon"
