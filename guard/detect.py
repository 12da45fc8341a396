"""The detector as a service: telemetry from the bus in, verdicts to the bus out."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from collectors.telemetry import RecordError, Telemetry, decode
from detectors.detector import Detector
from detectors.policy import Policy
from detectors.verdict import Saying, encode
from detectors.verdict import decode as decode_saying
from guard.bus import Bus, BusUnavailableError, Consumer, Message, Outgoing, Topic
from guard.deadletter import dead_letter
from guard.systemd import Notifier

GROUP = "guard-detect"

_log = logging.getLogger("guard.detect")

_TICK = 1.0
"""Seconds between looks for what only silence can tell. Verdicts on it have a grace of many of these."""

_POLL = 0.5
"""Seconds to wait for records: SIGTERM must end the service within 2 s."""

_PUBLISH = 1.0
"""Seconds to wait for the bus to take records, before they are tried again."""

_LONGEST_PAUSE = 30.0
"""Seconds between attempts to reach a bus that is away."""

_AHEAD = 3600.0
"""Seconds that a record may lie after the moment at which the bus took it: a clock so wrong is set aside."""

_BATCH = 500
"""Records to the bus at once."""


class DetectService:
    """Follows the telemetry until it is told to stop. One thread; `run` is its life."""

    def __init__(
        self, open_bus: Callable[[], Bus], policy: Policy, notifier: Notifier, stop: threading.Event
    ) -> None:
        self._open, self._policy = open_bus, policy
        self._notifier, self._stop = notifier, stop
        self._detector = Detector(policy)
        self._waiting: list[Outgoing] = []
        self._heard = 0.0
        self._records = self._letters = 0

    def run(self) -> None:
        """Serve. Comes back after the bus was away, ends within 2 s of `stop`.

        Raises:
            BusError: the bus will never do, whatever the wait.
        """
        pause = 1.0
        ready = False
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                with self._open() as bus:
                    if not ready:
                        self._remember(bus)
                        self._notifier.ready()
                        ready = True
                    self._follow(bus)
            except BusUnavailableError as error:
                if time.monotonic() - began > _LONGEST_PAUSE:
                    pause = 1.0
                _log.warning("the bus is away, trying again in %.0f s: %s", pause, error)
                self._notifier.status(f"the bus is away: {error}")
                self._stop.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
        self._notifier.stopping()

    def _remember(self, bus: Bus) -> None:
        """Learn what was said last, so that a restart takes no accusation back."""
        for message in bus.scan(Topic.STATE):
            if self._stop.is_set():
                return
            with suppress(RecordError):
                if message.value is not None:
                    self._detector.remember(decode_saying(message.value))

    def _follow(self, bus: Bus) -> None:
        consumer = bus.consume([Topic.TELEMETRY], GROUP)
        try:
            # What a bus that went away had not taken. Records read again are dropped as repeats.
            self._deliver(bus, consumer, committing=False)
            last = ticked = time.monotonic()
            while not self._stop.is_set():
                messages = consumer.poll(_POLL, _BATCH)
                now = time.monotonic()
                # Time in which nothing could be heard must not count as anybody's silence.
                self._heard += min(now - last, 2 * _TICK)
                last = now
                self._fold(messages)
                if now - ticked >= _TICK:
                    ticked = now
                    self._say(self._detector.tick(self._heard))
                    self._notifier.status(f"{self._records} records read, {self._letters} set aside")
                self._deliver(bus, consumer, committing=bool(messages))
                self._notifier.watchdog()
        finally:
            consumer.close()

    def _fold(self, messages: Sequence[Message]) -> None:
        records: list[Telemetry] = []
        for message in messages:
            if message.value is None:
                continue
            try:
                record = decode(message.value)
                if record.time > message.time + _AHEAD:
                    raise RecordError(f"{record.time - message.time:.0f} s ahead of the bus - at `$.time`")  # noqa: TRY301  (set aside like the rest)
                records.append(record)
            except RecordError as error:
                self._letters += 1
                self._waiting.append(dead_letter(message, str(error)))
        self._records += len(records)
        self._say(self._detector.fold(records))

    def _say(self, sayings: Sequence[Saying]) -> None:
        for saying in sayings:
            value = encode(saying)
            self._waiting += [
                Outgoing(Topic.VERDICTS, saying.key, value),
                Outgoing(Topic.STATE, saying.key, value),
            ]

    def _deliver(self, bus: Bus, consumer: Consumer, *, committing: bool) -> None:
        """Publish what is waiting, and only then commit what it came from."""
        while self._waiting:
            bus.publish(self._waiting[:_BATCH], _PUBLISH)
            del self._waiting[:_BATCH]
        if committing:
            consumer.commit()
