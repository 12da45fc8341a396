"""The loop of ``guard watch``: take what was read, draw, wait for a key."""

import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.text import Text

from guard.grid import literal_console
from guard.watch.feed import Feed
from guard.watch.keys import Look, press, pressed
from guard.watch.seen import Seen
from guard.watch.terminal import Interrupts, Keyboard, keyboard, size
from guard.watch.view import Picture, Size, conclude, view

_NAP = 0.25
"""Seconds until a signal, a new size of the terminal or what was read at the start is noticed."""
_SMALL = Size(80, 24)
_PIPE = Size(120, 60)
"""Of a plain picture: rows that are not needed are left out."""
_WITHIN = 60.0
"""Seconds in which a bus has been read for the first time, or ``--once`` gives up."""
_ANSWERED, _UNANSWERED = 0, 2
_HUNG_UP = 128 + signal.SIGHUP


class Watch:
    """What the loops share.

    Args:
        feed: what reads the bus; started and stopped by whoever made it.
        cluster: whose ledger is told of.
        interval: seconds between pictures.
        stale_after: seconds without a word from the detector until nothing follows from silence.
    """

    def __init__(self, feed: Feed, cluster: str, interval: float, stale_after: float) -> None:
        self._feed, self._cluster = feed, cluster
        self._interval, self._stale_after = interval, stale_after
        self._seen = Seen(cluster)
        self._interrupts = Interrupts()

    def live(self, *, color: bool) -> int:
        """Draw on the terminal until somebody ends it; what the process is to end with."""
        console = Console(
            no_color=not color, markup=False, highlight=False, emoji=False, legacy_windows=False, soft_wrap=False
        )
        with self._interrupts.noted(), _alone(), keyboard() as keys:
            try:
                live = Live(console=console, screen=True, auto_refresh=False, redirect_stderr=False)
                with live:
                    return self._look(live, keys)
            except OSError:  # writing to a terminal that is gone
                return _gone()

    def plain(self, *, color: bool, once: bool) -> int:
        """Print a picture every interval, or one; what the process is to end with."""
        with self._interrupts.noted():
            deadline = time.monotonic() + _WITHIN
            while not self._interrupts.number:
                self._take()
                hearing = self._feed.hearing
                if once and hearing.heard is None and hearing.trouble is None and time.monotonic() < deadline:
                    time.sleep(_NAP / 5)
                    continue
                if hearing.heard is not None or hearing.trouble is not None:
                    self._take()
                    sys.stdout.write(_text(self._picture(Look(), _PIPE, time.time()), color=color) + "\n")
                    sys.stdout.flush()
                if once:
                    return _ANSWERED if hearing.heard is not None else _UNANSWERED
                self._sleep(self._interval)
        return 128 + self._interrupts.number

    def _look(self, live: Live, keys: Keyboard) -> int:
        look, room, due, frozen = Look(), size(_SMALL), 0.0, time.time()
        while not look.ended:
            if self._interrupts.number:
                return 128 + self._interrupts.number
            busy = not look.paused and self._take()
            now = size(_SMALL)
            if time.monotonic() >= due or now != room:
                room, due = now, time.monotonic() + (_NAP if busy else self._interval)
                frozen = frozen if look.paused else time.time()
                picture = self._picture(look, room, frozen)
                with self._interrupts.held_back():
                    live.update(Text("\n").join(picture.lines), refresh=True)
            typed = keys.wait(min(_NAP, max(due - time.monotonic(), 0.0)))
            if typed is None:
                return _gone()
            for key in pressed(typed):
                look = press(look, key, rows=picture.rows, total=picture.total)
                due = 0.0
        return 0

    def _take(self) -> bool:
        """Fold what was read; whether there may be more."""
        count = 0
        for batch in self._feed.take():
            count += 1
            if batch is None:
                self._seen.begin()
            for message in batch or ():
                self._seen.take(message)
        return count > 1

    def _picture(self, look: Look, room: Size, now: float) -> Picture:
        hearing = self._feed.hearing
        fleet = conclude(self._seen, self._seen.state(hearing.lately), self._cluster, now, self._stale_after)
        return view(fleet, hearing, look, room, now)

    def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._interrupts.number and time.monotonic() < until:
            time.sleep(min(_NAP, max(until - time.monotonic(), 0.0)))


def _text(picture: Picture, *, color: bool) -> str:
    """A picture for a pipe: without what fills it up, and without the keys."""
    console = literal_console(_PIPE.width, color=color)
    with console.capture() as captured:
        for line in picture.lines[:-1]:
            console.print(line)
    return "\n".join(line.rstrip() for line in captured.get().splitlines()).rstrip() + "\n"


@contextmanager
def _alone() -> Iterator[None]:
    """Nothing else is written on the screen meanwhile: the head says what is wrong."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def _gone() -> int:
    """The terminal is closed: what Python flushes at its end goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    os.close(nowhere)
    return _HUNG_UP
