"""What is new on the bus: a thread that follows verdicts, ledger and orders from where the pager left them.

A thread of its own, so that a bus that hangs holds up neither channels nor the judgement that it hangs. What it
reads waits in a short queue: while nobody takes from it, nothing more is read, and the bus keeps the rest.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass

from collectors.telemetry import RecordError
from detectors import verdict
from guard.bus import Bus, BusError, Follower, Message, Place, Topic
from guard.page.eyes import Eyes
from guard.page.outbox import Reached
from remediation import ledger, orders
from remediation.paging.events import Entered, Event, Ordered, Said, Source

_log = logging.getLogger("guard.page")

FOLLOWED = (Topic.CONTROL, Topic.LEDGER, Topic.VERDICTS)
_MARGIN = 60.0
"""Seconds before the newest record that was taken from which is read again: the bus's clock may have been set."""
_BATCH = 500
_POLL = 0.2
_WAITING = 8
"""Batches between this thread and the service."""
_LONGEST_PAUSE = 10.0
"""Seconds between attempts to reach a bus that is away."""
_QUIET = 1.0
"""Seconds without anything new after which what was missed has been read: brokers answer one by one."""
_LOOK = 10.0
"""Seconds between looks for signs of life, less where blindness is to be found sooner."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Records in the order of each partition.

    Attributes:
        events: what could be read of them.
        reached: how far that comes.
        began: of the last batch of history: from when on, by the bus's clock, all is news. None: it goes on.
        history: whether it is what lay there before the very first start. `first`: of it, the first batch.
    """

    events: tuple[Event, ...]
    reached: Mapping[Place, Reached]
    history: bool = False
    first: bool = False
    began: float | None = None


@dataclass(frozen=True, slots=True)
class Past:
    """Where the pager left: how far it came in each partition, and from when on all is news."""

    reached: Mapping[Place, Reached]
    began: float


