"""What a pager tells Prometheus, on loopback. No label names a node, a job or a page: there are many."""

import math
import time
from collections import Counter as Tally
from collections.abc import Iterable, Mapping

from prometheus_client import Counter, Gauge, Histogram

from guard.exposition import Told, new_registry
from guard.page.outbox import Queue
from remediation.alerts.notice import Notice
from remediation.paging.events import Source

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 15)
"""A receiver answers within a second; ten are its deadline."""


class Metrics:
    """Counters and gauges of one pager.

    Args:
        channels: names of those there are: each is seen from the start, also at zero.

    Attributes:
        registry: what is served.
    """

    def __init__(self, channels: Iterable[str] = ()) -> None:
        self.registry = registry = new_registry("page")
        self._channels = tuple(channels)
        self._pages = Gauge("guard_page_open", "Open pages", ["about", "severity"], registry=registry)
        self._waiting = Gauge("guard_page_letters_waiting", "Letters that wait", ["channel"], registry=registry)
        self._oldest = Gauge(
            "guard_page_oldest_letter_age_seconds",
            "Age of the oldest letter that waits; 0: none",
            ["channel"],
            registry=registry,
        )
        self._sent = Counter(
            "guard_page_letters_sent", "Letters that a channel took, repeats too", ["channel"], registry=registry
        )
        self._refused = Counter(
            "guard_page_letters_refused", "Letters that a channel will never take", ["channel"], registry=registry
        )
        self._failed = Counter(
            "guard_page_letters_failed",
            "Tries that came to nothing, and are made again",
            ["channel"],
            registry=registry,
        )
        self._seconds = Histogram(
            "guard_page_send_seconds", "Time of a try", ["channel"], buckets=_SECONDS, registry=registry
        )
        self._beat = Gauge(
            "guard_page_last_heartbeat_timestamp_seconds",
            "When the heartbeat was sent last, else when the pager started, Unix seconds; NaN: none is configured",
            registry=registry,
        )
        self._beat.set(math.nan)
        self._blind = Gauge("guard_page_blind", "1 while the source is silent", ["source"], registry=registry)
        self._unreadable = Told(
            Counter("guard_page_unreadable_records", "Records that could not be read", registry=registry)
        )
        self._away = Told(Counter("guard_page_bus_away", "Times that the bus was away", registry=registry))
        self._dropped = Told(
            Counter(
                "guard_page_updates_dropped",
                "Updates not sent, as newer ones or a full outbox made them old news",
                registry=registry,
            )
        )
        for channel in self._channels:
            for series in (self._waiting, self._oldest, self._sent, self._refused, self._failed, self._seconds):
                series.labels(channel)
        for source in Source:
            self._blind.labels(source)

    def tried(self, channel: str, seconds: float) -> None:
        """A channel was asked, and answered or did not within so many seconds."""
        self._seconds.labels(channel).observe(seconds)

    def sent(self, channel: str) -> None:
        """A channel took a letter."""
        self._sent.labels(channel).inc()

    def refused(self, channel: str) -> None:
        """A channel will never take a letter."""
        self._refused.labels(channel).inc()

    def failed(self, channel: str) -> None:
        """A channel did not take a letter now."""
        self._failed.labels(channel).inc()

    def beat(self) -> None:
        """The heartbeat was taken; or it begins to be waited for."""
        self._beat.set(time.time())

    def standing(self, notices: Iterable[Notice]) -> None:
        """These pages are open now."""
        counts = Tally((notice.about, notice.severity) for notice in notices)
        self._pages.clear()
        for (about, severity), pages in counts.items():
            self._pages.labels(about, severity).set(pages)

    def waiting(self, queues: Mapping[str, Queue], now: float) -> None:
        """So much waits for the channels at ``now``, Unix seconds."""
        for channel in self._channels:
            queue = queues.get(channel)
            self._waiting.labels(channel).set(0 if queue is None else queue.letters)
            self._oldest.labels(channel).set(0 if queue is None else max(now - queue.oldest, 0.0))

    def blind(self, silent: frozenset[Source]) -> None:
        """These sources are silent, all others are not."""
        for source in Source:
            self._blind.labels(source).set(source in silent)

    def read(self, *, unreadable: int, away: int, dropped: int) -> None:
        """Counts since the start: records that could not be read, absences of the bus, updates dropped."""
        self._unreadable.tell(unreadable)
        self._away.tell(away)
        self._dropped.tell(dropped)
