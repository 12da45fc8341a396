"""The ledger, read a second time and more simply than `remediation.fold` does: acts, and what came of them."""

from dataclasses import dataclass, field

from remediation.ledger import (
    Act,
    Applied,
    Breaker,
    Checkpointed,
    Intent,
    Leader,
    Moved,
    Opened,
    Outcome,
    Proposed,
    Record,
    Result,
    Verified,
)

FACTS = (Leader, Outcome, Breaker, Applied)
OUT = ("cordoned", "draining", "qualifying", "repairing", "replacing", "held")
OVER = ("healthy", "gone")
GIVING_BACK = ("release", "uncordon")

MAY_FOLLOW = {
    "healthy": ("suspect", "confirmed", "held", "gone"),
    "suspect": ("healthy", "confirmed", "held", "gone"),
    "confirmed": ("healthy", "cordoned", "held", "gone"),
    "cordoned": ("healthy", "draining", "held", "gone"),
    "draining": ("healthy", "repairing", "replacing", "held", "gone"),
    "repairing": ("healthy", "held", "gone"),
    "replacing": ("healthy", "held", "gone"),
    "held": ("healthy", "repairing", "replacing", "gone"),
}
"""As docs/remediation.md has it: what sweeps would do is not there yet."""


@dataclass
class Trouble:
    """An incident: as it was opened, where it stands, and an operator's newest order about it."""

    opened: Opened
    state: str = "healthy"
    moved: float = 0.0
    stamped: bool = False
    over: bool = False
    order: Applied | None = None

    @property
    def name(self) -> str:
        return self.opened.incident

    @property
    def node(self) -> str:
        return self.opened.node

    @property
    def job(self) -> str | None:
        return self.opened.job

    def ordered(self, *commands: str) -> bool:
        return self.order is not None and self.order.what in commands


@dataclass
class Try:
    """An act that was begun."""

    intent: Intent
    node: str
    result: Result | None = None
    ended: float | None = None


@dataclass
class History:
    """What counts of the records so far: a leader's decisions under its own epoch alone, facts always."""

    epoch: int | None = None
    troubles: dict[str, Trouble] = field(default_factory=dict)
    tries: dict[str, Try] = field(default_factory=dict)
    tripped: bool = False
    broke: float | None = None
    paused: Applied | None = None
    proposals: dict[str, Proposed] = field(default_factory=dict)
    approvals: dict[tuple, Applied] = field(default_factory=dict)
    checkpoints: dict[tuple[str, int], Checkpointed] = field(default_factory=dict)
    unseen: dict[tuple[str, int], Intent] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    breakers: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, records: list[Record]) -> "History":
        history = cls()
        for offset, record in enumerate(records):
            history.add(record, offset)
        return history

    def add(self, record: Record, offset: int | None = None) -> None:
        if isinstance(record, Leader) and offset is not None:
            self.epoch = offset
        if not isinstance(record, FACTS) and record.epoch != self.epoch:
            return
        take = getattr(self, f"_{type(record).__name__.lower()}", None)
        if take is not None:
            take(record)

    def open(self) -> list[Trouble]:
        return [trouble for trouble in self.troubles.values() if not trouble.over]

    def under_way(self) -> list[Try]:
        return [tried for tried in self.tries.values() if tried.result is None]

    def tried(self, intent: Intent) -> list[Try]:
        """What was begun before with the same purpose."""
        same = (intent.incident, intent.act, intent.subject)
        return [t for t in self.tries.values() if (t.intent.incident, t.intent.act, t.intent.subject) == same]

    def pause(self, now: float) -> bool:
        return self.paused is not None and (self.paused.expires is None or now < self.paused.expires)

    def _opened(self, record: Opened) -> None:
        busy = any(trouble.node == record.node for trouble in self.open())
        if record.incident not in self.troubles and not busy:
            self.troubles[record.incident] = Trouble(record, moved=record.time)

    def _moved(self, record: Moved) -> None:
        trouble = self.troubles.get(record.incident)
        if trouble is None or trouble.over or trouble.state != record.before:
            return
        assert record.after in MAY_FOLLOW[record.before], f"leaves the state machine: {record}"
        trouble.state, trouble.moved = str(record.after), record.time
        trouble.stamped = trouble.stamped or record.after == "cordoned"
        if record.after in OVER:
            trouble.over = True
            self.approvals = {key: given for key, given in self.approvals.items() if key[0] != trouble.name}

    def _intent(self, record: Intent) -> None:
        busy = any(tried.intent.subject == record.subject for tried in self.under_way())
        if record.id in self.tries or busy or record.incident not in self.troubles:
            return
        self.tries[record.id] = Try(record, self.troubles[record.incident].node)
        if record.act is Act.RESTART:
            self.unseen[record.subject, record.restarts] = record

    def _outcome(self, record: Outcome) -> None:
        tried = self.tries.get(record.intent)
        if tried is not None and tried.result is None:
            tried.result, tried.ended = record.result, record.time

    def _proposed(self, record: Proposed) -> None:
        self.proposals[record.intent] = record

    def _checkpointed(self, record: Checkpointed) -> None:
        self.checkpoints[record.incident, record.restarts] = record

    def _verified(self, record: Verified) -> None:
        self.unseen.pop((record.job, record.restarts), None)

    def _breaker(self, record: Breaker) -> None:
        if record.id not in self.breakers:
            self.breakers.add(record.id)
            self.tripped, self.broke = record.tripped, record.time

    def _applied(self, record: Applied) -> None:
        if record.order in self.taken:
            return
        self.taken.add(record.order)
        if not record.accepted:
            return
        trouble = self.troubles.get(record.incident)
        if record.what in ("pause", "resume"):
            self.paused = record if record.what == "pause" else None
        elif record.what in ("approve", "reject"):
            asked = self.proposals.get(record.subject)
            if asked is not None:
                request = (asked.incident, asked.act, asked.subject, asked.restarts)
                self.approvals.pop(request, None)
                if record.what == "approve":
                    self.approvals[request] = record
        elif trouble is not None and not trouble.over:
            trouble.order = record
