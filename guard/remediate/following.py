"""Following the telemetry of the few jobs that a checkpoint or a restart is watched of."""

import time
from collections.abc import Sequence

from collectors.telemetry import RecordError, decode
from guard.bus import Bus, Follower, Message, Topic
from guard.remediate.progress import JobProgress
from remediation.events import Progressed

_BACK = 60.0
"""Seconds before a job is followed from which its telemetry is read: a few periods, so that all its nodes are
heard of at once."""
_BATCH = 500
_SPAN = 0.5
"""Seconds of reading at once: a fleet's telemetry must not hold up the loop."""
_TELL = 1.0
"""Seconds from one word on a job to the next."""
_AHEAD = 60.0
"""Seconds that a record may lie after the moment at which the bus took it: one further ahead would hide what its
node says next."""


class Following:
    """Reads the telemetry while there are jobs to follow, and decodes theirs alone. One thread uses it.

    Args:
        bus: where it is.
        cluster: whose jobs.
    """

    def __init__(self, bus: Bus, cluster: str) -> None:
        self._bus, self._cluster = bus, cluster
        self._follower: Follower | None = None
        self._jobs: dict[str, JobProgress] = {}
        self._changed: set[str] = set()
        self._told = 0.0
        self.unreadable = 0

    def follow(self, jobs: frozenset[str]) -> None:
        """Follow these jobs from now on, and no others.

        Raises:
            BusUnavailableError: the bus is away.
        """
        wanted = {f"{self._cluster}/{job}": job for job in jobs}
        if wanted.keys() == self._jobs.keys():
            return
        fresh = wanted.keys() - self._jobs.keys()
        self._jobs = {key: self._jobs.get(key) or JobProgress() for key in wanted}
        self._changed &= wanted.keys()
        if fresh or not wanted:
            self.close()
        if fresh:
            self._follower = self._bus.follow([Topic.TELEMETRY], since=max(time.time() - _BACK, 0.0))

    def poll(self) -> list[Progressed]:
        """How far those jobs have come of which something new was read.

        Raises:
            BusUnavailableError: the bus is away.
        """
        if self._follower is None:
            return []
        until = time.monotonic() + _SPAN
        while messages := self._follower.poll(0.0, _BATCH):
            self._read(messages)
            if len(messages) < _BATCH or time.monotonic() > until:
                break
        if time.monotonic() < self._told + _TELL:
            return []
        self._told = time.monotonic()
        told = [(key, self._jobs[key].told()) for key in sorted(self._changed)]
        self._changed.clear()
        return [
            Progressed(key.removeprefix(f"{self._cluster}/"), progress)
            for key, progress in told
            if progress is not None
        ]

    def close(self) -> None:
        """Stop reading."""
        if self._follower is not None:
            self._follower.close()
            self._follower = None

    def _read(self, messages: Sequence[Message]) -> None:
        for message in messages:
            job = self._jobs.get(message.key)
            if job is None or message.value is None:
                continue
            try:
                record = decode(message.value)
            except RecordError:
                self.unreadable += 1  # the detector sets it aside
                continue
            if record.key == message.key and record.time <= message.time + _AHEAD:
                job.take(record)
                self._changed.add(message.key)
