"""What the ledger tells people: where things stand, and what was done of late."""

from collections import deque
from dataclasses import dataclass

from guard.bus import Bus
from guard.remediate.ledger import Entered, history
from guard.remediate.words import subject
from remediation.fold import fold
from remediation.incidents import Durable
from remediation.ledger import Opened


@dataclass(frozen=True, slots=True)
class Line:
    """A record, and the node that it concerns: that of its incident, else what it names."""

    entered: Entered
    node: str


@dataclass(frozen=True, slots=True)
class Account:
    """Where things stand, and the newest records that were asked for, oldest first."""

    durable: Durable
    lines: tuple[Line, ...]


def account(bus: Bus, cluster: str, *, since: float, node: str | None, most: int) -> Account:
    """Fold the ledger.

    Args:
        bus: where it is.
        cluster: whose.
        since: Unix seconds; records that the bus took before are not shown.
        node: this node's records alone; None: all.
        most: records shown, the newest.

    Raises:
        BusError: the bus does not answer.
    """
    durable, nodes = Durable(), dict[str, str]()
    lines: deque[Line] = deque(maxlen=most)
    for entered in history(bus, cluster):
        record = entered.record
        durable = fold(durable, record, entered.offset)
        if isinstance(record, Opened) and record.incident is not None:
            nodes[record.incident] = record.node
        named = nodes.get(record.incident or "") or subject(record)
        if entered.taken >= since and node in (None, named, subject(record)):
            lines.append(Line(entered, named))
    return Account(durable, tuple(lines))
