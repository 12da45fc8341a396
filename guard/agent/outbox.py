"""Sending, apart from the agent's loop: a thread owns spool and bus, so the loop waits for neither."""

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from guard.agent.spool import Spool
from guard.bus import Bus, BusError, BusUnavailableError, Outgoing, Topic

_log = logging.getLogger(__name__)
_MOST_WAITING = 64
"""Records between the loop and the spool: ten minutes of a disk that hangs, at one every ten seconds."""
_BATCH = 50
_LONGEST_IDLE = 60.0
_AFTER_CLOSE = 0.5

Row = tuple[int, str, bytes]


@dataclass(frozen=True, slots=True)
class Standing:
    """How the sending goes, in this process.

    Attributes:
        sent, pending, dropped, refused: records, as of :class:`Outbox`.
        spool_bytes: bytes of those that wait.
        in_memory: whether they wait in memory alone, because the disk refuses.
        taken: when the bus took one last, Unix seconds; None: not yet.
        oldest: end of the period of the oldest that the bus did not take, Unix seconds; None where all were taken.
    """

    sent: int
    pending: int
    dropped: int
    refused: int
    spool_bytes: int
    in_memory: bool
    taken: float | None
    oldest: float | None


class OutboxEndedError(RuntimeError):
    """The outbox's thread is gone: nothing is sent any more, and only a new process mends that."""


class Outbox:
    """Takes records at once, and sends them in order, as often as it takes.

    A record leaves the spool after the bus has acknowledged it: a crash in between repeats it and loses nothing.
    The counts are of this process: ``sent`` was acknowledged, ``pending`` waits, ``refused`` was set aside because
    the bus will never take it.

    Args:
        open_bus: opens the bus; called again after each failure.
        make_spool: opens the spool, on the outbox's own thread.
        publish_within: seconds that the bus has for a batch.
        retry_first, retry_most: seconds between tries while the bus is away, doubled each time. A try comes up
            to half of that earlier, at random: the agents of a cluster must not come back at once.
    """

    def __init__(
        self,
        open_bus: Callable[[], Bus],
        make_spool: Callable[[], Spool],
        *,
        publish_within: float = 5.0,
        retry_first: float = 0.5,
        retry_most: float = 15.0,
    ) -> None:
        self.sent = 0
        self.pending = 0
        self.refused = 0
        self.last_error: str | None = None
        self.trouble: str | None = None
        self._lost_waiting = 0
        self._lost_spooled = 0
        self._spool_bytes = 0
        self._taken: float | None = None
        self._oldest: float | None = None
        self._open_bus = open_bus
        self._make_spool = make_spool
        self._publish_within = publish_within
        self._retry_first, self._retry_most = retry_first, retry_most
        self._retry = retry_first
        self._bus: Bus | None = None
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._wake = threading.Condition()
        self._closing: float | None = None
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """Records lost since the start, the oldest first: to a full spool, or to a disk that hung."""
        return self._lost_waiting + self._lost_spooled

    @property
    def alive(self) -> bool:
        """Whether the thread still takes records. Where it does not, ``last_error`` says why."""
        return self._thread.is_alive()

    @property
    def standing(self) -> Standing:
        """How the sending goes now."""
        return Standing(
            sent=self.sent,
            pending=self.pending,
            dropped=self.dropped,
            refused=self.refused,
            spool_bytes=self._spool_bytes,
            in_memory=self.trouble is not None,
            taken=self._taken,
            oldest=self._oldest if self.pending else None,
        )

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
        self._thread.join(timeout + _AFTER_CLOSE)

    def _run(self) -> None:
        try:
            spool = self._make_spool()
            try:
                self._serve(spool)
            finally:
                spool.close()
        except Exception as error:  # noqa: BLE001  (it must be seen; a thread has nobody to raise to)
            self.last_error = f"the outbox ended: {error}"
            _log.exception("the outbox ended, nothing is sent any more")
        finally:
            self._close_bus()

    def _serve(self, spool: Spool) -> None:
        next_try = 0.0
        while True:
            closing = self._take(spool, next_try)
            if self.pending and (closing is not None or time.monotonic() >= next_try):
                next_try = 0.0 if self._send(spool) else time.monotonic() + self._back_off()
            if closing is not None and (not self.pending or next_try or time.monotonic() >= closing):
                return

    def _take(self, spool: Spool, next_try: float) -> float | None:
        """Wait for records, the next try or the end; then move what was put into the spool.

        Returns the deadline of the closing as it was when the records were taken: what is put after that is not in
        the spool yet, and a closing that came later still has to take it.
        """
        with self._wake:
            self.pending = len(spool)
            left = next_try - time.monotonic() if self.pending else _LONGEST_IDLE
            if not self._waiting and self._closing is None and left > 0:
                self._wake.wait(left)
            taken, closing = list(self._waiting), self._closing
            self._waiting.clear()
        for key, value in taken:
            self._lost_spooled += spool.append(key, value)
        self.pending, self.trouble, self._spool_bytes = len(spool), spool.trouble, spool.size
        return closing

    def _send(self, spool: Spool) -> bool:
        """Publish one batch; False when the bus is away."""
        batch = spool.peek(_BATCH)
        self._oldest = _time_of(batch[0][2]) if batch else None
        try:
            if self._bus is None:
                self._bus = self._open_bus()
            self._publish(self._bus, spool, batch)
        except BusError as error:
            self._away(error)
            return False
        finally:
            self.pending, self._spool_bytes = len(spool), spool.size
        self._taken = time.time()
        if self.last_error is not None:
            _log.info("the bus is back, %d records wait", self.pending)
        self.last_error, self._retry = None, self._retry_first
        return True

    def _publish(self, bus: Bus, spool: Spool, batch: list[Row]) -> None:
        try:
            bus.publish([_outgoing(row) for row in batch], self._time_left())
        except BusUnavailableError:
            raise
        except BusError:
            self._publish_each(bus, spool, batch)
        else:
            spool.remove(batch[-1][0])
            self.sent += len(batch)

    def _publish_each(self, bus: Bus, spool: Spool, batch: list[Row]) -> None:
        """One record that the bus will never take must not hold up the others: it is set aside and counted."""
        for row in batch:
            try:
                bus.publish([_outgoing(row)], self._time_left())
            except BusUnavailableError:
                raise
            except BusError as error:
                self.refused += 1
                _log.warning("set aside a record of %d bytes: %s", len(row[2]), error)
            else:
                self.sent += 1
            spool.remove(row[0])

    def _time_left(self) -> float:
        """Seconds for one call of the bus, fewer when closing."""
        if self._closing is None:
            return self._publish_within
        return max(0.0, min(self._publish_within, self._closing - time.monotonic()))

    def _away(self, error: BusError) -> None:
        if self.last_error is None:
            _log.warning("the bus is away, records are kept: %s", error)
        self.last_error = str(error)
        self._close_bus()

    def _back_off(self) -> float:
        wait, self._retry = self._retry, min(self._retry * 2, self._retry_most)
        return wait * random.uniform(0.5, 1.0)

    def _close_bus(self) -> None:
        if self._bus is not None:
            with suppress(BusError):
                self._bus.close()
            self._bus = None


class _Timed(msgspec.Struct):
    time: float


_timed = msgspec.json.Decoder(_Timed)


def _time_of(value: bytes) -> float | None:
    """When the record says that its period ended."""
    try:
        return _timed.decode(value).time
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _outgoing(row: Row) -> Outgoing:
    return Outgoing(Topic.TELEMETRY, row[1], row[2])
