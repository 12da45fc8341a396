"""The life of a remediator: it stands by, leads while the group says so, and comes back when the bus was away."""

import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from guard.bus import Bus, BusUnavailableError
from guard.remediate.acting import Acting
from guard.remediate.book import Book
from guard.remediate.child import Opener
from guard.remediate.following import Following
from guard.remediate.hand import Hand
from guard.remediate.leadership import candidate
from guard.remediate.ledger import Ledger
from guard.remediate.looking import Looking
from guard.remediate.metrics import Metrics
from guard.remediate.sayings import Sayings
from guard.remediate.standing import standing
from guard.remediate.term import Lines, SucceededError, Term
from guard.systemd import Notifier
from remediation.policy import Policy

_log = logging.getLogger("guard.remediate")

_POLL = 0.2
"""Seconds to wait for orders: how late an act, an answer or SIGTERM may be noticed."""
_LONGEST_PAUSE = 10.0
"""Seconds between attempts to reach a bus that is away."""


class RemediateService:
    """Stands by or leads until it is told to stop. One thread; `run` is its life.

    Args:
        open_bus: opens the bus; called again after each failure.
        opener: opens the cluster, in a child process.
        policy: how guard acts.
        notifier: systemd.
        stop: ends the service.
        cluster: whose remediator it is.
        look_within: seconds that one look at the cluster may take.
        metrics: Prometheus; without it nobody looks.
    """

    def __init__(
        self,
        open_bus: Callable[[], Bus],
        opener: Opener,
        policy: Policy,
        notifier: Notifier,
        stop: threading.Event,
        *,
        cluster: str,
        look_within: float,
        metrics: Metrics | None = None,
    ) -> None:
        self._open, self._opener, self._policy = open_bus, opener, policy
        self._notifier, self._stop = notifier, stop
        self._cluster, self._look_within = cluster, look_within
        self._metrics = metrics or Metrics()
        self._process = f"{socket.gethostname()}:{os.getpid()}"

    def run(self) -> None:
        """Serve. Comes back after the bus was away; ends within 2 s of `stop`, an act in flight with it.

        Raises:
            BusError: the bus will never do, whatever the wait.
        """
        pause = 1.0
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                with self._open() as bus, self._lines(bus) as lines:
                    self._notifier.ready()
                    self._serve(lines)
            except SucceededError:
                _log.warning("another remediator leads: standing by")
            except BusUnavailableError as error:
                pause = 1.0 if time.monotonic() - began > _LONGEST_PAUSE else pause
                _log.warning("the bus is away, nothing is acted on; trying again in %.0f s: %s", pause, error)
                self._metrics.away()
                self._notifier.status(f"the bus is away: {error}")
                self._stop.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
        self._notifier.stopping()

    @contextmanager
    def _lines(self, bus: Bus) -> Iterator[Lines]:
        with contextlib.ExitStack() as stack:
            ledger = stack.enter_context(contextlib.closing(Ledger(bus, self._cluster)))
            sayings = stack.enter_context(contextlib.closing(Sayings(bus, self._cluster)))
            following = stack.enter_context(contextlib.closing(Following(bus, self._cluster)))
            # The last to come and the first to go: while it is there, all else is.
            yield Lines(bus, stack.enter_context(candidate(bus)), ledger, sayings, following)

    def _serve(self, lines: Lines) -> None:
        book = Book(self._cluster, self._policy)
        while not self._stop.is_set():
            lines.candidate.poll(_POLL, orders=False)
            if lines.candidate.claim is not None:
                self._lead(lines, book)
            for entered in lines.ledger.poll():
                book.take(entered)
            lines.sayings.poll()
            self._show(lines, book, "standing by")

    def _lead(self, lines: Lines, book: Book) -> None:
        """Lead until the claim is lost. The children are this term's: they end with it, whatever they do."""
        claim = lines.candidate.claim
        with (
            contextlib.closing(Hand(self._opener, "looking at the cluster")) as eye,
            contextlib.closing(Hand(self._opener, "acting on the cluster")) as hand,
        ):
            looking = Looking(eye, self._policy.observe, self._look_within)
            term = Term(lines, book, looking, Acting(hand), self._metrics, process=self._process)
            self._metrics.leads(True)
            try:
                while not self._stop.is_set():
                    orders = lines.candidate.poll(_POLL, orders=term.listening)
                    if lines.candidate.claim != claim:
                        _log.warning("the group gave the lead to another: standing by")
                        return
                    term.turn(orders)
                    waiting = ", waiting" if term.waiting else ""
                    self._show(lines, book, f"leading from {term.epoch}{waiting}")
            finally:
                self._metrics.leads(False)

    def _show(self, lines: Lines, book: Book, status: str) -> None:
        self._metrics.standing(standing(book.state.durable, time.time()))
        self._metrics.unreadable(lines.ledger.unreadable + lines.sayings.unreadable + lines.following.unreadable)
        self._notifier.status(status)
        self._notifier.watchdog()
