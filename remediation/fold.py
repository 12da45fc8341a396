"""The fold over the ledger: `fold(durable, record, offset)`.

A record counts once, by its id. What a leader decides counts only under its own epoch; what is a fact (an outcome,
an order taken, the breaker, an alert) counts whoever wrote it down.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from remediation.incidents import Deed, Denial, Durable, Incident, Request
from remediation.ledger import (
    Act,
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
    Result,
    Verified,
    Weighed,
)
from remediation.orders import Command
from remediation.states import TRANSITIONS, NodeState
from remediation.table import added, dropped, kept, newest

KEPT = 2000
"""Closed incidents, alerts and orders remembered: the newest."""
DAY = 86400.0
DEEDS_KEPT = 100
"""Acts remembered of one incident; rails end it long before."""

CLOSING = frozenset({NodeState.HEALTHY, NodeState.GONE})
CLEARED = frozenset({"blind", "halted", "leftover"})
"""Alerts whose end is seen and written down; others end with their incident, or by an order."""


def fold(durable: Durable, record: Record, offset: int | None = None) -> Durable:
    """The state after `record`, which stands at `offset` in the ledger. What does not count changes nothing."""
    step = _STEPS[type(record)]
    if type(record) not in _FACTS and record.epoch != durable.epoch:
        return durable
    return step(durable, record, offset)


def request_of(act: Act, incident: str | None, subject: str, restarts: int | None) -> Request:
    """What an approval is for. A new try of the same is covered by it, another restart is not."""
    return (incident or "", act, subject, restarts)


def _lead(durable: Durable, record: Leader, offset: int | None) -> Durable:
    newer = offset is not None and (durable.epoch is None or offset > durable.epoch)
    return replace(durable, epoch=offset, leader=record) if newer else durable


def _open(durable: Durable, record: Opened, _: int | None) -> Durable:
    name = record.incident
    if name is None or name in durable.incidents or name in durable.closed or record.node in durable.by_node:
        return durable
    incident = Incident(
        name, record.node, record.instance, record.identity, record.job, record.cause, record.severity,
        record.slowdown, record.time, NodeState.HEALTHY, record.time,
    )  # fmt: skip
    return replace(
        durable,
        incidents=added(durable.incidents, name, incident),
        by_node=added(durable.by_node, record.node, name),
    )


def _move(durable: Durable, record: Moved, _: int | None) -> Durable:
    incident = durable.incidents.get(record.incident or "")
    if incident is None or incident.state is not record.before or record.after not in TRANSITIONS[record.before]:
        return durable
    moved = replace(
        incident,
        state=record.after,
        moved=record.time,
        moves=incident.moves + 1,
        stamped=incident.stamped or record.after is NodeState.CORDONED,
    )
    if record.after in CLOSING:
        return _close(durable, moved)
    return replace(durable, incidents=added(durable.incidents, incident.id, moved))


def _close(durable: Durable, incident: Incident) -> Durable:
    name = incident.id
    closed = newest(added(durable.closed, name, incident), KEPT)
    return replace(
        durable,
        incidents=dropped(durable.incidents, name),
        by_node=dropped(durable.by_node, incident.node),
        closed=closed,
        # What was done is remembered as long as the incident: a cordon that took late is still ours to undo.
        deeds=kept(durable.deeds, lambda key: key in closed or key in durable.incidents),
        denied=kept(durable.denied, lambda key: key[1] != incident.node),
        proposed=kept(durable.proposed, lambda key: durable.proposed[key].incident != name),
        approved=kept(durable.approved, lambda key: key[0] != name),
        rejected=kept(durable.rejected, lambda key: key[0] != name),
        weighed=dropped(durable.weighed, name),
        checkpointed=kept(durable.checkpointed, lambda key: key[0] != name),
        verified=kept(durable.verified, lambda key: key[0] != name),
    )


def _intend(durable: Durable, record: Intent, _: int | None) -> Durable:
    name = record.incident or ""
    incident = durable.incidents.get(name) or durable.closed.get(name)
    deeds = durable.deeds.get(name, ())
    if incident is None or any(deed.intent.id == record.id for deed in deeds) or durable.alive_for(record.subject):
        return durable
    deed = Deed(record, incident.node)
    changed = replace(
        durable,
        alive=added(durable.alive, record.id, record),
        deeds=added(durable.deeds, name, (*deeds, deed)[-DEEDS_KEPT:]),
        recent=(*(old for old in durable.recent if abs(record.time - old.intent.time) < DAY), deed)[-KEPT:],
        denied=dropped(durable.denied, (record.act, record.subject)),
    )
    if record.act is Act.RESTART and record.restarts is not None:
        key = (record.subject, record.restarts)
        return replace(changed, verifying=added(changed.verifying, key, record))
    return changed


def _end(durable: Durable, record: Outcome, _: int | None) -> Durable:
    intent = durable.alive.get(record.intent)
    if intent is None:
        return durable
    name = intent.incident or ""
    deeds = tuple(
        replace(deed, result=record.result, ended=record.time) if deed.intent.id == intent.id else deed
        for deed in durable.deeds.get(name, ())
    )
    return replace(durable, alive=dropped(durable.alive, intent.id), deeds=added(durable.deeds, name, deeds))


def _deny(durable: Durable, record: Denied, _: int | None) -> Durable:
    key = (record.act, record.subject)
    before = durable.denied.get(key)
    if before is not None and before.rail == record.rail:
        return durable
    denial = Denial(record.rail, record.time, before.number + 1 if before else 1)
    return replace(durable, denied=added(durable.denied, key, denial))


def _propose(durable: Durable, record: Proposed, _: int | None) -> Durable:
    if record.incident not in durable.incidents and record.incident not in durable.closed:
        return durable
    return replace(durable, proposed=added(durable.proposed, record.intent, record))


def _weigh(durable: Durable, record: Weighed, _: int | None) -> Durable:
    if record.incident is None or record.incident not in durable.incidents:
        return durable
    return replace(durable, weighed=added(durable.weighed, record.incident, record))


def _checkpoint(durable: Durable, record: Checkpointed, _: int | None) -> Durable:
    if record.incident is None or record.incident not in durable.incidents:
        return durable
    key = (record.incident, record.restarts)
    return replace(durable, checkpointed=added(durable.checkpointed, key, record))


def _verify(durable: Durable, record: Verified, _: int | None) -> Durable:
    key = (record.job, record.restarts)
    changed = replace(durable, verifying=dropped(durable.verifying, key))
    if record.incident is None or record.incident not in durable.incidents:
        return changed
    return replace(changed, verified=added(durable.verified, (record.incident, record.restarts), record))


def _alert(durable: Durable, record: Alert, _: int | None) -> Durable:
    if record.id in durable.alerts:
        return durable
    alerted = replace(durable, alerts=newest(added(durable.alerts, record.id, record.time), KEPT))
    if record.about not in CLEARED:
        return alerted
    return replace(alerted, standing=newest(added(durable.standing, record.id, record), KEPT))


def _clear(durable: Durable, record: Cleared, _: int | None) -> Durable:
    return replace(
        durable,
        alerts=dropped(durable.alerts, record.alert),
        standing=dropped(durable.standing, record.alert),
    )


def _break(durable: Durable, record: Breaker, _: int | None) -> Durable:
    if durable.breaker is not None and durable.breaker.id == record.id:
        return durable
    return replace(durable, breaker=record, breakers=durable.breakers + 1)


def _apply(durable: Durable, record: Applied, _: int | None) -> Durable:
    if record.order in durable.applied:
        return durable
    changed = replace(durable, applied=newest(added(durable.applied, record.order, record), KEPT))
    if record.accepted and record.what in (Command.PAUSE, Command.RESUME):
        return replace(changed, paused=record if record.what == Command.PAUSE else None)
    if record.accepted and record.what in (Command.APPROVE, Command.REJECT):
        return _answer(changed, record)
    incident = changed.incidents.get(record.incident or "")
    if incident is None or not record.accepted:
        return changed
    ordered = replace(incident, ordered=record)
    return replace(changed, incidents=added(changed.incidents, incident.id, ordered))


def _answer(durable: Durable, record: Applied) -> Durable:
    proposed = durable.proposed.get(record.subject)
    if proposed is None:
        return durable
    request = request_of(proposed.act, proposed.incident, proposed.subject, proposed.restarts)
    if record.what == Command.APPROVE:
        return replace(
            durable,
            approved=added(durable.approved, request, record),
            rejected=dropped(durable.rejected, request),
        )
    return replace(
        durable, rejected=added(durable.rejected, request, record), approved=dropped(durable.approved, request)
    )


def harmless(result: Result | None) -> bool:
    """Whether a try that ended so does not count against the limit of tries: another leader took over."""
    return result is Result.SUPERSEDED


_STEPS: dict[type[Record], Callable[[Durable, Any, int | None], Durable]] = {
    Leader: _lead,
    Opened: _open,
    Moved: _move,
    Intent: _intend,
    Outcome: _end,
    Denied: _deny,
    Proposed: _propose,
    Weighed: _weigh,
    Checkpointed: _checkpoint,
    Verified: _verify,
    Alert: _alert,
    Cleared: _clear,
    Breaker: _break,
    Applied: _apply,
}
_FACTS = frozenset({Leader, Outcome, Alert, Cleared, Breaker, Applied})
