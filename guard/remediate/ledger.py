"""The ledger on the bus: read from its beginning, written, and what was written read back."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from guard.bus import Bus, BusUnavailableError, Message, Outgoing, Topic
from remediation.ledger import Leader, LedgerError, Record, decode, encode

_log = logging.getLogger("guard.remediate")

PUBLISH = 5.0
"""Seconds in which the bus takes records, or counts as away."""
_READ_BACK = 10.0
"""Seconds in which what the bus has taken can be read."""
_BATCH = 500
_END = 3600.0
"""Seconds of the ledger's end that are looked through for a newer leader, by the bus's clock before the newest
record that was read: it may have been set back since."""


@dataclass(frozen=True, slots=True)
class Entered:
    """A record, its offset, and when the bus took it, Unix seconds."""

    record: Record
    offset: int
    taken: float


class Ledger:
    """Follows the ledger of one cluster. One thread uses it.

    Args:
        bus: where it is.
        cluster: whose records; those of leaders count whatever their cluster.
    """

    def __init__(self, bus: Bus, cluster: str) -> None:
        self._bus, self._cluster = bus, cluster
        self._follower = bus.follow([Topic.LEDGER], since=0)
        self._reached, self._taken = -1, 0.0
        self.unreadable = 0

    def poll(self) -> list[Entered]:
        """What is new.

        Raises:
            BusUnavailableError: the bus is away.
        """
        return self._entered(self._follower.poll(0.0, _BATCH))

    def append(self, records: Sequence[Record]) -> int:
        """Write records in order, and return the offset of the last.

        Raises:
            BusUnavailableError: the bus did not take all of them, or some.
        """
        places = self._bus.publish(
            [Outgoing(Topic.LEDGER, record.incident or record.cluster, encode(record)) for record in records],
            PUBLISH,
        )
        return places[-1].offset

    def read_to(self, offset: int) -> list[Entered]:
        """Everything up to ``offset``, which the bus has taken.

        Raises:
            BusUnavailableError: it does not come.
        """
        deadline = time.monotonic() + _READ_BACK
        found: list[Entered] = []
        while self._reached < offset:
            if time.monotonic() > deadline:
                raise BusUnavailableError(f"{Topic.LEDGER}: what was written at {offset} cannot be read back")
            found += self._entered(self._follower.poll(0.1, _BATCH))
        return found

    def superseded(self, epoch: int) -> bool:
        """Whether a newer leader than that of ``epoch`` stands in the ledger now, read or not.

        Raises:
            BusUnavailableError: nobody can tell.
        """
        for message in self._bus.scan(Topic.LEDGER, since=max(self._taken - _END, 0.0)):
            if message.position.offset > epoch:
                with suppress(LedgerError):
                    if isinstance(decode(message.value or b""), Leader):
                        return True
        return False

    def close(self) -> None:
        """Stop following."""
        self._follower.close()

    def _entered(self, messages: Sequence[Message]) -> list[Entered]:
        found = []
        for message in messages:
            self._reached, self._taken = max(self._reached, message.position.offset), message.time
            try:
                one = entered(message, self._cluster)
            except LedgerError as error:
                self.unreadable += 1
                _log.warning("%s, offset %d: %s", Topic.LEDGER, message.position.offset, error)
                continue
            if one is not None:
                found.append(one)
        return found


def entered(message: Message, cluster: str) -> Entered | None:
    """The record, where it concerns ``cluster``: those of leaders do, whosever they are.

    Raises:
        LedgerError: it cannot be read.
    """
    record = decode(message.value or b"")
    if isinstance(record, Leader) or record.cluster == cluster:
        return Entered(record, message.position.offset, message.time)
    return None


def history(bus: Bus, cluster: str) -> Iterator[Entered]:
    """All that the ledger holds now; what cannot be read is passed over: the remediator counts it.

    Raises:
        BusUnavailableError: the bus is away.
    """
    for message in bus.scan(Topic.LEDGER):
        with suppress(LedgerError):
            one = entered(message, cluster)
            if one is not None:
                yield one
