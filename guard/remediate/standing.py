"""How things stand by the ledger, in figures for Prometheus. Pure."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from remediation.fold import request_of
from remediation.incidents import Durable
from remediation.ledger import Proposed
from remediation.policy import Mode
from remediation.states import NodeState


@dataclass(frozen=True, slots=True)
class Standing:
    """Figures of one moment; times in Unix seconds, None where there is none.

    Attributes:
        nodes: with an open incident, by state.
        in_flight: intents without an outcome.
        tripped: whether the storm breaker stops new harm.
        paused: since when guard is paused.
        waiting: proposals that an approval would let go on.
        oldest_proposal: when the oldest of them was made.
        oldest_held: since when the node is held that has been held longest.
    """

    nodes: Counter[NodeState]
    in_flight: int
    tripped: bool
    paused: float | None
    waiting: int
    oldest_proposal: float | None
    oldest_held: float | None


def standing(durable: Durable, now: float) -> Standing:
    """The figures at ``now``, Unix seconds."""
    proposals = [proposed.time for proposed in _waiting(durable, now)]
    pause = durable.pause(now)
    incidents = durable.incidents.values()
    return Standing(
        nodes=Counter(incident.state for incident in incidents),
        in_flight=len(durable.alive),
        tripped=durable.tripped,
        paused=None if pause is None else pause.time,
        waiting=len(proposals),
        oldest_proposal=min(proposals, default=None),
        oldest_held=min((one.moved for one in incidents if one.state is NodeState.HELD), default=None),
    )


def _waiting(durable: Durable, now: float) -> Iterator[Proposed]:
    """Proposals in the mode `approve` that are of now: the newest of each act, not answered and not begun."""
    newest: dict[tuple[str | None, str, str], Proposed] = {}
    for proposed in durable.proposed.values():
        key = (proposed.incident, proposed.act, proposed.subject)
        if key not in newest or proposed.time >= newest[key].time:
            newest[key] = proposed
    for proposed in newest.values():
        request = request_of(proposed.act, proposed.incident, proposed.subject, proposed.restarts)
        given = durable.approved.get(request)
        stands = given is not None and (given.expires is None or now < given.expires)
        begun = any(deed.intent.id == proposed.intent for deed in durable.deeds.get(proposed.incident or "", ()))
        answered = stands or request in durable.rejected
        if proposed.mode == Mode.APPROVE and proposed.incident in durable.incidents and not (begun or answered):
            yield proposed
