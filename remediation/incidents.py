"""The durable part of the state, all of which the ledger tells."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeVar

from remediation.ledger import (
    Act,
    Alert,
    Applied,
    Breaker,
    Checkpointed,
    Intent,
    Leader,
    Proposed,
    Result,
    Verified,
    Weighed,
)
from remediation.states import NodeState

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

Request = tuple[str, Act, str, int | None]
"""What an approval is for: the incident, the act, its subject, and the job's restarts."""


@dataclass(frozen=True, slots=True)
class Incident:
    """One machine's trouble, from its first accusation until it is healthy or gone.

    Attributes:
        identity: of the node when the incident was opened.
        moved: when it came into its state, Unix seconds. `moves`: how often it changed.
        stamped: our cordon was seen on the node: when it is not there any more, a person took it off.
        ordered: an operator's newest order about the node.
    """

    id: str
    node: str
    instance: str
    identity: str
    job: str | None
    cause: str
    severity: str
    slowdown: float | None
    opened: float
    state: NodeState
    moved: float
    moves: int = 0
    stamped: bool = False
    ordered: Applied | None = None


@dataclass(frozen=True, slots=True)
class Deed:
    """An act that counted, and how it ended. `node` is the incident's."""

    intent: Intent
    node: str
    result: Result | None = None
    ended: float | None = None


@dataclass(frozen=True, slots=True)
class Denial:
    """The newest rail that said no, when, and how many times the answer has changed."""

    rail: str
    time: float
    number: int


def _nothing() -> Mapping[_Key, _Value]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Durable:
    """A fold over the ledger.

    Attributes:
        epoch: offset of the newest leader record; None: nobody has led.
        incidents: the open ones by id; `by_node` names them by node.
        closed: those of late, newest last.
        alive: intents without an outcome, by id.
        deeds: intents that counted, by incident, oldest first. `recent`: those of the last day.
        denied: by act and subject.
        proposed: by the id of the intent. `approved` and `rejected`: by what was asked for.
        verifying: restarts that have not been seen through, by job and its restarts.
        alerts: ids of those asked for, with their times. `standing`: those to be cleared when it is over.
        breakers: how often the breaker has changed. `breaker`: the newest change.
        paused: the newest order to pause, unless it was resumed; ask `pause`.
        applied: ids of orders taken.
    """

    epoch: int | None = None
    leader: Leader | None = None
    incidents: Mapping[str, Incident] = field(default_factory=_nothing)
    by_node: Mapping[str, str] = field(default_factory=_nothing)
    closed: Mapping[str, Incident] = field(default_factory=_nothing)
    alive: Mapping[str, Intent] = field(default_factory=_nothing)
    deeds: Mapping[str, tuple[Deed, ...]] = field(default_factory=_nothing)
    recent: tuple[Deed, ...] = ()
    denied: Mapping[tuple[Act, str], Denial] = field(default_factory=_nothing)
    proposed: Mapping[str, Proposed] = field(default_factory=_nothing)
    approved: Mapping[Request, Applied] = field(default_factory=_nothing)
    rejected: Mapping[Request, Applied] = field(default_factory=_nothing)
    weighed: Mapping[str, Weighed] = field(default_factory=_nothing)
    checkpointed: Mapping[tuple[str, int], Checkpointed] = field(default_factory=_nothing)
    verifying: Mapping[tuple[str, int], Intent] = field(default_factory=_nothing)
    verified: Mapping[tuple[str, int], Verified] = field(default_factory=_nothing)
    alerts: Mapping[str, float] = field(default_factory=_nothing)
    standing: Mapping[str, Alert] = field(default_factory=_nothing)
    breaker: Breaker | None = None
    breakers: int = 0
    paused: Applied | None = None
    applied: Mapping[str, Applied] = field(default_factory=_nothing)

    @property
    def tripped(self) -> bool:
        """Whether the storm breaker stops new harm."""
        return self.breaker is not None and self.breaker.tripped

    def pause(self, now: float) -> Applied | None:
        """The order by which guard is paused now; one that has a term ends by itself."""
        paused = self.paused
        over = paused is not None and paused.expires is not None and now >= paused.expires
        return None if over else paused

    def of_node(self, node: str) -> Incident | None:
        """The open incident of a node."""
        name = self.by_node.get(node)
        return None if name is None else self.incidents[name]

    def tried(self, incident: str, act: Act, subject: str) -> tuple[Deed, ...]:
        """What was tried for one purpose, oldest first."""
        return tuple(
            deed
            for deed in self.deeds.get(incident, ())
            if deed.intent.act is act and deed.intent.subject == subject
        )

    def alive_for(self, subject: str) -> bool:
        """Whether an act on `subject` is under way: there is never a second one."""
        return any(intent.subject == subject for intent in self.alive.values())
