"""A record of the ledger in a few words for people; nothing in it steers a terminal."""

from collections.abc import Callable
from typing import Any

from detectors.plain import harmless, lasting, plain
from remediation.ledger import (
    Alert,
    Applied,
    Breaker,
    Checkpointed,
    Cleared,
    Denied,
    Intent,
    Leader,
    Moved,
    Opened,
    Outcome,
    Proposed,
    Record,
    Verified,
    Weighed,
)


def kind(record: Record) -> str:
    """What kind of record it is."""
    return str(type(record).__struct_config__.tag)


def subject(record: Record) -> str:
    """The node or the job that it names, as it stands in the record; empty where it names none."""
    for name in ("node", "job", "subject"):
        if isinstance(named := getattr(record, name, None), str):
            return named
    return ""


def told(record: Record) -> str:
    """What it says."""
    return _TOLD[type(record)](record)


def _because(reason: str) -> str:
    return f": {harmless(reason)}" if reason else ""


def _leader(record: Leader) -> str:
    return f"{plain(record.process)} leads"


def _opened(record: Opened) -> str:
    job = f" in job {plain(record.job)}" if record.job else ""
    return f"{plain(record.cause)}, {plain(record.severity)}{job}, instance {plain(record.instance)}"


def _moved(record: Moved) -> str:
    return f"{record.before} -> {record.after}{_because(record.reason)}"


def _intent(record: Intent) -> str:
    again = "" if record.attempt == 1 else f", attempt {record.attempt}"
    approved = f", approved by {plain(record.approved_by)}" if record.approved_by else ""
    return f"{record.act}{again}{approved}{_because(record.reason)}"


def _outcome(record: Outcome) -> str:
    return f"{record.result}{_because(record.detail)}"


def _denied(record: Denied) -> str:
    return f"{record.act} denied by {plain(record.rail)}{_because(record.reason)}"


def _proposed(record: Proposed) -> str:
    if record.mode == "approve":
        return f"waits for guard approve {plain(record.intent)}: {record.act}{_because(record.reason)}"
    return f"would {record.act}, were its mode not {plain(record.mode)}{_because(record.reason)}"


def _weighed(record: Weighed) -> str:
    answer = "worth a restart" if record.worth else "not worth a restart"
    return (
        f"{answer}: saves {lasting(record.saved)} of {lasting(record.remaining)} at a slowdown of"
        f" {record.slowdown:.3g}, a restart costs {lasting(record.restart_cost)}"
        f" and {lasting(record.lost_work)} of work"
    )


def _checkpointed(record: Checkpointed) -> str:
    return ("complete" if record.complete else "no longer waited for") + _because(record.reason)


def _verified(record: Verified) -> str:
    parts = ["runs again" if record.running else "does not run"]
    parts += [] if record.resumed is None else [f"from step {record.resumed}"]
    parts += [] if record.faster is None else ["faster" if record.faster else "not faster"]
    return ", ".join(parts) + _because(record.reason)


def _alert(record: Alert) -> str:
    return f"{plain(record.about)}, {plain(record.severity)}{_because(record.text)}"


def _cleared(record: Cleared) -> str:
    return f"over{_because(record.reason)}"


def _breaker(record: Breaker) -> str:
    return ("tripped" if record.tripped else f"reset by {plain(record.by or '-')}") + _because(record.reason)


def _applied(record: Applied) -> str:
    answer = "taken" if record.accepted else "refused"
    return f"{plain(record.what)} of {plain(record.by)} {answer}{_because(record.reason)}"


_TOLD: dict[type[Record], Callable[[Any], str]] = {
    Leader: _leader,
    Opened: _opened,
    Moved: _moved,
    Intent: _intent,
    Outcome: _outcome,
    Denied: _denied,
    Proposed: _proposed,
    Weighed: _weighed,
    Checkpointed: _checkpointed,
    Verified: _verified,
    Alert: _alert,
    Cleared: _cleared,
    Breaker: _breaker,
    Applied: _applied,
}
