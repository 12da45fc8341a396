"""Telemetry files through the very detector that runs online, in order of event time."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import groupby
from pathlib import Path
from typing import BinaryIO

from collectors.telemetry import Telemetry, encode
from detectors.detector import Detector
from detectors.policy import Policy
from detectors.verdict import Saying

Progress = Callable[[int, int], None]
"""Called with how many records are done, out of how many."""


def in_order(records: Iterable[Telemetry]) -> Iterator[Telemetry]:
    """Sort by event time, then by identity, and what has even that in common by its content."""
    ordered = sorted(records, key=_order)
    for _, same in groupby(ordered, key=_order):
        several = list(same)
        yield from several if len(several) == 1 else sorted(several, key=encode)


def replay(
    detector: Detector, policy: Policy, records: Sequence[Telemetry], progress: Progress
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


@contextmanager
def output(path: str) -> Iterator[BinaryIO]:
    """A file that is there whole or not at all; ``-`` is standard output.

    Raises:
        OSError: it cannot be written.
    """
    target = Path(path)
    if path == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    if target.exists() and not target.is_file():
        with target.open("wb") as file:  # a device or a pipe: nothing to rename over
            yield file
        return
    temporary = target.with_name(f".{target.name[:200]}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def _order(record: Telemetry) -> tuple[float, str, str, str, str, int]:
    return (record.time, *record.identity)
