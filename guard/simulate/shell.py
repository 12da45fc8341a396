"""The remediator's shell without threads and bus: it reads its own records back, and acts on the fleet at once."""

from collections.abc import Callable
from dataclasses import replace

from detectors.verdict import identify
from guard.simulate.fleet import Fleet
from remediation.clusters.protocol import ClusterError, Stamp
from remediation.controller import State, decide, due
from remediation.events import Event, Observed, Recorded, Tick
from remediation.ledger import Act, Intent, Leader, Outcome, Record, Result
from remediation.policy import Policy
from remediation.views import NodeView

CLUSTER = "simulated"
_TIMEOUT = 10.0


class Shell:
    """What `guard.remediate` does around the controller.

    Args:
        fleet: what is acted on.
        policy: of the controller.
        checkpoint: called with the step at which one is asked for.
    """

    def __init__(self, fleet: Fleet, policy: Policy, checkpoint: Callable[[int], None]) -> None:
        self.state, self.policy = State.of(CLUSTER), policy
        self._fleet, self._checkpoint = fleet, checkpoint
        self._offset = 0
        leader = Leader(id="leader", cluster=CLUSTER, time=0.0, process="simulated", deadline=policy.lead.deadline)
        self._read_back(leader, 0.0)

    def tell(self, event: Event, now: float) -> tuple[Record, ...]:
        """Tell the controller."""
        self.state, records = decide(self.state, event, self.policy, now)
        return records

    def look(self, now: float) -> None:
        """Observe the fleet; a job that waits is placed by that, if there is room."""
        self.tell(Observed(self._fleet.observe(_TIMEOUT)), now)

    def turn(self, now: float) -> tuple[tuple[Record, ...], tuple[Intent, ...]]:
        """Let it decide and act once: what it wrote, and which acts it did and were no failure."""
        records = self.tell(Tick(), now)
        for record in records:
            self._read_back(record, now)
        return records, tuple(intent for intent in due(self.state, 0, now) if self._perform(intent, now))

    def _perform(self, intent: Intent, now: float) -> bool:
        try:
            self._act(intent)
            result, detail = Result.DONE, ""
        except ClusterError as error:
            result, detail = Result.FAILED, str(error)
        outcome = Outcome(
            id=identify("outcome", intent.id, result), cluster=CLUSTER, time=now, epoch=0,
            incident=intent.incident, intent=intent.id, result=result, detail=detail,
        )  # fmt: skip
        self._read_back(outcome, now)
        return result is Result.DONE

    def _act(self, intent: Intent) -> None:
        durable, fleet = self.state.durable, self._fleet
        name = intent.incident or ""
        incident = durable.incidents.get(name) or durable.closed[name]
        node = NodeView(incident.node, identity=intent.identity)
        match intent.act:
            case Act.CORDON:
                fleet.cordon(node, Stamp(incident.id, incident.cause), _TIMEOUT)
            case Act.RELEASE:
                fleet.uncordon(node, incident.id, _TIMEOUT)
            case Act.RESTART:
                fleet.restart(replace(fleet.job, restarts=intent.restarts or 0), node, _TIMEOUT)
            case Act.CHECKPOINT:
                self._checkpoint(intent.at_step or 0)
            case Act.REPAIR:
                raise ClusterError("this fleet repairs no nodes")

    def _read_back(self, record: Record, now: float) -> None:
        self.tell(Recorded(record, self._offset), now)
        self._offset += 1
