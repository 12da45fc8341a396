"""Sending: a thread for each channel, so that one that is down or hangs never delays another.

A letter leaves the outbox after its channel has taken it: a `kill -9` in between repeats it, under the same id,
and loses nothing. Of one page a channel gets everything in order.
"""

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guard.page.metrics import Metrics
from guard.page.outbox import Outbox, Told, Waiting
from guard.page.outbox_file import OutboxError
from remediation.alerts.notice import Kind, Notice
from remediation.alerts.protocol import Channel, ChannelError, RefusedError, SetupError, UnavailableError
from remediation.paging.events import Tried

if TYPE_CHECKING:
    from queue import SimpleQueue

_log = logging.getLogger("guard.page")

WITHIN = 10.0
"""Seconds that a channel has for one letter."""
_FIRST, _MOST = 1.0, 300.0
"""Seconds between tries while a channel takes nothing: doubled each time, less up to half of it at random."""
_LONGEST_ASKED = 3600.0
"""Seconds of a receiver's own wish that are granted."""
_IDLE, _REPEATS = 30.0, 1.0
"""Seconds between looks into an outbox that nobody wakes us for: at all, and where pages are to be repeated."""
_DISK = 1.0
"""Seconds between tries to write into an outbox that refuses."""
_ALWAYS = (Kind.TRIGGER, Kind.RESOLVE)
"""What every channel is told, whether it wants updates or not."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a channel does: since when it takes nothing, Unix seconds, and why; None: it takes what it is sent."""

    since: float | None = None
    reason: str = ""


