"""Sending, apart from the agent's loop: a thread owns spool and bus, so the loop waits for neither."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

from guard.agent.spool import Spool
from guard.bus import Bus, BusError, BusUnavailableError, Outgoing, Topic

_log = logging.getLogger(__name__)
_MOST_WAITING = 64
_BATCH = 50
_PUBLISH_WITHIN = 5.0
_RETRY_FIRST, _RETRY_MOST = 0.5, 15.0


class Outbox:
    """Takes records at once, and sends them in order, as often as it takes.

    A record leaves the spool after the bus has acknowledged it: a crash in between repeats it and loses nothing.

    Args:
        open_bus: opens the bus; called again after each failure.
        make_spool: opens the spool, on the outbox's own thread.
    """

    def __init__(self, open_bus: Callable[[], Bus], make_spool: Callable[[], Spool]) -> None:
        self.sent = 0
        self.pending = 0
        self.refused = 0
        self.last_error: str | None = None
        self._lost_waiting = 0
        self._lost_spooled = 0
        self._open_bus = open_bus
        self._make_spool = make_spool
        self._bus: Bus | None = None
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._wake = threading.Condition()
        self._closing: float | None = None
        self._retry = _RETRY_FIRST
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """Records lost since the start, the oldest first: to a full spool, or to a disk that hung."""
        return self._lost_waiting + self._lost_spooled

    def put(self, key: str, value: bytes) -> None:
        """Queue one record. Never waits."""
        with self._wake:
            if len(self._waiting) == _MOST_WAITING:
                self._waiting.popleft()
                self._lost_waiting += 1
            self._waiting.append((key, value))
            self._wake.notify()

    def close(self, timeout: float) -> None:
        """Send what can be sent within ``timeout`` seconds, and end. The rest stays in the spool."""
        with self._wake:
            self._closing = time.monotonic() + timeout
            self._wake.notify()
        self._thread.join(timeout + 0.5)

    def _run(self) -> None:
        spool = self._make_spool()
        before = spool.dropped
        next_try = 0.0
        try:
            while True:
                self._take(spool, next_try)
                self._lost_spooled = spool.dropped - before if spool.dropped >= before else spool.dropped
                if self.pending and (time.monotonic() >= next_try or self._closing is not None):
                    next_try = 0.0 if self._send(spool) else time.monotonic() + self._retry
                if self._closing is not None and (
                    not self.pending or next_try or time.monotonic() > self._closing
                ):
                    return
        finally:
            spool.close()
            if self._bus is not None:
                self._bus.close()

    def _take(self, spool: Spool, next_try: float) -> None:
        """Wait for records, the next try or the end; then move what was put into the spool."""
        with self._wake:
            if not self._waiting and self._closing is None:
                left = max(0.0, next_try - time.monotonic()) if self.pending else None
                self._wake.wait(left)
            taken = list(self._waiting)
            self._waiting.clear()
        for key, value in taken:
            spool.append(key, value)
        self.pending = len(spool)

    def _send(self, spool: Spool) -> bool:
        """Publish one batch; False when the bus is away."""
        batch = spool.peek(_BATCH)
        try:
            if self._bus is None:
                self._bus = self._open_bus()
            self._publish(self._bus, batch)
        except BusError as error:
            self._away(error)
            return False
        if self.last_error is not None:
            _log.info("the bus is back, %d records wait", self.pending)
        self.last_error, self._retry = None, _RETRY_FIRST
        if batch:
            spool.remove(batch[-1][0])
        self.pending = len(spool)
        return True

    def _publish(self, bus: Bus, batch: list[tuple[int, str, bytes]]) -> None:
        records = [Outgoing(Topic.TELEMETRY, key, value) for _, key, value in batch]
        try:
            bus.publish(records, _PUBLISH_WITHIN)
        except BusUnavailableError:
            raise
        except BusError:
            self._publish_each(bus, records)
            return
        self.sent += len(records)

    def _publish_each(self, bus: Bus, records: list[Outgoing]) -> None:
        """One record that the bus will never take must not hold up the others: it is set aside and counted."""
        for record in records:
            try:
                bus.publish([record], _PUBLISH_WITHIN)
                self.sent += 1
            except BusUnavailableError:
                raise
            except BusError as error:
                self.refused += 1
                _log.warning("set aside a record of %d bytes: %s", len(record.value or b""), error)

    def _away(self, error: BusError) -> None:
        if self.last_error is None:
            _log.warning("the bus is away, records are kept: %s", error)
        self.last_error = str(error)
        self._retry = min(self._retry * 2, _RETRY_MOST)
        if self._bus is not None:
            self._bus.close()
            self._bus = None
