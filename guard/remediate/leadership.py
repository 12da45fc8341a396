"""Who leads: the owner of ``guard.control``'s one partition in the group ``guard-remediate``."""

import contextlib
from collections.abc import Iterator, Sequence

from guard.bus import Bus, BusUnavailableError, Message, Position, Topic
from guard.topics.acls import REMEDIATOR_GROUP

_PLACE = (Topic.CONTROL, 0)
_BATCH = 100


def order_id(position: Position) -> str:
    """An order's place on the bus, by which its answer in the ledger is found."""
    return f"{position.partition}-{position.offset}"


class Candidate:
    """A member of the group, and the orders that come with the partition. One thread uses it.

    A member lives by polling; one that does not for the session timeout is succeeded by another.

    Args:
        bus: where the group is.

    Raises:
        BusUnavailableError: the bus is away.
    """

    def __init__(self, bus: Bus) -> None:
        self._consumer = bus.consume([Topic.CONTROL], REMEDIATOR_GROUP)
        self._claim: int | None = None
        self._consumer.pause()
        self._taking = False

    @property
    def claim(self) -> int | None:
        """The number of the claim on the partition at the last poll: another one where it was lost in between.

        None while somebody else has it.
        """
        return self._claim

    def poll(self, timeout: float, *, orders: bool) -> Sequence[Message]:
        """Say that this process lives, and wait up to ``timeout`` seconds for orders.

        Args:
            timeout: seconds.
            orders: whether they can be answered now; else they stay on the bus.

        Raises:
            BusUnavailableError: the bus is away: who leads cannot be told, so nobody of here does.
        """
        if orders is not self._taking:
            self._taking = orders
            (self._consumer.resume if orders else self._consumer.pause)()
        found = self._consumer.poll(timeout, _BATCH)
        self._claim = self._consumer.claims().get(_PLACE)
        return found

    def commit(self) -> None:
        """The answers to all orders polled so far are in the ledger."""
        self._consumer.commit()

    def close(self) -> None:
        """Leave the group: another one may lead at once."""
        self._consumer.close()


@contextlib.contextmanager
def candidate(bus: Bus) -> Iterator[Candidate]:
    """A member that leaves the group in the end, also where the bus is away by then."""
    member = Candidate(bus)
    try:
        yield member
    finally:
        with contextlib.suppress(BusUnavailableError):
            member.close()
