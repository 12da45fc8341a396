"""What a decision looks at: the state, the policy and the time together, and the case in question."""

import math
from dataclasses import dataclass

from detectors.verdict import Severity, Status, Verdict
from remediation.incidents import Deed, Durable, Incident
from remediation.ledger import Act, Applied, Result
from remediation.picture import Heard, Look, Picture, same_machine
from remediation.policy import Policy
from remediation.states import OUT_OF_SERVICE, NodeState
from remediation.views import JobState, JobView, NodeView

SURELY_LATER = 5.0
"""Seconds: a look that ended this long after an act has ended was begun after it."""


@dataclass(frozen=True, slots=True)
class Scene:
    """All that is known now."""

    durable: Durable
    picture: Picture
    policy: Policy
    now: float

    @property
    def look(self) -> Look | None:
        """The newest look at the cluster, if it is believed and young enough to act on."""
        look = self.picture.look
        return look if look is not None and self.why_blind() is None else None

    def why_blind(self) -> str | None:
        """Why the newest look is no ground to act."""
        look = self.picture.look
        if look is None:
            return "the cluster has not been looked at yet"
        if self.picture.blind is not None:
            return f"the cluster cannot be looked at: {self.picture.blind[1]}"
        if look.doubtful is not None:
            return look.doubtful
        age = self.now - look.time
        if not -self.policy.view_age <= age <= self.policy.view_age:
            return f"the last look at the cluster is {age:.0f} s old, at most {self.policy.view_age:g} s will do"
        return None

    def node(self, incident: Incident) -> NodeView | None:
        """The incident's machine as the cluster shows it; None: not there, or another one of the name.

        Our own stamp proves that it is the one, also where a boot gave it another identity.
        """
        look = self.picture.look
        node = None if look is None else look.view.nodes.get(incident.node)
        if node is None or not same_machine(node, incident.instance, ""):
            return None
        ours = node.incident == incident.id
        return node if ours or same_machine(node, incident.instance, incident.identity) else None

    def heard(self, incident: Incident) -> Heard | None:
        """What is said of the incident's machine."""
        heard = self.picture.heard.get(incident.node)
        return heard if heard is not None and heard.verdict.instance == incident.instance else None

    def accusation(self, incident: Incident) -> Verdict | None:
        """The newest verdict that accuses the machine, unless a later one takes it back. Silence does not."""
        heard = self.heard(incident)
        if heard is None:
            return None
        if heard.verdict.accused or heard.verdict.status is Status.SILENT:
            return heard.accusation
        return None

    def job(self, incident: Incident) -> JobView | None:
        """The incident's job, while it runs on the node."""
        look = self.picture.look
        job = None if look is None or incident.job is None else look.view.jobs.get(incident.job)
        running = job is not None and job.state is JobState.RUNNING and incident.node in job.nodes
        return job if running else None

    def severe(self, incident: Incident) -> bool:
        """Whether it is a hang or a hard fault, which waits for nothing."""
        verdict = self.accusation(incident)
        said = verdict is not None and verdict.severity is Severity.CRITICAL
        return said or incident.severity == Severity.CRITICAL

    def ours(self) -> frozenset[str]:
        """Nodes that guard has taken out, or is about to."""
        out = {incident.node for incident in self.durable.incidents.values() if is_out(incident)}
        seen = -math.inf if self.picture.look is None else self.picture.look.time - SURELY_LATER
        for deed in self.durable.recent:
            if deed.intent.act is Act.CORDON and deed.node not in out and self._may_stand(deed, seen):
                out.add(deed.node)
        return frozenset(out)

    def _may_stand(self, deed: Deed, seen: float) -> bool:
        """Whether a cordon may have taken although no look shows it yet."""
        name = deed.intent.incident or ""
        known = next((d for d in self.durable.deeds.get(name, ()) if d.intent.id == deed.intent.id), None)
        if known is None or known.result is Result.FAILED:
            return False
        return known.ended is None or known.ended >= seen


@dataclass(frozen=True, slots=True)
class Case:
    """An act that is thought of.

    Attributes:
        node: as the cluster shows it now; None: not there.
        job: that runs on the node, and that the incident is about.
        ordered: the operator's order behind it, where there is one.
    """

    act: Act
    incident: Incident
    node: NodeView | None
    job: JobView | None
    ordered: Applied | None = None

    @property
    def finishes(self) -> bool:
        """Whether the act ends a restart that was cut off: the job stands still until it does."""
        return self.act is Act.RESTART and self.job is not None and self.job.halted

    @property
    def subject(self) -> str:
        """What is acted on: the job, or the node."""
        of_job = self.act in (Act.CHECKPOINT, Act.RESTART)
        return (self.incident.job or "") if of_job else self.incident.node


def is_out(incident: Incident) -> bool:
    """Whether guard keeps the node out of service."""
    return incident.state in OUT_OF_SERVICE


def is_leaving(incident: Incident) -> bool:
    """Whether the node is cordoned, and its work has yet to go elsewhere."""
    return incident.state in (NodeState.CORDONED, NodeState.DRAINING)
