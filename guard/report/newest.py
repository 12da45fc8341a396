"""The newest record of each node and job, out of ``guard.state``. Pure: no I/O, and reads no clock.

Of nodes that are ``ok`` it keeps the record as it came: of the largest fleet that is nearly all of them, and no
report shows more than one.
"""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from collectors.telemetry import RecordError
from detectors.verdict import JobVerdict, Status, Verdict, decode
from guard.bus import Message, Topic

Named = tuple[str, str]
"""Cluster and name."""


class NodeHealth(Struct, frozen=True):
    """The newest verdict about a node, and when the bus took it (Unix seconds)."""

    verdict: Verdict
    taken: float


class JobHealth(Struct, frozen=True):
    """The newest record about a job, when the bus took it (Unix seconds), and whether that is too long ago."""

    verdict: JobVerdict
    taken: float
    unheard: bool = False


class Fine(Struct, frozen=True, gc=False):
    """A node that is ok: its job (None: idle), its record, and when the bus took it (Unix seconds)."""

    job: str | None
    record: bytes
    taken: float


class State(Struct, frozen=True):
    """What the newest records say.

    Attributes:
        nodes: those that are not ok.
        fine: those that are.
        jobs: all.
        heard: when the bus took the newest record of all, Unix seconds; None: there is none.
        unreadable: records that could not be read. ``problem``: the first one's.
        lately: topics that took something of late; None: nobody has asked.
    """

    nodes: Mapping[Named, NodeHealth] = {}
    fine: Mapping[Named, Fine] = {}
    jobs: Mapping[Named, JobHealth] = {}
    heard: float | None = None
    unreadable: int = 0
    problem: str | None = None
    lately: frozenset[Topic] | None = None

    def named(self, node: str) -> dict[str, NodeHealth]:
        """The nodes of that name, by their clusters."""
        found = {home: health for (home, name), health in self.nodes.items() if name == node}
        for (home, name), fine in self.fine.items():
            said = decode(fine.record) if name == node else None
            if isinstance(said, Verdict):
                found[home] = NodeHealth(said, fine.taken)
        return found


class Newest:
    """A fold of records, one after the other.

    Of one partition a later record replaces an earlier one. A key that lies in several (their number was raised)
    has its newest record where the bus took it last.
    """

    def __init__(self) -> None:
        self._nodes: dict[Named, NodeHealth] = {}
        self._fine: dict[Named, Fine] = {}
        self._jobs: dict[Named, JobHealth] = {}
        self._places: tuple[dict[Named, tuple[int, float]], ...] = ({}, {})
        self._heard: float | None = None
        self._unreadable = 0
        self._problem: str | None = None

    def take(self, message: Message) -> Verdict | JobVerdict | None:
        """Take a record; what it says, if it is the newest of its node or job."""
        if message.value is None:
            cluster, _, name = message.key.partition("/")
            self._forget((cluster, name), message)
            return None
        try:
            saying = decode(message.value)
        except RecordError as error:
            self._unreadable, self._problem = self._unreadable + 1, self._problem or str(error)
            return None
        self._heard = message.time if self._heard is None else max(self._heard, message.time)
        if isinstance(saying, Verdict):
            named = (saying.cluster, saying.node)
            if not self._news(0, named, message):
                return None
            self._put(named, saying, message.value, message.time)
        else:
            named = (saying.cluster, saying.job)
            if not self._news(1, named, message):
                return None
            self._jobs[named] = JobHealth(saying, message.time)
        return saying

    def state(self, lately: frozenset[Topic] | None = None) -> State:
        """What is known by now. It shares its tables with the fold, which goes on changing them."""
        return State(self._nodes, self._fine, self._jobs, self._heard, self._unreadable, self._problem, lately)

    def _put(self, named: Named, saying: Verdict, record: bytes, taken: float) -> None:
        if saying.status is Status.OK:
            self._nodes.pop(named, None)
            self._fine[named] = Fine(saying.job.id if saying.job else None, record, taken)
        else:
            self._fine.pop(named, None)
            self._nodes[named] = NodeHealth(saying, taken)

    def _forget(self, named: Named, message: Message) -> None:
        if self._news(0, named, message):
            self._nodes.pop(named, None)
            self._fine.pop(named, None)
        if self._news(1, named, message):
            self._jobs.pop(named, None)

    def _news(self, kind: int, named: Named, message: Message) -> bool:
        """Whether it is newer than what was known of that name; if so, it is known from now on."""
        places, partition = self._places[kind], message.position.partition
        before = places.get(named)
        if before is not None and before[0] != partition and before[1] > message.time:
            return False
        places[named] = (partition, message.time)
        return True


def fold(messages: Iterable[Message]) -> State:
    """Keep the newest record of each node and job. What cannot be read is counted, with the first reason.

    Args:
        messages: of ``guard.state``, in the order of each partition.
    """
    newest = Newest()
    for message in messages:
        newest.take(message)
    return newest.state()
