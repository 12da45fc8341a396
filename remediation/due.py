"""What the shell asks: which acts are to be performed now, which jobs to follow, and what a new leader finds."""

from detectors.verdict import identify
from remediation.incidents import Incident
from remediation.ledger import Act, Intent, Outcome, Record, Result
from remediation.orders import Command
from remediation.state import State
from remediation.states import NodeState

_WHILE = {
    Act.CORDON: frozenset({NodeState.CONFIRMED}),
    Act.CHECKPOINT: frozenset({NodeState.CONFIRMED, NodeState.DRAINING}),
    Act.RESTART: frozenset({NodeState.DRAINING}),
    Act.REPAIR: frozenset({NodeState.DRAINING, NodeState.HELD}),
}
_SET_BACK = 60.0


def due(state: State, epoch: int, now: float) -> tuple[Intent, ...]:
    """Intents read back under `epoch` that are to be performed now, the oldest first; begin each once."""
    if state.durable.epoch != epoch:
        return ()
    intents = [intent for intent in state.durable.alive.values() if _is_due(state, intent, epoch, now)]
    return tuple(sorted(intents, key=lambda intent: (intent.time, intent.id)))


def jobs_followed(state: State) -> frozenset[str]:
    """Jobs whose telemetry is needed: of nodes that are accused and not yet drained, and restarted ones."""
    watched = frozenset({NodeState.SUSPECT, NodeState.CONFIRMED, NodeState.CORDONED, NodeState.DRAINING})
    jobs = {i.job for i in state.durable.incidents.values() if i.job is not None and i.state in watched}
    return frozenset(jobs | {job for job, _ in state.durable.verifying})


def taking_over(state: State, epoch: int, now: float) -> tuple[Record, ...]:
    """How the acts of older leaders ended, as the world shows it; to be asked after the first look at it."""
    left = [intent for intent in state.durable.alive.values() if intent.epoch != epoch]
    return tuple(_outcome(state, intent, epoch, now) for intent in sorted(left, key=lambda i: (i.time, i.id)))


def _is_due(state: State, intent: Intent, epoch: int, now: float) -> bool:
    durable = state.durable
    if intent.epoch != epoch or not intent.time - _SET_BACK <= now <= intent.expires:
        return False
    if intent.act is Act.RELEASE or _finishes(state, intent):
        return True
    incident = durable.incidents.get(intent.incident or "")
    if incident is None or incident.state not in _WHILE[intent.act]:
        return False
    return _ordered(incident, intent) or not (durable.tripped or durable.pause(now))


def _finishes(state: State, intent: Intent) -> bool:
    look = state.picture.look
    job = look.view.jobs.get(intent.subject) if look is not None and intent.act is Act.RESTART else None
    return job is not None and job.halted


def _ordered(incident: Incident, intent: Intent) -> bool:
    ordered = incident.ordered
    return ordered is not None and ordered.what == Command.CORDON and intent.act is Act.CORDON


def _outcome(state: State, intent: Intent, epoch: int, now: float) -> Outcome:
    result, detail = _seen(state, intent)
    return Outcome(
        id=identify("outcome", intent.id, result),
        cluster=state.cluster,
        time=now,
        incident=intent.incident,
        epoch=epoch,
        intent=intent.id,
        result=result,
        detail=f"taken over from an older leader: {detail}",
    )


def _seen(state: State, intent: Intent) -> tuple[Result, str]:
    look = state.picture.look
    if look is None or look.doubtful is not None:
        return Result.UNKNOWN, "the cluster is not seen"
    node, job = look.view.nodes.get(intent.subject), look.view.jobs.get(intent.subject)
    done: bool | None = None
    if intent.act is Act.CORDON:
        done = node is not None and node.cordoned and node.incident == intent.incident
    elif intent.act is Act.RELEASE:
        done = node is None or node.incident != intent.incident
    elif intent.act is Act.RESTART and job is not None:
        done = job.restarts > (intent.restarts or 0)
    elif intent.act is Act.REPAIR and node is not None and node.identity != intent.identity:
        done = True
    if done is None:
        # A checkpoint's request leaves nothing to be seen here, and a repair may have been asked for all the same.
        return Result.UNKNOWN, "what became of it cannot be seen"
    return (Result.DONE, "its effect is seen") if done else (Result.SUPERSEDED, "its effect is not seen")
