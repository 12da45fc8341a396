"""Telemetry files through the very detector that runs online, in order of event time."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby

from collectors.telemetry import Compared, encode
from detectors.detector import Detector
from detectors.policy import Policy
from detectors.verdict import Saying

Progress = Callable[[int, int], None]
"""Called with how many records are done, out of how many."""


def in_order(records: Iterable[Compared]) -> Iterator[Compared]:
    """Sort by event time, then by identity, and what has even that in common by its content."""
    ordered = sorted(records, key=_order)
    for _, same in groupby(ordered, key=_order):
        several = list(same)
        yield from several if len(several) == 1 else sorted(several, key=encode)


def replay(
    detector: Detector, policy: Policy, records: Sequence[Compared], progress: Progress
) -> Iterator[Saying]:
    """Fold records, which are in order, with ticks in between as if they arrived at their own time.

    Args:
        detector: a new one.
        policy: what the detector was made with.
        records: from `in_order`.
        progress: told now and then how far it is.
    """
    step = min(policy.window, policy.silence) / 2
    clock = records[0].time if records else 0.0
    yield from detector.tick(clock)
    for done, record in enumerate(records):
        # After so long without records everything is forgotten; ticking on through years would change nothing.
        end = min(record.time, clock + policy.forget + policy.silence + policy.lateness + 2 * step)
        while clock + step <= end:
            clock += step
            yield from detector.tick(clock)
        if end < record.time:
            clock = record.time
            yield from detector.tick(clock)
        yield from detector.fold((record,))
        if done % 1000 == 0:
            progress(done, len(records))
    yield from detector.finish()


def _order(record: Compared) -> tuple[float, str, str, str, str, int]:
    return (record.time, *record.identity)
