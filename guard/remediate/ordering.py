"""Giving an order, and hearing what became of it."""

import time
from dataclasses import dataclass

from guard.bus import Bus, Message, Outgoing, Topic
from guard.remediate.leadership import order_id
from remediation import orders
from remediation.ledger import Applied, Intent, LedgerError, Outcome, decode
from remediation.orders import Command, Order

_PUBLISH = 5.0
_LONG = 0.5
ACTS = frozenset({Command.APPROVE, Command.RELEASE, Command.CORDON, Command.UNCORDON})
"""Orders that an act follows, of which the outcome is worth waiting for."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What became of an order within the time.

    Attributes:
        applied: the remediator's answer; None: none came.
        records: what followed it, about the same: the intent and its outcome.
        ended: nothing more is to come.
    """

    applied: Applied | None
    records: tuple[Intent | Outcome, ...] = ()
    ended: bool = False


def give(bus: Bus, order: Order, *, answer_within: float, outcome_within: float) -> Heard:
    """Write the order, and listen.

    Args:
        bus: where orders lie.
        order: what is to be done.
        answer_within: seconds to wait for the answer; 0: none is waited for.
        outcome_within: seconds to wait for what it leads to, after an answer that takes it.

    Raises:
        BusError: it was not taken, or cannot be listened for.
        OrderError: not an order that could be read.
    """
    value = orders.encode(order)
    follower = bus.follow([Topic.LEDGER])
    try:
        (place,) = bus.publish([Outgoing(Topic.CONTROL, order.cluster, value)], _PUBLISH)
        ear = _Ear(order, order_id(place))
        deadline = time.monotonic() + answer_within
        while not ear.done and time.monotonic() < deadline:
            asked = ear.applied is None
            for message in follower.poll(_LONG):
                ear.hear(message)
            if asked and ear.applied is not None:
                deadline = time.monotonic() + outcome_within
        return Heard(ear.applied, tuple(ear.records), ear.done)
    finally:
        follower.close()


class _Ear:
    """Picks out of the ledger what answers one order."""

    def __init__(self, order: Order, name: str) -> None:
        self.applied: Applied | None = None
        self.records: list[Intent | Outcome] = []
        self.done = False
        self._order, self._id = order, name

    def hear(self, message: Message) -> None:
        """The next record."""
        try:
            record = decode(message.value or b"")
        except LedgerError:
            return  # the remediator counts it
        match record:
            case Applied() if record.order == self._id:
                self.applied = record
                self.done = not record.accepted or self._order.command not in ACTS
            case Intent() if self.applied and self._order.subject in (record.id, record.subject):
                self.records.append(record)
            case Outcome() if record.intent in {one.id for one in self.records}:
                self.records.append(record)
                self.done = True
