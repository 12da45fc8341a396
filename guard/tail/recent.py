"""The newest records of a topic without reading all of it: a minute back, then further until there are enough."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

from guard.bus import Bus, Message, Topic

_WINDOWS = (60.0, 900.0, 14_400.0)
"""Seconds to look back; then everything. Each is so much longer that the reading in vain hardly counts."""


@dataclass(frozen=True, slots=True)
class Recent:
    """What was found.

    Attributes:
        messages: the newest that were wanted, oldest first.
        since: Unix seconds from which all partitions were read.
        ends: the last offset read in each partition, wanted or not: what comes later has not been seen.
    """

    messages: tuple[Message, ...] = ()
    since: float = 0.0
    ends: dict[int, int] = field(default_factory=dict)


def recent(
    bus: Bus, topic: Topic, count: int, takes: Callable[[Message], bool], *, now: float, since: float = 0.0
) -> Recent:
    """The ``count`` newest records for which ``takes`` is true.

    Args:
        bus: where.
        topic: which.
        count: how many at most; memory holds so many.
        takes: which of them.
        now: Unix seconds.
        since: Unix seconds; none that the bus took before.
    """
    starts = [now - window for window in _WINDOWS if now - window > since]
    for start in (*starts, since):
        found = _window(bus, topic, count, takes, start)
        if len(found.messages) >= count:
            break
    return found


def _window(bus: Bus, topic: Topic, count: int, takes: Callable[[Message], bool], since: float) -> Recent:
    newest: list[tuple[tuple[float, int, int], Message]] = []
    ends: dict[int, int] = {}
    for message in bus.scan(topic, since=since):
        place = message.position
        ends[place.partition] = max(place.offset, ends.get(place.partition, -1))
        if count and takes(message):
            # Time first; within a partition the offset, so that no two are equal and messages are never compared.
            entry = ((message.time, place.partition, place.offset), message)
            (heapq.heappush if len(newest) < count else heapq.heappushpop)(newest, entry)
    return Recent(tuple(message for _, message in sorted(newest, key=lambda entry: entry[0])), since, ends)
