"""The agent's loop: at the end of each period ask the collectors, make one record, hand it to the outbox."""

import logging
import threading
import time
from collections.abc import Callable

from collectors.reading import Gap, Now
from collectors.telemetry import encode
from guard.agent.metrics import Metrics
from guard.agent.outbox import Outbox, OutboxEndedError
from guard.agent.panel import Panel
from guard.agent.record import Identity, assemble
from guard.agent.rhythm import next_end, sending_delay
from guard.systemd import Notifier

_log = logging.getLogger(__name__)
_FLUSH_WITHIN = 1.5
"""Seconds for the last records on SIGTERM; the whole agent ends in 2 s."""


class Agent:
    """One node's agent. ``run`` returns when ``stop`` is set.

    ``starts`` says how often neuron-monitor was started.
    """

    def __init__(
        self,
        *,
        identity: Identity,
        panel: Panel,
        outbox: Outbox,
        metrics: Metrics,
        notifier: Notifier,
        stop: threading.Event,
        starts: Callable[[], int] = lambda: 0,
    ) -> None:
        self._identity = identity
        self._panel = panel
        self._outbox = outbox
        self._metrics = metrics
        self._notifier = notifier
        self._stop = stop
        self._starts = starts
        self._seq = 0
        self._dropped = 0
        self._delay = sending_delay(identity.cluster, identity.node, identity.period)

    def run(self) -> None:
        """Record period after period, until stopped; then flush and close everything.

        Raises:
            OutboxEndedError: nothing can be sent any more. An agent that went on would look well and be mute.
        """
        self._notifier.ready()
        try:
            end = next_end(time.time(), self._identity.period)
            while self._wait_until(end):
                self._record(end)
                end = next_end(time.time(), self._identity.period)
        finally:
            self._notifier.stopping()
            closing = threading.Thread(target=self._panel.close, name="close-collectors", daemon=True)
            closing.start()
            self._outbox.close(_FLUSH_WITHIN)
            closing.join(_FLUSH_WITHIN)

    def _record(self, end: float) -> None:
        start = time.monotonic()
        now = Now(wall=end, monotonic=start - (time.time() - end))
        answers = self._panel.collect(now)
        record = assemble(self._identity, self._seq, end, answers, self._own_gaps())
        line = encode(record)
        self._seq += 1
        gaps = [name for name, answer in answers.items() if isinstance(answer, Gap)]
        seconds = time.monotonic() - start
        self._metrics.period(record, size=len(line), seconds=seconds, gaps=gaps, starts=self._starts())
        self._wait_until(end + self._delay)  # a stop sends at once
        self._outbox.put(record.key, line)
        if not self._outbox.alive:
            raise OutboxEndedError(self._outbox.last_error)
        self._metrics.outbox(self._outbox.standing)
        self._report(gaps)

    def _own_gaps(self) -> dict[str, str]:
        """Records that were lost since the last period are told in the next one that goes out."""
        dropped, self._dropped = self._outbox.dropped - self._dropped, self._outbox.dropped
        told = [f"{dropped} oldest records dropped while the bus was away"] if dropped > 0 else []
        told += [self._outbox.trouble] if self._outbox.trouble else []
        return {"spool": "; ".join(told)} if told else {}

    def _report(self, gaps: list[str]) -> None:
        """Tell systemd: only a period that was really recorded counts as progress."""
        waiting = f", {self._outbox.pending} waiting for the bus" if self._outbox.pending > 1 else ""
        without = f", without {', '.join(gaps)}" if gaps else ""
        self._notifier.status(f"period {self._seq}{waiting}{without}")
        self._notifier.watchdog()

    def _wait_until(self, wall: float) -> bool:
        """Wait for a time of the wall clock; False when stopped. A clock set back is not waited out."""
        while (left := wall - time.time()) > 0:
            if left > 2 * self._identity.period:
                _log.warning("the clock went back by about %.0f s", left)
                return True
            if self._stop.wait(left):
                return False
        return not self._stop.is_set()
