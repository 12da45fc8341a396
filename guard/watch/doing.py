"""What guard does about a node, in a few words, and what stops it from doing anything."""

from detectors.plain import ago, plain
from guard.remediate.words import told
from remediation.incidents import Durable, Incident


def doing(durable: Durable, node: str) -> str:
    """Where the incident of a node stands; empty where guard has none."""
    incident = durable.of_node(node)
    if incident is None:
        return ""
    return f"{incident.state.value}{_next(durable, incident)}"


def _next(durable: Durable, incident: Incident) -> str:
    alive = [intent for intent in durable.alive.values() if intent.incident == incident.id]
    if alive:
        return f", {alive[-1].act} runs"
    waiting = [one for one in durable.proposed.values() if one.incident == incident.id and one.mode == "approve"]
    if waiting:
        return f", waits for guard approve {plain(waiting[-1].intent)}"
    for (act, of), denial in durable.denied.items():
        if of in (incident.node, incident.job):
            return f", {act} denied by {plain(denial.rail)}"
    return ""


def standing(durable: Durable, now: float) -> tuple[str, bool]:
    """Who leads, and what stops guard; whether a person should look."""
    parts, bad = [], False
    if durable.leader is None:
        parts.append("no remediator has led yet")
    else:
        parts.append(f"{plain(durable.leader.process)} leads since {ago(durable.leader.time, now)}")
    count = len(durable.incidents)
    parts.append("1 open incident" if count == 1 else f"{count} open incidents")
    pause = durable.pause(now)
    if pause is not None:
        parts.append(f"PAUSED by {plain(pause.by)} {ago(pause.time, now)}")
        bad = True
    if durable.breaker is not None and durable.breaker.tripped:
        parts.append(f"storm breaker {told(durable.breaker)}")
        bad = True
    return ", ".join(parts), bad
