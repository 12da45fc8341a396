"""The newest word of the detectors on each node and job: from ``guard.state`` at the start, then as it is said."""

from collections.abc import Iterator, Sequence

from collectors.telemetry import RecordError
from detectors.verdict import JobVerdict, Saying, Verdict, decode
from guard.bus import Bus, Message, Topic

_BATCH = 500
_MOST = 20
"""Batches taken at once: a fleet's worth of verdicts must not hold up an act."""


class Sayings:
    """Follows one cluster's verdicts. One thread uses it.

    Args:
        bus: where they are said.
        cluster: whose.

    Raises:
        BusUnavailableError: the bus is away.
    """

    def __init__(self, bus: Bus, cluster: str) -> None:
        self._cluster = cluster
        self._newest: dict[tuple[type, str], Saying] = {}
        self._reached: dict[int, int] = {}
        self.unreadable = 0
        # First follow, then scan: what is said meanwhile is read twice, not never, and taken once.
        self._follower = bus.follow([Topic.STATE])
        for message in bus.scan(Topic.STATE):
            self._take(message)

    def poll(self) -> list[Saying]:
        """What was said since the last poll.

        Raises:
            BusUnavailableError: the bus is away.
        """
        heard: list[Saying] = []
        for _ in range(_MOST):
            messages = self._follower.poll(0.0, _BATCH)
            heard += self._heard(messages)
            if len(messages) < _BATCH:
                break
        return heard

    def newest(self) -> Iterator[Saying]:
        """The newest of every node and job."""
        yield from self._newest.values()

    def close(self) -> None:
        """Stop following."""
        self._follower.close()

    def _heard(self, messages: Sequence[Message]) -> Iterator[Saying]:
        for message in messages:
            saying = self._take(message)
            if saying is not None:
                yield saying

    def _take(self, message: Message) -> Saying | None:
        _, partition, offset = message.position
        if offset <= self._reached.get(partition, -1):
            return None
        self._reached[partition] = offset
        if message.value is None:
            for kind in (Verdict, JobVerdict):
                self._newest.pop((kind, message.key), None)
            return None
        try:
            saying = decode(message.value)
        except RecordError:
            self.unreadable += 1
            return None
        if saying.cluster != self._cluster:
            return None
        self._newest[type(saying), saying.key] = saying
        return saying
