"""Records in the making: each takes effect at once on what is decided after it, as if it were read back."""

from typing import TypedDict

from detectors.verdict import identify
from remediation.fold import fold
from remediation.incidents import Incident
from remediation.ledger import Alert, Denied, Moved, Record
from remediation.policy import Policy
from remediation.rails import Ruling
from remediation.scene import Case, Scene
from remediation.state import State
from remediation.states import NodeState

# Records of one decision; what is left is decided in the next second.
LARGEST = 200
# A denial that goes to and fro between two rails is written this often at most, in seconds.
_DENIED_EVERY = 60.0
# These do not go away by themselves.
_PAGED = frozenset({"attempts", "node-attempts", "spares", "restart-budget"})


class Common(TypedDict):
    """What every record has."""

    cluster: str
    time: float
    epoch: int | None


class Draft:
    """Collects the records of one decision. Lives within one call of `decide`."""

    def __init__(self, state: State, policy: Policy, now: float) -> None:
        self.cluster = state.cluster
        self.picture = state.picture
        self.policy = policy
        self.now = now
        self.durable = state.durable
        self.records: list[Record] = []

    @property
    def scene(self) -> Scene:
        """All that is known, what was decided so far included."""
        return Scene(self.durable, self.picture, self.policy, self.now)

    @property
    def full(self) -> bool:
        """Whether enough was decided for now."""
        return len(self.records) >= LARGEST

    @property
    def common(self) -> Common:
        """What every record has."""
        return {"cluster": self.cluster, "time": self.now, "epoch": self.durable.epoch}

    def write(self, record: Record) -> None:
        """Add a record."""
        self.records.append(record)
        self.durable = fold(self.durable, record)

    def move(self, incident: Incident, after: NodeState, reason: str) -> None:
        """Bring an incident's node into another state."""
        now = self.durable.incidents[incident.id]
        self.write(
            Moved(
                **self.common,
                id=identify("moved", incident.id, now.moves, now.state, after),
                incident=incident.id,
                before=now.state,
                after=after,
                reason=reason[:500],
            )
        )

    def deny(self, case: Case, ruling: Ruling) -> None:
        """Write down that a rail said no, if the answer has changed."""
        before = self.durable.denied.get((case.act, case.subject))
        if before is not None and (before.rail == ruling.rail or 0 <= self.now - before.time < _DENIED_EVERY):
            return
        number = before.number if before else 0
        self.write(
            Denied(
                **self.common,
                id=identify("denied", case.incident.id, case.act, case.subject, ruling.rail, number),
                incident=case.incident.id or None,
                act=case.act,
                subject=case.subject,
                rail=ruling.rail,
                reason=ruling.reason[:500],
            )
        )
        if ruling.rail in _PAGED:
            text = f"{case.act} {case.subject} is wanted, and refused ({ruling.rail}): {ruling.reason}"
            self.alert("refused", "warning", text, incident=case.incident.id, key=ruling.rail)

    def alert(
        self,
        about: str,
        severity: str,
        text: str,
        *,
        incident: str | None = None,
        key: str = "",
        subject: str = "",
    ) -> None:
        """Ask for a person, once for one thing, which may have a node or a job for its `subject`."""
        name = identify("alert", about, incident, key)
        if name not in self.durable.alerts:
            self.write(
                Alert(
                    **self.common,
                    id=name,
                    incident=incident,
                    about=about,
                    severity=severity,
                    text=text[:1000],
                    subject=subject,
                )
            )
