"""The rails: immediately before an act each says whether it may be, and why. One no is a no.

They stop new harm. What gives a node back (`release`), and what starts a job again that a restart of ours has
stopped, needs no more than a look at the cluster.
"""

from collections.abc import Callable
from dataclasses import dataclass

from remediation import rails_amount, rails_evidence, rails_restart
from remediation.incidents import Incident
from remediation.ledger import Act
from remediation.policy import Policy
from remediation.scene import Case, Scene
from remediation.state import State
from remediation.states import NodeState


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a rail says."""

    rail: str
    allowed: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Rail:
    """A rail: `ask` gives yes or no and the reason; `acts` that it rules; `orders` too, given by a person."""

    name: str
    acts: frozenset[Act]
    ask: Callable[[Scene, Case], tuple[bool, str]]
    orders: bool = False


_ALL = frozenset(Act)
_HARM = _ALL - {Act.RELEASE}
_ACCUSED = _HARM - {Act.REPAIR}
_TAKING = frozenset({Act.CORDON, Act.RESTART})
_CORDON = frozenset({Act.CORDON})
_RESTART = frozenset({Act.RESTART})

RAILS = (
    Rail("view", _ALL, rails_evidence.view, orders=True),
    Rail("pause", _HARM, rails_evidence.pause),
    Rail("breaker", _HARM, rails_evidence.breaker),
    Rail("maintenance", _HARM, rails_evidence.maintenance),
    Rail("opt-out", _HARM, rails_evidence.opt_out, orders=True),
    Rail("foreign-cordon", _HARM, rails_evidence.foreign_cordon, orders=True),
    Rail("accused", _ACCUSED, rails_evidence.accused),
    Rail("verdict-age", _ACCUSED, rails_evidence.verdict_age),
    Rail("confidence", _ACCUSED, rails_evidence.confidence),
    Rail("peers", _TAKING, rails_evidence.peers),
    Rail("cool-down", _CORDON, rails_amount.cool_down),
    Rail("node-attempts", _CORDON, rails_amount.node_attempts),
    Rail("attempts", _HARM, rails_amount.attempts),
    Rail("actions", _HARM - {Act.CHECKPOINT}, rails_amount.actions),
    Rail("out-of-service", _CORDON, rails_amount.out_of_service),
    Rail("fault-domain", _CORDON, rails_amount.fault_domain),
    Rail("job-nodes", _CORDON, rails_amount.job_nodes),
    Rail("spares", _TAKING, rails_amount.spares),
    Rail("restart-owner", _RESTART, rails_restart.owner),
    Rail("restart-budget", _RESTART, rails_restart.budget),
    Rail("economy", _RESTART, rails_restart.economy),
    Rail("checkpoint-age", _RESTART, rails_restart.checkpoint_age),
)
"""In the order in which they are asked; the first no is the one that is recorded."""


def rulings(scene: Scene, case: Case) -> tuple[Ruling, ...]:
    """What each rail that rules the act says."""
    acts = Act.RELEASE if case.finishes else case.act
    asked = (rail for rail in RAILS if acts in rail.acts and (case.ordered is None or rail.orders))
    return tuple(Ruling(rail.name, *rail.ask(scene, case)) for rail in asked)


def refusal(scene: Scene, case: Case) -> Ruling | None:
    """The first rail that says no; None: all allow."""
    return next((ruling for ruling in rulings(scene, case) if not ruling.allowed), None)


def rails(state: State, node: str, policy: Policy, now: float) -> tuple[Ruling, ...]:
    """Every rail's answer now for `node`: may it be taken out, and may its job be restarted."""
    scene = Scene(state.durable, state.picture, policy, now)
    incident = state.durable.of_node(node) or _imagined(state, node, now)
    if incident is None:
        return (Ruling("accused", allowed=False, reason=f"nothing has been said of {node}"),)
    view, job = scene.node(incident), scene.job(incident)
    answers = rulings(scene, Case(Act.CORDON, incident, view, job))
    if job is None:
        return answers
    known = {ruling.rail for ruling in answers}
    more = rulings(scene, Case(Act.RESTART, incident, view, job))
    return answers + tuple(ruling for ruling in more if ruling.rail not in known)


def _imagined(state: State, node: str, now: float) -> Incident | None:
    heard = state.picture.heard.get(node)
    if heard is None:
        return None
    verdict = heard.verdict
    job = verdict.job.id if verdict.job else None
    return Incident(
        "", node, verdict.instance, "", job, str(verdict.cause or "unknown"), str(verdict.severity),
        verdict.slowdown, now, NodeState.HEALTHY, now,
    )  # fmt: skip
