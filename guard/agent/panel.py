"""All collectors of a node, each on a thread of its own, so that one that hangs holds up none of the others."""

import logging
import queue
import threading
import time
from collections.abc import Sequence

from collectors.reading import Collector, Gap, Now, Reading

_log = logging.getLogger(__name__)
_CLOSE_WITHIN = 1.5


class _Desk:
    """One collector and its thread. At most one question is open at a time, so nothing piles up."""

    def __init__(self, collector: Collector) -> None:
        self.collector = collector
        self._questions: queue.SimpleQueue[Now | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[tuple[Now, Reading | Gap]] = queue.SimpleQueue()
        self._asked: Now | None = None
        self._thread = threading.Thread(target=self._work, name=f"collect-{collector.name}", daemon=True)
        self._thread.start()

    def ask(self, now: Now) -> None:
        """Put the question, unless the last one is still open."""
        self._drop_late_answer()
        if self._asked is None:
            self._asked = now
            self._questions.put(now)

    def answer(self, now: Now, deadline: float) -> Reading | Gap:
        """The answer about this period, or a gap once ``deadline`` (monotonic seconds) has passed."""
        if self._asked is not now:
            since = self._asked.monotonic if self._asked else now.monotonic
            return Gap(f"hangs for {now.monotonic - since:.0f} s")
        try:
            _, answer = self._answers.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            return Gap(f"no answer within {self.collector.deadline:g} s")
        self._asked = None
        return answer

    def leave(self) -> None:
        """Ask the thread to close its collector and end."""
        self._questions.put(None)

    def join(self, deadline: float) -> None:
        """Wait for the end, within the deadline: the thread of a collector that hangs is left behind."""
        self._thread.join(max(0.0, deadline - time.monotonic()))

    def _drop_late_answer(self) -> None:
        try:
            self._answers.get_nowait()
        except queue.Empty:
            return
        self._asked = None

    def _work(self) -> None:
        while (now := self._questions.get()) is not None:
            try:
                answer = self.collector.collect(now)
            except Exception as error:  # noqa: BLE001  (a collector's failure is its own: it becomes a gap)
                _log.debug("collector %s failed", self.collector.name, exc_info=True)
                answer = Gap(f"failed: {type(error).__name__}: {error}"[:300])
            self._answers.put((now, answer))
        self.collector.close()


class Panel:
    """Asks every collector about each period and gives what they answered in time."""

    def __init__(self, collectors: Sequence[Collector]) -> None:
        self._desks = [_Desk(collector) for collector in collectors]

    def collect(self, now: Now) -> dict[str, Reading | Gap]:
        """Readings and gaps by collector, after the longest of the deadlines at the latest."""
        for desk in self._desks:
            desk.ask(now)
        start = time.monotonic()
        return {desk.collector.name: desk.answer(now, start + desk.collector.deadline) for desk in self._desks}

    def close(self) -> None:
        """Close all collectors, within 1.5 s in all."""
        for desk in self._desks:
            desk.leave()
        deadline = time.monotonic() + _CLOSE_WITHIN
        for desk in self._desks:
            desk.join(deadline)
