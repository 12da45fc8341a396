"""Records of one job put back in order of event time, repeats and late ones taken out.

What leaves here is the same sequence however the records came, as long as none came later than the allowed
lateness. All that follows is a plain fold over that sequence.
"""

import heapq
from collections import Counter

import numpy as np

from collectors.telemetry import Telemetry
from detectors.policy import Policy

_REMEMBERED = 1024
"""Sequence numbers of one boot that are remembered for dropping repeats: hours, at any sensible period."""

_BUFFERED = 64
"""Records held per known node before the oldest are let go early. Lateness over period is far below."""


class Arrival:
    """The reorder buffer of one job (or one idle node).

    Attributes:
        newest: newest event time heard of each node that is live.
    """

    def __init__(self, policy: Policy, counts: Counter[str]) -> None:
        self.newest: dict[str, float] = {}
        self._policy = policy
        self._counts = counts
        self._heap: list[tuple[float, str, str, str, int, int, Telemetry]] = []
        self._pushed = 0
        self._released = float("-inf")
        self._seen: dict[tuple[str, str, str], list[int]] = {}
        self._left: dict[str, float] = {}
        self._unchecked = 0
        self._watermark = float("-inf")

    def push(self, record: Telemetry) -> bool:
        """Take a record in, or count why not.

        Returns:
            Whether it was new and in time.
        """
        if record.time < self._released:
            self._counts["duplicate" if self._repeated(record, note=False) else "late"] += 1
            return False
        if self._repeated(record, note=True):
            self._counts["duplicate"] += 1
            return False
        self._pushed += 1
        entry = (record.time, record.node, record.instance, record.boot, record.seq, self._pushed, record)
        heapq.heappush(self._heap, entry)
        self._hear(record)
        self._unchecked += 1
        return True

    def due(self) -> bool:
        """Whether enough has come in to make looking for finished times worth its cost."""
        return self._unchecked * 16 > len(self.newest)

    def ready(self) -> list[Telemetry]:
        """Records that the watermark has passed by the allowed lateness, in order of event time."""
        self._unchecked = 0
        self._watermark = self.watermark()
        records = self._release(self._watermark - self._policy.lateness)
        while len(self._heap) > _BUFFERED * (len(self.newest) + 16):
            self._counts["hurried"] += 1
            records.append(self._pop())
        return records

    def rest(self) -> list[Telemetry]:
        """Everything that is still held, in order of event time."""
        return self._release(float("inf"))

    def watermark(self) -> float:
        """The time that nine tenths of the live nodes have passed.

        A node is live while its newest record is within the silence of the ninth decile of all nodes, so that
        neither a dead node nor a clock that is ahead moves anything.
        """
        if not self.newest:
            return self._watermark
        if len(self.newest) == 1:
            return next(iter(self.newest.values()))
        times = np.sort(np.fromiter(self.newest.values(), dtype=float, count=len(self.newest)))
        live = times[times >= times[int(0.9 * (len(times) - 1))] - self._policy.silence]
        return float(live[len(live) // 10])

    def drop(self, node: str) -> None:
        """A node is no longer waited for."""
        self.newest.pop(node, None)

    @property
    def empty(self) -> bool:
        """Whether nothing is held."""
        return not self._heap

    def _hear(self, record: Telemetry) -> None:
        node = record.node
        if record.leaving:
            self._left[node] = record.time
            self.newest.pop(node, None)
        elif record.time > self._left.get(node, float("-inf")):
            # Older ones may be overtaken by the last one; one after it means that the node is back.
            self._left.pop(node, None)
            self.newest[node] = max(record.time, self.newest.get(node, record.time))

    def _repeated(self, record: Telemetry, *, note: bool) -> bool:
        """Look a record up among the newest sequence numbers of its boot, a bit each."""
        key = (record.node, record.instance, record.boot)
        window = self._seen.get(key)
        if window is None:
            if note:
                self._forget_boots()
                self._seen[key] = [record.seq, 1]
            return False
        ahead = record.seq - window[0]
        if ahead > 0:
            if note:
                kept = window[1] << ahead if ahead < _REMEMBERED else 0
                window[:] = [record.seq, (kept | 1) & ((1 << _REMEMBERED) - 1)]
            return False
        if -ahead >= _REMEMBERED or window[1] >> -ahead & 1:
            return True
        if note:
            window[1] |= 1 << -ahead
        return False

    def _forget_boots(self) -> None:
        """Agents that restart in a loop must not fill the memory: the oldest boots go first."""
        while len(self._seen) > 4 * (len(self.newest) + 16):
            del self._seen[next(iter(self._seen))]

    def _release(self, until: float) -> list[Telemetry]:
        records = []
        while self._heap and self._heap[0][0] <= until:
            records.append(self._pop())
        return records

    def _pop(self) -> Telemetry:
        time, *_, record = heapq.heappop(self._heap)
        self._released = max(self._released, time)
        return record
