"""What happens to records on their way: some come late, some twice, some in another order, some never."""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from collectors.telemetry import Telemetry
from simulation.case import Case, Disturbance
from simulation.plan import Salt, generator
from simulation.records import records


@dataclass(frozen=True, slots=True)
class Disorder:
    """How bad it is: shares of records.

    Attributes:
        late: come up to `delay` seconds late.
        lost: never come.
        repeated: come again, up to `delay` seconds later.
        reordered: change places with others of about the same time (three seconds).
        delay: seconds; within the allowed lateness, nothing that is concluded may depend on it.
    """

    late: float = 0.0
    lost: float = 0.0
    repeated: float = 0.0
    reordered: float = 0.0
    delay: float = 25.0


_NEARBY = 3.0
"""Seconds by which reordered records are displaced."""


def disordered(stream: Iterable[Telemetry], disorder: Disorder, seed: int) -> Iterator[Telemetry]:
    """Give records in order of arrival. `stream` is in order of event time; seeded, so that it can be repeated."""
    chance = generator(seed, Salt.DISORDER)
    waiting: list[tuple[float, int, Telemetry]] = []
    for number, record in enumerate(stream):
        while waiting and waiting[0][0] <= record.time:
            yield heapq.heappop(waiting)[2]
        # Always the same number of draws for a record, so that one kind of disorder leaves the others as they are.
        lost, late, repeated, moved, delay, again, near = chance.random(7)
        if lost < disorder.lost:
            continue
        wait = disorder.delay * delay if late < disorder.late else 0.0
        wait += _NEARBY * near if moved < disorder.reordered else 0.0
        heapq.heappush(waiting, (record.time + wait, 2 * number, record))
        if repeated < disorder.repeated:
            heapq.heappush(waiting, (record.time + wait + disorder.delay * again, 2 * number + 1, record))
    while waiting:
        yield heapq.heappop(waiting)[2]


def arrivals(case: Case) -> Iterator[Telemetry]:
    """Give the records of a case as they arrive. Lost ones are left out by `records` already."""
    on = case.disturbances
    disorder = Disorder(
        late=0.05 if Disturbance.LATE in on else 0.0,
        repeated=0.02 if Disturbance.REPEATED in on else 0.0,
        reordered=0.3 if Disturbance.REORDERED in on else 0.0,
    )
    return disordered(records(case), disorder, case.seed)
