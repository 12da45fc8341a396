"""A detector is killed, and the other one goes on: how long until it has everything and has read everything."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.detector_processes import DetectorProcesses

PARTITIONS = 4
_BOTH = (0, 1)
_QUIET = 3.0
"""Seconds without a new record after which all is read: lag is told once a second."""
_NAP = 0.1


@dataclass(frozen=True, slots=True)
class TakeOver:
    """What happened.

    Attributes:
        survivor: the number of the other one.
        held: seconds from the kill until it held all partitions, their snapshots read.
        read: seconds from the kill until it had read all there was.
        again: records of those that it read which had been read before the kill.
    """

    survivor: int
    held: float
    read: float
    again: int


def take_over(
    detectors: DetectorProcesses, before: Callable[[], int], after: Callable[[], int], patience: float = 60.0
) -> TakeOver:
    """Kill the busier of two detectors when all is read, and wait for the other.

    Args:
        detectors: two, which just started.
        before: publishes what is read before the kill; how many records.
        after: what comes after it, at least one record.
        patience: seconds for each thing that is waited for.

    Raises:
        TimeoutError: it did not come to that, with the log of a detector.
    """
    half = PARTITIONS // 2

    def shared() -> bool:
        return [held(detectors, number) for number in _BOTH] == [half, half]

    eventually(shared, lambda: detectors.log(0) + detectors.log(1))
    sent = before()
    eventually(lambda: sum(read(detectors, n) for n in _BOTH) >= sent, lambda: "not all was read", patience)
    owner = max(_BOTH, key=lambda number: read(detectors, number))
    other = 1 - owner
    already = read(detectors, other)
    detectors.kill(owner, again=False)
    start = time.monotonic()
    newest = after()
    eventually(lambda: held(detectors, other) == PARTITIONS, lambda: detectors.log(other), patience)
    all_held = time.monotonic() - start
    last, changed = already, start

    def done() -> bool:
        nonlocal last, changed
        now, found = time.monotonic(), read(detectors, other)
        if found != last:
            last, changed = found, now
        return last >= already + newest and not lag(detectors, other) and now - changed >= _QUIET

    eventually(done, lambda: detectors.log(other), patience)
    return TakeOver(other, all_held, max(changed - start, all_held), round(last - already - newest))


def eventually(true: Callable[[], bool], otherwise: Callable[[], object], patience: float = 60.0) -> None:
    """Wait until it holds.

    Raises:
        TimeoutError: with what ``otherwise`` says.
    """
    deadline = time.monotonic() + patience
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(otherwise())
        time.sleep(_NAP)


def held(detectors: DetectorProcesses, number: int) -> float:
    """Partitions that one holds."""
    return sum(detectors.metric(number, "guard_detect_partitions_held").values())


def lag(detectors: DetectorProcesses, number: int) -> float:
    """Records that one has still to read."""
    return sum(detectors.metric(number, "guard_detect_lag_records").values())


def read(detectors: DetectorProcesses, number: int) -> float:
    """Records that one has read."""
    return sum(detectors.metric(number, "guard_detect_records_total").values())