class Intake:
    """Reads the bus, and looks for signs of life, until it is told to stop.

    Args:
        open_bus: opens the bus; called again after each failure.
        past: where to go on; None: the very first start, which reads what there is as history.
        blind: seconds of silence that count as blindness.
        stop: ends the thread.
    """

    def __init__(
        self, open_bus: Callable[[], Bus], past: Past | None, blind: float, stop: threading.Event
    ) -> None:
        self._open, self._stop = open_bus, stop
        self._reached: dict[Place, Reached] = {} if past is None else dict(past.reached)
        self._began = None if past is None else past.began
        self._look_every = min(_LOOK, blind / 6)
        self._eyes, self._look_at = Eyes(), 0.0
        self._batches: queue.Queue[Batch] = queue.Queue(_WAITING)
        self._signs: queue.SimpleQueue[frozenset[Source]] = queue.SimpleQueue()
        self.unreadable = 0
        self.absences = 0
        self.away: str | None = None
        self.failure: Exception | None = None
        self._quiet_since: float | None = None
        self._caught_up = False
        self._thread = threading.Thread(target=self._run, name="intake", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def take(self, timeout: float) -> Batch | None:
        """The next batch, within ``timeout`` seconds.

        Raises:
            Exception: what ended the thread: a mistake of ours.
        """
        if self.failure is not None:
            raise self.failure
        with suppress(queue.Empty):
            return self._batches.get(timeout=timeout) if timeout > 0 else self._batches.get_nowait()
        return None

    def signs(self) -> Iterator[frozenset[Source]]:
        """What the looks since the last call have found, one by one."""
        with suppress(queue.Empty):
            while True:
                yield self._signs.get_nowait()

    @property
    def caught_up(self) -> bool:
        """Whether all that was there at the start has been read, as far as can be told."""
        return self._caught_up

    def join(self, timeout: float) -> bool:
        """Wait for the thread's end; whether it has ended. It is a daemon: a bus that hangs holds nobody."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._live()
        except Exception as error:  # noqa: BLE001  (the service raises it)
            self.failure = error

    def _live(self) -> None:
        pause = 1.0
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                with self._open() as bus:
                    self._serve(bus)
            except BusError as error:
                # Also one that will never do: whoever is on call is to hear that guard is blind.
                pause = 1.0 if time.monotonic() - began > _LONGEST_PAUSE else pause
                _log.warning("the bus is away; trying again in %.0f s: %s", pause, error)
                self.away, self.absences = str(error), self.absences + 1
                self._stop.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    def _serve(self, bus: Bus) -> None:
        with ExitStack() as stack:
            # First follow, then read what is there: what comes meanwhile is read twice, not never.
            followers = [stack.enter_context(closing(self._follow(bus, topic))) for topic in FOLLOWED]
            if self._began is None:
                self._read_history(bus)
            while not self._stop.is_set():
                if self._batches.full():
                    self._stop.wait(_POLL)
                else:
                    self._poll(followers)
                self._look(bus)  # the bus gives a sign of life only where it could be read, too

    def _follow(self, bus: Bus, topic: Topic) -> Follower:
        if self._began is None:
            return bus.follow([topic])
        places = [(topic, partition) for partition in range(bus.partitions(topic))]
        oldest = min((self._reached[at].taken if at in self._reached else self._began) for at in places)
        return bus.follow([topic], since=max(oldest - _MARGIN, 0.0))

    def _poll(self, followers: Sequence[Follower]) -> None:
        *others, last = followers
        messages = [message for follower in others for message in follower.poll(0.0, _BATCH)]
        messages += last.poll(0.0 if messages else _POLL, _BATCH)
        batch = self._batch(messages)
        if messages:
            self._quiet_since = None
        elif self._quiet_since is None:
            self._quiet_since = time.monotonic()
        elif time.monotonic() - self._quiet_since > _QUIET:
            self._caught_up = True
        if batch.reached:
            self._batches.put_nowait(batch)  # there is room: nobody else puts

    def _look(self, bus: Bus) -> None:
        if time.monotonic() < self._look_at:
            return
        self._signs.put(self._eyes.look(bus))
        self.away = None
        self._look_at = time.monotonic() + self._look_every

    def _batch(self, messages: Sequence[Message], *, first: bool = False, history: bool = False) -> Batch:
        events: list[Event] = []
        reached: dict[Place, Reached] = {}
        for message in messages:
            topic, partition, offset = message.position
            if topic is not Topic.STATE:
                at = self._reached.get((topic, partition))
                # A lower offset at a later time is another bus in the place of the first one.
                if at is not None and offset <= at.offset and message.time <= at.taken:
                    continue
                self._reached[topic, partition] = reached[topic, partition] = Reached(offset, message.time)
            if (event := self._event(message)) is not None:
                events.append(event)
        return Batch(tuple(events), reached, history, first)

    def _event(self, message: Message) -> Event | None:
        if message.value is None:
            return None  # a key of guard.state that was deleted
        try:
            return _READ[message.position.topic](message.value, message.time)
        except (RecordError, ledger.LedgerError, orders.OrderError) as error:
            self.unreadable += 1
            _log.warning("%s, offset %d: %s", message.position.topic, message.position.offset, error)
            return None

    def _read_history(self, bus: Bus) -> None:
        """What happened before, and what is said now; not to be told, where it is over."""
        self._reached.clear()
        self._hand_over(Batch((), {}, history=True, first=True))
        newest = 0.0
        for topic in (Topic.LEDGER, Topic.STATE):
            page: list[Message] = []
            for message in bus.scan(topic):
                newest = max(newest, message.time)
                page.append(message)
                if len(page) == _BATCH:
                    self._hand_over(self._batch(page, history=True))
                    page.clear()
                    self._look(bus)
            self._hand_over(self._batch(page, history=True))
        self._began = newest or max(time.time() - 3600.0, 0.0)  # an empty bus does not tell its time
        self._hand_over(Batch((), {}, history=True, began=self._began))
        self._caught_up = True

    def _hand_over(self, batch: Batch) -> None:
        while not self._stop.is_set():
            with suppress(queue.Full):
                self._batches.put(batch, timeout=_POLL)
                return


def _said(value: bytes, taken: float) -> Event:
    return Said(verdict.decode(value), taken)


def _entered(value: bytes, taken: float) -> Event:
    return Entered(ledger.decode(value), taken)


def _ordered(value: bytes, taken: float) -> Event:
    return Ordered(orders.decode(value), taken)


_READ: dict[Topic, Callable[[bytes, float], Event]] = {
    Topic.VERDICTS: _said,
    Topic.STATE: _said,
    Topic.LEDGER: _entered,
    Topic.CONTROL: _ordered,
}
