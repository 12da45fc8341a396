"""Whether guard sees: the bus answers, agents send telemetry, a detector folds it (it writes snapshots then).

`Eyes` asks the bus; `Sight` is what is known from the answers, and since when. Silence counts from the last sign
of life by this machine's monotonic clock; what is new on the bus is told by the bus's own times, so that a clock
that is wrong, here or there, makes nobody blind.
"""

import math
import time
from collections.abc import Callable, Mapping

from guard.bus import Bus, Topic
from remediation.paging.events import Looked, Source

_TOPICS = (Topic.TELEMETRY, Topic.SNAPSHOTS)
_STEPS, _HALVES = 20, 40
"""Questions at most, to find the bus's time: from a minute ahead to ages, and back to less than a second."""
_CLOSE = 0.5
_AHEAD = 2.0
"""Seconds that the bus's clock may be ahead of what was reckoned until it is looked for again."""


class Eyes:
    """Asks the bus what it took since the last look. One thread uses it.

    Args:
        wall: Unix seconds here, a first guess at the bus's time.
        clock: monotonic seconds.
    """

    def __init__(self, wall: Callable[[], float] = time.time, clock: Callable[[], float] = time.monotonic) -> None:
        self._wall, self._clock = wall, clock
        # The bus had taken no telemetry at or after `mark` (its time) when our clock showed `at`.
        self._mark: float | None = None
        self._at = 0.0

    def look(self, bus: Bus) -> frozenset[Source]:
        """What gave a sign of life since the last look; the first one only finds out where time stands.

        Raises:
            BusUnavailableError: the bus does not answer.
        """
        now = self._clock()
        if self._mark is None:
            self._set(self._newest(bus, 0.0), now)
            return frozenset({Source.BUS})
        fresh = bus.taken(_TOPICS, self._mark)
        if Topic.TELEMETRY in fresh:
            reckoned = self._mark + (now - self._at)
            if bus.taken([Topic.TELEMETRY], reckoned + _AHEAD):
                reckoned = self._newest(bus, reckoned + _AHEAD)
            self._set(reckoned, now)
        # Without telemetry the mark stays where it is: it may be ahead of the bus, whose time then comes up to it.
        heard = {Source.BUS}
        heard |= {Source.TELEMETRY} if Topic.TELEMETRY in fresh else set()
        heard |= {Source.DETECTOR} if Topic.SNAPSHOTS in fresh else set()
        return frozenset(heard)

    def _set(self, mark: float, now: float) -> None:
        self._mark, self._at = mark, now

    def _newest(self, bus: Bus, low: float) -> float:
        """A time within a second after the newest telemetry's, by the bus's clock; ``low`` where there is none."""

        def later(than: float) -> bool:
            return bool(bus.taken([Topic.TELEMETRY], than))

        if not later(low):
            return low
        high, step = max(low, self._wall()) + 1.0, 60.0
        for _ in range(_STEPS):
            if not later(high):
                break
            low, high, step = high, high + step, 4 * step
        for _ in range(_HALVES):
            if high - low <= _CLOSE:
                break
            middle = (low + high) / 2
            low, high = (middle, high) if later(middle) else (low, middle)
        return high


class Sight:
    """Who was heard, and who has been silent for too long. Pure: times come in, monotonic seconds.

    Args:
        blind: seconds of silence until a source counts as silent.
        started: when listening began: each source has so long, too, before anything is said of it.
        silent: those that were silent before, each since when: they are until they are heard.
    """

    def __init__(self, blind: float, started: float, silent: Mapping[Source, float]) -> None:
        self._blind, self._started = blind, started
        self._heard: dict[Source, float] = {}
        self._from: dict[Source, float] = {}
        self._silent = dict(silent)

    def hear(self, heard: frozenset[Source], now: float) -> None:
        """Take what one look at the bus has found."""
        for source in heard:
            self._heard[source] = self._from[source] = now
            self._silent.pop(source, None)

    def judge(self, now: float) -> None:
        """Find out who is silent at ``now``.

        While the bus is away nobody can tell of the others; without telemetry nobody can tell of the detector.
        What was known of them then stays, and once it can be told again they have their time anew.
        """
        self._judge(Source.BUS, now, tellable=True)
        self._judge(Source.TELEMETRY, now, tellable=self._fresh(Source.BUS, now))
        self._judge(Source.DETECTOR, now, tellable=self._fresh(Source.TELEMETRY, now))

    def looked(self, now: float, wall: float) -> Looked:
        """What the core is to know, in Unix seconds.

        Args:
            now: monotonic seconds.
            wall: the same moment in Unix seconds.
        """
        return Looked({source: wall - (now - since) for source, since in self._silent.items()})

    @property
    def silent(self) -> frozenset[Source]:
        """Those that are silent."""
        return frozenset(self._silent)

    @property
    def clear(self) -> bool:
        """Whether everything was heard, and nothing is silent."""
        return not self._silent and len(self._heard) == len(Source)

    def _fresh(self, source: Source, now: float) -> bool:
        """Whether a source was heard so lately that what hangs on it can be told."""
        return source not in self._silent and now - self._heard.get(source, -math.inf) <= self._blind / 2

    def _judge(self, source: Source, now: float, *, tellable: bool) -> None:
        if not tellable:
            self._from[source] = now
        elif source not in self._silent and now - self._from.setdefault(source, self._started) > self._blind:
            self._silent[source] = self._heard.get(source, self._started)
