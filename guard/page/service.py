"""The life of a pager: it hears, writes down what is due, and lets each channel send it.

The bus is read by a thread of its own (`intake`), each channel has one (`senders`), and so has the heartbeat. This
one waits for none of them: whatever hangs, it goes on to judge, and what can be told is told.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING

from guard.bus import Bus
from guard.page.desk import Desk
from guard.page.eyes import Sight
from guard.page.heartbeat import Switch
from guard.page.intake import Intake, Past
from guard.page.metrics import Metrics
from guard.page.outbox import MOST_WAITING, Outbox, Queue
from guard.page.outbox_file import OutboxError
from guard.page.senders import Sender
from guard.page.settings import Page
from guard.systemd import Notifier
from remediation.alerts.opening import open_channel
from remediation.alerts.protocol import Channel
from remediation.alerts.settings import ChannelChoice

if TYPE_CHECKING:
    from remediation.paging.events import Source, Tried

_log = logging.getLogger("guard.page")

_WAIT = 0.2
"""Seconds to wait for records: how late a page or SIGTERM may be noticed."""
_CATCH_UP = 15.0
"""Seconds after the start until what is due is told though not all is read that was missed: what has ended
meanwhile must not be told as new, and what is new must not wait for ever."""
_SHOW = 1.0
_LAST = 1.5
"""Seconds for all threads together to end."""


class PageService:
    """Pages until it is told to stop; `run` is its life.

    Args:
        open_bus: opens the bus; called again after each failure.
        settings: channels, who is told of what, and where the outbox is.
        notifier: systemd.
        stop: ends the service.
        metrics: Prometheus; without it nobody looks.
        opener: opens a channel by its name.
    """

    def __init__(
        self,
        open_bus: Callable[[], Bus],
        settings: Page,
        notifier: Notifier,
        stop: threading.Event,
        *,
        metrics: Metrics | None = None,
        opener: Callable[[str, ChannelChoice], Channel] = open_channel,
    ) -> None:
        self._open_bus, self._settings, self._notifier, self._stop = open_bus, settings, notifier, stop
        self._metrics = metrics or Metrics(settings.channels)
        self._opener = opener
        self._news: SimpleQueue[Tried] = SimpleQueue()
        self._queues: dict[str, Queue] = {}
        self._show_at = 0.0
        self._told_silent: frozenset[Source] | None = None

    def run(self) -> bool:
        """Serve; ends within 2 s of `stop`.

        Returns:
            Whether all threads have ended; one that has not is in the middle of a request, and what it sends is
            sent once more after the next start, under the same id.

        Raises:
            OutboxError: the outbox cannot be used.
        """
        with Outbox(self._settings.outbox) as outbox:
            for channel, letters in outbox.keep_only(self._settings.channels).items():
                _log.warning("channel %s is no longer configured: %d letters for it are dropped", channel, letters)
            desk = Desk(outbox, self._settings.policy, tuple(self._settings.channels))
            past = None if desk.learning else Past(outbox.reached(), outbox.began())
            intake = Intake(self._open_bus, past, self._settings.policy.blind, self._stop)
            senders = [self._sender(name, choice, outbox) for name, choice in self._settings.channels.items()]
            switch = Switch(self._settings.heartbeat, self._metrics, self._stop)
            threads: Sequence[Intake | Sender | Switch] = [intake, *senders, switch]
            try:
                for thread in threads:
                    thread.start()
                self._notifier.ready()
                _log.info("paging starts: channels %s", ", ".join(self._settings.channels) or "none")
                self._serve(desk, intake, senders, switch, outbox)
            finally:
                ended = self._end(intake, senders)
        return ended

    def _sender(self, name: str, choice: ChannelChoice, outbox: Outbox) -> Sender:
        policy = self._settings.policy
        return Sender(
            name,
            partial(self._opener, name, choice),
            outbox,
            self._news,
            self._stop,
            metrics=self._metrics,
            refusal_stands=policy.trouble + policy.gather + 60.0,
        )

    def _serve(
        self, desk: Desk, intake: Intake, senders: Sequence[Sender], switch: Switch, outbox: Outbox
    ) -> None:
        started = time.monotonic()
        silent = {source: started - max(time.time() - since, 0.0) for source, since in desk.silent.items()}
        sight = Sight(self._settings.policy.blind, started, silent)
        while not self._stop.is_set():
            self._listen(desk, intake)
            self._look(desk, intake, sight)
            now, clock = time.time(), time.monotonic()
            told = (intake.caught_up or clock - started > _CATCH_UP or desk.learning) and desk.turn(now, clock)
            for sender in senders:
                if told:
                    sender.wake()
                if not sender.alive and not self._stop.is_set():
                    raise RuntimeError(f"channel {sender.name} ended")
            if clock >= self._show_at:
                self._show_at = clock + _SHOW
                self._show(desk, intake, senders, sight, outbox)
            if self._well(desk, senders, sight):
                switch.fit()
            else:
                switch.unfit()
            self._notifier.watchdog()

    def _listen(self, desk: Desk, intake: Intake) -> None:
        """Take what was read, unless it could not be written down or sent: the bus keeps it meanwhile."""
        if desk.trouble is None and not self._full:
            batch = intake.take(_WAIT)
            if batch is not None:
                desk.take(batch, time.time())
        else:
            self._stop.wait(_WAIT)
        while not self._news.empty():
            desk.hear(self._news.get_nowait(), time.time())

    def _look(self, desk: Desk, intake: Intake, sight: Sight) -> None:
        for heard in intake.signs():
            sight.hear(heard, time.monotonic())
        sight.judge(time.monotonic())
        if sight.silent != self._told_silent and not desk.learning:
            self._told_silent = sight.silent
            desk.hear(sight.looked(time.monotonic(), time.time()), time.time())
            if sight.silent:
                _log.warning("guard is blind: %s", ", ".join(sorted(sight.silent)))

    @property
    def _full(self) -> bool:
        return any(waiting.letters > MOST_WAITING for waiting in self._queues.values())

    def _well(self, desk: Desk, senders: Sequence[Sender], sight: Sight) -> bool:
        """Whether guard sees, and somebody could be told."""
        mute = bool(senders) and all(self._long_down(sender) for sender in senders)
        return sight.clear and desk.trouble is None and not desk.learning and not self._full and not mute

    def _long_down(self, sender: Sender) -> bool:
        since = sender.standing.since
        return since is not None and time.time() - since > self._settings.policy.trouble

    def _show(self, desk: Desk, intake: Intake, senders: Sequence[Sender], sight: Sight, outbox: Outbox) -> None:
        now = time.time()
        try:
            self._queues = outbox.queues()
        except OutboxError as error:
            _log.error("%s", error)
        self._metrics.standing(desk.standing(now))
        self._metrics.waiting(self._queues, now)
        self._metrics.blind(sight.silent)
        self._metrics.read(unreadable=intake.unreadable, away=intake.absences, dropped=outbox.dropped)
        self._notifier.status(self._status(desk, intake, senders, sight, now))

    def _status(self, desk: Desk, intake: Intake, senders: Sequence[Sender], sight: Sight, now: float) -> str:
        waiting = sum(one.letters for one in self._queues.values())
        text = f"{_count(desk.open_pages(), 'page')} open, {_count(waiting, 'letter')} {_verb(waiting)}"
        parts = ["reading what lies on the bus" if desk.learning else text]
        parts += [f"outbox: {desk.trouble}"] if desk.trouble else []
        parts += ["the outbox is full, reading waits"] if self._full else []
        parts += [f"blind: {', '.join(sorted(sight.silent))}"] if sight.silent else []
        parts += [f"the bus is away: {intake.away}"] if intake.away else []
        for sender in senders:
            standing = sender.standing
            if standing.since is not None:
                parts.append(f"{sender.name} down since {_length(now - standing.since)}")
        return "; ".join(parts)

    def _end(self, intake: Intake, senders: Sequence[Sender]) -> bool:
        self._stop.set()
        self._notifier.stopping()
        deadline = time.monotonic() + _LAST
        for sender in senders:
            sender.wake()
        ended = True
        for sender in senders:
            if not sender.join(max(deadline - time.monotonic(), 0.0)):
                ended = False
                _log.warning(
                    "channel %s is left in the middle of a request; it may be told once more", sender.name
                )
        return intake.join(max(deadline - time.monotonic(), 0.0)) and ended


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _verb(number: int) -> str:
    return "waits" if number == 1 else "wait"


def _length(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
