"""The life of a detector: what it reads, what it says, and in which order that becomes safe."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress

from collectors.telemetry import RecordError
from detectors.board import Board
from detectors.policy import Policy
from detectors.verdict import Saying, Verdict, encode
from detectors.verdict import decode as decode_saying
from guard.bus import Bus, BusUnavailableError, Consumer, Follower, Message, Outgoing, Place, Topic
from guard.detect.metrics import Metrics
from guard.detect.partition import PartitionFold
from guard.systemd import Notifier

GROUP = "guard-detect"

_log = logging.getLogger("guard.detect")

_TICK = 1.0
"""Seconds between looks for what only silence can tell. Verdicts on it have a grace of many of these."""

_POLL = 0.5
"""Seconds to wait for records: SIGTERM must end the service within 2 s."""

_PUBLISH = 1.0
"""Seconds to wait for the bus to take records, before they are tried again."""

_PATIENCE = 60.0
"""Seconds of trying to publish, while reading pauses, until the connection is given up and opened anew."""

_LONGEST_PAUSE = 30.0
"""Seconds between attempts to reach a bus that is away."""

_SNAPSHOT = 20.0
"""Seconds between snapshots (the design): what one that takes over must read again, beside a window."""

_COUNT = 10.0
"""Seconds between counts of nodes and jobs for Prometheus, which asks about as often: each looks at every node."""

_BATCH = 500
"""Records to the bus at once, and read at once."""


class DetectService:
    """Follows the telemetry until it is told to stop. One thread; `run` is its life.

    Args:
        open_bus: opens the bus; called again after each failure.
        policy: thresholds.
        notifier: systemd.
        stop: ends the service.
        metrics: Prometheus; without it nobody looks.
    """

    def __init__(
        self,
        open_bus: Callable[[], Bus],
        policy: Policy,
        notifier: Notifier,
        stop: threading.Event,
        metrics: Metrics | None = None,
    ) -> None:
        self._open, self._policy = open_bus, policy
        self._notifier, self._stop = notifier, stop
        self._metrics = metrics or Metrics()
        self._board = Board(policy)
        self._folds: dict[Place, PartitionFold] = {}
        self._claims: dict[Place, int] = {}
        self._said: list[Outgoing] = []
        self._stored: list[Outgoing] = []
        self._committed: dict[Place, int] = {}
        self._heard = 0.0
        self._snapshot_at = 0.0
        self._count_at = 0.0

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
                    follower = self._remember(bus)
                    if not ready:
                        self._notifier.ready()
                        ready = True
                    self._follow(bus, follower)
            except BusUnavailableError as error:
                if time.monotonic() - began > _LONGEST_PAUSE:
                    pause = 1.0
                _log.warning("the bus is away, trying again in %.0f s: %s", pause, error)
                self._metrics.away()
                self._notifier.status(f"the bus is away: {error}")
                self._stop.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
        self._notifier.stopping()

    def _remember(self, bus: Bus) -> Follower:
        """Learn what was said last, so that a restart takes no accusation back; and go on to listen."""
        follower = bus.follow([Topic.STATE])  # first: what is said during the scan is heard twice, not never
        self._learn(bus.scan(Topic.STATE))
        return follower

    def _learn(self, messages: Iterable[Message]) -> None:
        for message in messages:
            if self._stop.is_set():
                return
            with suppress(RecordError):
                if message.value is not None:
                    saying = decode_saying(message.value)
                    if isinstance(saying, Verdict):
                        self._hear(saying)

    def _hear(self, verdict: Verdict) -> None:
        homes = [fold for fold in self._folds.values() if fold.detector.knows(verdict.cluster, verdict.node)]
        for fold in homes:
            fold.detector.remember(verdict)
        if not homes:
            self._board.remember(verdict)

    def _follow(self, bus: Bus, follower: Follower) -> None:
        consumer = bus.consume([Topic.TELEMETRY], GROUP)
        try:
            # The group may have given our partitions to others meanwhile: the bus says how far they came.
            self._folds.clear()
            self._claims.clear()
            self._stored.clear()
            last = ticked = time.monotonic()
            while not self._stop.is_set():
                messages = consumer.poll(_POLL, _BATCH)
                now = time.monotonic()
                # Time in which nothing could be heard must not count as anybody's silence.
                self._heard += min(now - last, 2 * _TICK)
                last = now
                self._hold(bus, consumer.claims())
                self._fold(messages)
                if now - ticked >= _TICK:
                    ticked = now
                    self._learn(follower.poll(0.0, _BATCH))
                    self._tick(now, consumer)
                self._deliver(bus, consumer)
                self._notifier.watchdog()
        finally:
            consumer.close()
            follower.close()

    def _hold(self, bus: Bus, claims: Mapping[Place, int]) -> None:
        """Let go of partitions that others have now, and take over those that are new, or were lost in between."""
        if claims == self._claims:
            return
        for place in [place for place, claim in self._claims.items() if claims.get(place) != claim]:
            del self._folds[place], self._claims[place]
            self._committed.pop(place, None)
        for place in sorted(claims.keys() - self._claims.keys()):
            fold = PartitionFold(place[1], self._policy, self._board, self._metrics)
            restored = fold.restore(bus)
            if restored:
                _log.info("partition %d: going on from %d snapshots", place[1], restored)
            self._folds[place], self._claims[place] = fold, claims[place]
        held = ", ".join(str(partition) for _, partition in sorted(claims)) or "none"
        _log.info("partitions held: %s", held)
        self._metrics.rebalanced(len(claims))

    def _fold(self, messages: Sequence[Message]) -> None:
        by_place: dict[Place, list[Message]] = {}
        for message in messages:
            by_place.setdefault((message.position.topic, message.position.partition), []).append(message)
        for place, found in by_place.items():
            fold = self._folds.get(place)
            if fold is None:
                continue  # lost in the very poll that gave them: whoever has it now reads them too
            sayings, letters = fold.fold(found)
            self._said += letters
            self._say(sayings)

    def _tick(self, now: float, consumer: Consumer) -> None:
        snapshot = now >= self._snapshot_at
        if snapshot:
            self._snapshot_at = now + _SNAPSHOT
        for fold in self._folds.values():
            self._say(fold.tick(self._heard))
            if snapshot:
                fold.detector.want_snapshots()
        lag = consumer.lag()
        self._metrics.show((fold.detector for fold in self._folds.values()), lag)
        if now >= self._count_at:
            self._count_at = now + _COUNT
            self._metrics.standing(fold.detector for fold in self._folds.values())
        behind = f", {sum(lag.values())} records behind" if sum(lag.values()) else ""
        self._notifier.status(f"{len(self._folds)} partitions held{behind}")

    def _say(self, sayings: Sequence[Saying]) -> None:
        self._metrics.said(len(sayings))
        for saying in sayings:
            value = encode(saying)
            self._said += [
                Outgoing(Topic.VERDICTS, saying.key, value),
                Outgoing(Topic.STATE, saying.key, value),
            ]

    def _deliver(self, bus: Bus, consumer: Consumer) -> None:
        """Publish what was said, then the snapshots that stand for having said it, and only then commit."""
        for fold in self._folds.values():
            self._stored += fold.snapshots()
        self._publish(bus, consumer, self._said)
        size = sum(len(record.value or b"") for record in self._stored)
        self._publish(bus, consumer, self._stored)
        if size and not self._stored:
            self._metrics.snapshot(size, time.time())
        if self._said or self._stored:
            return  # told to stop in between: whoever comes next says the rest
        places = {place: offset for place, fold in self._folds.items() if (offset := fold.resume()) is not None}
        moved = {place: offset for place, offset in places.items() if self._committed.get(place) != offset}
        if moved:
            consumer.commit(moved)
            self._committed |= moved

    def _publish(self, bus: Bus, consumer: Consumer, records: list[Outgoing]) -> None:
        """Publish all of them. While the bus does not take them reading pauses, and the membership is kept.

        Raises:
            BusUnavailableError: it did not take them for so long that the connection is to be opened anew; they
                are kept.
        """
        deadline = time.monotonic() + _PATIENCE
        paused = False
        while records and not self._stop.is_set():
            try:
                bus.publish(records[:_BATCH], _PUBLISH)
            except BusUnavailableError:
                if time.monotonic() > deadline:
                    raise
                if not paused:
                    consumer.pause()
                    self._metrics.paused()
                paused = True
                consumer.poll(_POLL, 1)
                continue
            del records[:_BATCH]
        if paused:
            consumer.resume()