class Sender:
    """Sends what waits for one channel. A thread of its own; daemon, so that a send in flight holds nobody.

    Args:
        name: of the channel.
        open_channel: opens it; called again while that fails.
        outbox: where letters wait.
        news: what the core is to know of the channel goes here.
        stop: ends the thread.
        metrics: Prometheus.
        refusal_stands: seconds for which a refused letter counts as trouble of the channel, whatever it takes
            afterwards: long enough for the core to have others told.
    """

    def __init__(
        self,
        name: str,
        open_channel: Callable[[], Channel],
        outbox: Outbox,
        news: "SimpleQueue[Tried]",
        stop: threading.Event,
        *,
        metrics: Metrics,
        refusal_stands: float,
    ) -> None:
        self.name = name
        self._open, self._outbox, self._news = open_channel, outbox, news
        self._metrics, self._stop, self._refusal_stands = metrics, stop, refusal_stands
        self._channel: Channel | None = None
        self._wake = threading.Event()
        self._standing = Standing()
        self._refused_until = 0.0
        self._well = True
        self._fails = 0
        self._failed: dict[int, int] = {}
        self._free_at = 0.0
        self._thread = threading.Thread(target=self._run, name=f"channel {name}", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def wake(self) -> None:
        """Something new may wait; or it is time to stop."""
        self._wake.set()

    def join(self, timeout: float) -> bool:
        """Wait for the thread's end; whether it has ended."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    @property
    def standing(self) -> Standing:
        """How the channel does."""
        return self._standing

    @property
    def alive(self) -> bool:
        """Whether the thread still sends."""
        return self._thread.is_alive()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                pause = self._turn()
            except OutboxError as error:
                _log.error("channel %s: %s", self.name, error)
                pause = _DISK
            self._wake.wait(pause)
            self._wake.clear()
        if self._channel is not None:
            self._channel.close()

    def _turn(self) -> float:
        """Send one letter, if one waits and the channel may be asked; seconds until there is more to do."""
        left = self._free_at - time.monotonic()
        if left > 0:
            return left
        self._calm()
        letter = self._outbox.next(self.name, self._failed)
        if letter is not None:
            self._send(letter)
        elif (told := self._outbox.again(self.name, time.time())) is not None:
            self._repeat(told)
        else:
            return _IDLE if self._channel is not None and self._channel.repeat is None else _REPEATS
        return max(self._free_at - time.monotonic(), 0.0)

    def _send(self, letter: Waiting) -> None:
        try:
            channel = self._opened()
            if letter.notice.kind not in _ALWAYS and not channel.wants_updates:
                self._outbox.passed_over(letter)
                return
            self._hand_over(channel, letter.notice)
        except RefusedError as error:
            self._refused(letter, str(error))
        except ChannelError as error:
            reason = str(error)
            self._mark(lambda: self._outbox.failed(letter, reason))
            self._failed[letter.id] = self._failed.get(letter.id, 0) + 1
            self._unavailable(error)
        else:
            self._taken(channel)
            again = None if channel.repeat is None else time.time() + channel.repeat
            self._mark(lambda: self._outbox.sent(letter, time.time(), again))

    def _repeat(self, told: Told) -> None:
        try:
            channel = self._opened()
            self._hand_over(channel, told.notice)
        except RefusedError as error:
            self._mark(lambda: self._outbox.repeated(told, time.time(), time.time() + _MOST))
            self._trouble(f"refused a repeat: {error}")
            self._free_at = time.monotonic() + _FIRST
        except ChannelError as error:
            self._unavailable(error)
        else:
            self._taken(channel)
            again = time.time() + (channel.repeat or _MOST)
            self._mark(lambda: self._outbox.repeated(told, time.time(), again))

    def _opened(self) -> Channel:
        if self._channel is None:
            self._channel = self._open()
        return self._channel

    def _hand_over(self, channel: Channel, notice: Notice) -> None:
        began = time.monotonic()
        try:
            channel.send(notice, WITHIN)
        except ChannelError:
            raise
        except Exception as error:  # noqa: BLE001  (a library's mistake; its text might hold an address)
            _log.error("channel %s: %s in sending", self.name, type(error).__name__)
            raise UnavailableError(f"{type(error).__name__} in sending") from None
        finally:
            self._metrics.tried(self.name, time.monotonic() - began)

    def _mark(self, write: Callable[[], None]) -> None:
        """Write what became of a letter. Until the disk takes it nothing else is sent, nor this again."""
        while True:
            try:
                write()
            except OutboxError as error:
                _log.error("channel %s: %s", self.name, error)
                if self._stop.wait(_DISK):
                    return
            else:
                return

    def _taken(self, channel: Channel) -> None:
        self._fails = 0
        self._failed.clear()
        self._free_at = time.monotonic() + channel.interval
        self._metrics.sent(self.name)
        self._well = True
        self._calm()

    def _refused(self, letter: Waiting, reason: str) -> None:
        notice = letter.notice
        _log.error("channel %s refused %s of page %s: %s", self.name, notice.kind, notice.page, reason)
        self._metrics.refused(self.name)
        self._mark(lambda: self._outbox.refused(letter, reason, time.time()))
        self._failed.pop(letter.id, None)
        self._refused_until = time.monotonic() + self._refusal_stands
        self._trouble(f"refused {notice.kind} of page {notice.page}: {reason}")
        self._free_at = time.monotonic() + (self._channel.interval if self._channel is not None else _FIRST)

    def _unavailable(self, error: ChannelError) -> None:
        self._fails += 1
        wait = min(_FIRST * 2 ** min(self._fails - 1, 20), _MOST) * random.uniform(0.5, 1.0)
        if isinstance(error, UnavailableError) and error.retry_after is not None:
            wait = max(wait, min(error.retry_after, _LONGEST_ASKED))
        if isinstance(error, SetupError):
            wait = max(wait, _IDLE / 2)
        self._free_at = time.monotonic() + wait
        self._metrics.failed(self.name)
        if self._fails == 1:
            _log.warning("channel %s: %s; trying again", self.name, error)
        else:
            _log.debug("channel %s, try %d: %s; next in %.1f s", self.name, self._fails, error, wait)
        self._trouble(str(error))

    def _trouble(self, reason: str) -> None:
        self._well = False
        since = time.time() if self._standing.since is None else self._standing.since
        self._become(Standing(since, reason))

    def _calm(self) -> None:
        """End the trouble, where the newest letter was taken and no refusal is so young that others must hear."""
        if self._well and self._standing.since is not None and time.monotonic() >= self._refused_until:
            _log.info("channel %s takes what it is sent again", self.name)
            self._become(Standing())

    def _become(self, standing: Standing) -> None:
        if standing != self._standing:
            self._standing = standing
            self._news.put(Tried(self.name, standing.since, standing.reason))
