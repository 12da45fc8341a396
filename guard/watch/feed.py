"""Reading the bus in a thread of its own, so that a bus that is away does not hold up a key."""

import queue
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice

from guard.bus import Bus, BusError, BusUnavailableError, Follower, Message, Topic, open_bus
from guard.bus.kafka_settings import KafkaSettings
from guard.report.read import SIGNS
from guard.watch.view import Hearing

_PAST = 900.0
"""Seconds of verdicts read at the start, for the step times of jobs."""
_POLL = 0.5
_BATCH = 500
_WAITING = 20
"""Batches that wait to be taken at most: reading waits then."""
_PAUSE = 2.0
"""Seconds between attempts to reach a bus that is away."""
_ENDS = 3.0
"""Seconds in which the thread has ended; it is a daemon, so one that hangs in a connection holds up nobody."""


class Feed:
    """Reads until it is stopped. ``take`` gives what was read since.

    Args:
        address: of the bus.
        settings: how to speak with Kafka.
        stale_after: seconds without a word from the detector after which other signs of it are looked for.
    """

    def __init__(self, address: str, settings: KafkaSettings, stale_after: float) -> None:
        self._address, self._settings, self._stale_after = address, settings, stale_after
        self._batches: queue.Queue[Sequence[Message] | None] = queue.Queue(_WAITING)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch-feed", daemon=True)
        self._said = 0.0
        self.hearing = Hearing()

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Read no more."""
        self._stop.set()
        self._thread.join(_ENDS)

    def take(self, most: int = _WAITING) -> Iterator[Sequence[Message] | None]:
        """What was read; None stands where all was read that the bus held at the start."""
        for _ in range(most):
            try:
                yield self._batches.get_nowait()
            except queue.Empty:
                return

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with open_bus(self._address, self._settings) as bus:
                    self._read(bus)
            except BusError as error:
                self.hearing = Hearing(str(error), self.hearing.heard, self.hearing.lately)
            self._stop.wait(_PAUSE)

    def _read(self, bus: Bus) -> None:
        """Follow first, then read what is there: what is said meanwhile is read twice, not never."""
        followers: list[Follower] = []
        try:
            followers.append(bus.follow([Topic.STATE]))
            followers.append(bus.follow([Topic.LEDGER], since=0))
            # The verdicts of the past are for step times alone: a watch without them is a watch.
            with suppress(BusUnavailableError):
                self._all(bus.scan(Topic.VERDICTS, since=max(time.time() - _PAST, 0.0)))
            self._all(bus.scan(Topic.STATE))
            self._follow(bus, followers)
        finally:
            for follower in followers:
                follower.close()

    def _follow(self, bus: Bus, followers: Sequence[Follower]) -> None:
        caught_up, looked = self.hearing.heard is not None, 0.0
        while not self._stop.is_set():
            found = [follower.poll(_POLL / len(followers), _BATCH) for follower in followers]
            for messages in found:
                self._put(messages)
            if not caught_up and all(len(messages) < _BATCH for messages in found):
                caught_up = True
                self._put(None)
            now = time.time()
            lately = self.hearing.lately
            if now - max(self._said, looked) > self._stale_after / 2:
                looked, lately = now, self._signs(bus, now)
            self.hearing = Hearing(None, now if caught_up else None, lately)

    def _signs(self, bus: Bus, now: float) -> frozenset[Topic] | None:
        # Who may read the state may not read the others: then nothing is known of them.
        with suppress(BusUnavailableError):
            return bus.taken(SIGNS, now - self._stale_after)
        return None

    def _all(self, messages: Iterable[Message]) -> None:
        left = iter(messages)
        while not self._stop.is_set() and (batch := list(islice(left, _BATCH))):
            self._put(batch)

    def _put(self, batch: Sequence[Message] | None) -> None:
        """Hand it over, as soon as there is room."""
        if batch is not None and not batch:
            return
        for message in batch or ():
            if message.position.topic is Topic.STATE:
                self._said = max(self._said, message.time)
        while not self._stop.is_set():
            with suppress(queue.Full):
                self._batches.put(batch, timeout=_POLL)
                return
