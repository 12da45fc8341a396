"""Records of one job put back in order of event time, repeats and late ones taken out.

What leaves here is the same sequence however the records came, as long as none came later than the allowed
lateness. All that follows is a plain fold over that sequence.

All nodes' periods end at the same times, so what is held is a few moments of many records, not one long queue.
"""

import heapq
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from collectors.telemetry import Compared
from detectors.held import Held
from detectors.policy import Policy

_REMEMBERED = 1024
"""Sequence numbers of one boot that are remembered for dropping repeats: hours, at any sensible period."""

_BUFFERED = 64
"""Records held per known node before the oldest are let go early. Lateness over period is far below."""

_Entry = tuple[str, str, str, int, int, Held]
"""Node, instance, boot, number of the record, number of the arrival, record: the order within a moment."""


@dataclass(frozen=True, slots=True)
class Moment:
    """All records of one event time, in order of node, instance, boot and number."""

    time: float
    records: Sequence[Held]


class Tally(msgspec.Struct, array_like=True):
    """Of some records how many there were, and the sum of their identities' checksums.

    Two tallies agree if and (but for chance) only if they stand for the same records, each counted once: what
    shows that nothing was lost or taken twice through any number of take-overs.
    """

    records: int = 0
    checksum: int = 0

    def count(self, records: Sequence[Held]) -> None:
        """Count these too."""
        self.records += len(records)
        self.checksum = (self.checksum + sum(record.checksum for record in records)) & 0xFFFF_FFFF_FFFF_FFFF


class ArrivalState(msgspec.Struct):
    """What a snapshot holds of the arrival. ``passed``: all records up to this time are folded or late."""

    passed: float
    reached: int
    newest: dict[str, float]
    left: dict[str, float]
    folded: Tally
    late: Tally
    attempt: int = 0
    before: list[str] = []


class Arrival:
    """The reorder buffer of one job (or one idle node).

    Attributes:
        newest: newest event time heard of each node that is live.
        through: event time up to which all was let go; what comes from before it comes too late.
        folded, late: tallies of what left here in order, and of what came too late.
    """

    def __init__(self, policy: Policy, counts: Counter[str]) -> None:
        self.newest: dict[str, float] = {}
        self.through = float("-inf")
        self.folded, self.late = Tally(), Tally()
        self._policy = policy
        self._counts = counts
        self._moments: dict[float, list[_Entry]] = {}
        self._times: list[float] = []
        self._held = 0
        self._pushed = 0
        self._seen: dict[tuple[str, str, str], list[int]] = {}
        self._left: dict[str, float] = {}
        self._attempt = 0
        self._before: set[str] = set()
        self._unchecked = 0
        self._watermark = float("-inf")
        self._reached = -1
        self._replay_to = -1

    def push(self, record: Compared, held: Held) -> bool:
        """Take a record in, or count why not.

        Returns:
            Whether it was new and in time.
        """
        again = held.offset <= self._replay_to
        self._reached = max(self._reached, held.offset)
        if record.time <= self.through:
            if again:
                return False  # before the snapshot it was folded, or counted late
            if self._repeated(record, note=False):
                self._counts["duplicate"] += 1
            else:
                self._counts["late"] += 1
                self.late.count((held,))
            return False
        if self._repeated(record, note=True):
            self._counts["duplicate"] += not again
            return False
        self._pushed += 1
        entry = (record.node, record.instance, record.boot, record.seq, self._pushed, held)
        moment = self._moments.get(record.time)
        if moment is None:
            self._moments[record.time] = [entry]
            heapq.heappush(self._times, record.time)
        else:
            moment.append(entry)
        self._held += 1
        self._hear(record)
        self._sort(record.node, held.attempt)
        self._unchecked += 1
        return True

    def due(self) -> bool:
        """Whether enough has come in to make looking for finished times worth its cost."""
        return self._unchecked * 16 > len(self.newest) and self._reached > self._replay_to

    def ready(self) -> list[Moment]:
        """What the watermark has passed by the allowed lateness, in order of event time."""
        self._unchecked = 0
        if self._reached <= self._replay_to:
            return []
        self._watermark = self.watermark()
        moments = self._release(self._watermark - self._policy.lateness)
        while self._held > _BUFFERED * (len(self.newest) + 16):
            self._counts["hurried"] += 1
            moments.append(self._pop())
        return moments

    def rest(self) -> list[Moment]:
        """Everything that is still held, in order of event time."""
        self._replay_to = -1
        return self._release(float("inf"))

    def watermark(self) -> float:
        """The time that nine tenths of the live nodes have passed.

        A node is live while its newest record is within the silence of the ninth decile of all nodes, so that
        neither a dead node nor a clock that is ahead moves anything. One that was last heard of in an attempt
        before the newest may be no part of the job any more: it is waited for no longer than a late record.
        """
        if not self.newest:
            return self._watermark
        if len(self.newest) == 1:
            return next(iter(self.newest.values()))
        times = np.sort(np.fromiter(self.newest.values(), dtype=float, count=len(self.newest)))
        front = times[int(0.9 * (len(times) - 1))]
        if self._before:
            late = front - self._policy.lateness
            waited = [time for node, time in self.newest.items() if time >= late or node not in self._before]
            times = np.sort(np.array(waited))
        live = times[times >= front - self._policy.silence]
        return float(live[len(live) // 10])

    def replayed(self) -> bool:
        """Whether something was read again for a snapshot since this was asked last."""
        moving = self._unchecked > 0 and self._reached <= self._replay_to
        if moving:
            self._unchecked = 0
        return moving

    def drop(self, node: str) -> None:
        """A node is no longer waited for."""
        self.newest.pop(node, None)
        self._before.discard(node)

    @property
    def empty(self) -> bool:
        """Whether nothing is held."""
        return not self._held

    def oldest(self) -> int | None:
        """The least offset of what is held; None where nothing is."""
        return min((entry[-1].offset for moment in self._moments.values() for entry in moment), default=None)

    def reached(self) -> int:
        """The greatest offset that was pushed."""
        return self._reached

    def freeze(self, passed: float) -> ArrivalState:
        """What a later one needs to go on from here, once it has read again from the oldest offset not folded.

        Args:
            passed: the event time up to which all has been folded.
        """
        return ArrivalState(
            passed,
            self._reached,
            dict(self.newest),
            dict(self._left),
            msgspec.structs.replace(self.folded),
            msgspec.structs.replace(self.late),
            self._attempt,
            sorted(self._before),
        )

    def restore(self, state: ArrivalState) -> None:
        """Go on from a snapshot. Until its newest offset is reached again, what comes is only gathered."""
        self.through = state.passed
        self._replay_to = state.reached
        self.newest, self._left = dict(state.newest), dict(state.left)
        self.folded, self.late = state.folded, state.late
        self._attempt, self._before = state.attempt, set(state.before)

    def _hear(self, record: Compared) -> None:
        node = record.node
        if record.leaving:
            self._left[node] = record.time
            self.newest.pop(node, None)
        elif record.time > self._left.get(node, float("-inf")):
            # Older ones may be overtaken by the last one; one after it means that the node is back.
            self._left.pop(node, None)
            self.newest[node] = max(record.time, self.newest.get(node, record.time))

    def _sort(self, node: str, attempt: int) -> None:
        """Tell nodes that the newest attempt has from those that were last heard of in one before."""
        if attempt > self._attempt:
            self._attempt = attempt
            self._before = set(self.newest)
        if attempt == self._attempt or node not in self.newest:
            self._before.discard(node)
        else:
            self._before.add(node)

    def _repeated(self, record: Compared, *, note: bool) -> bool:
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

    def _release(self, until: float) -> list[Moment]:
        moments = []
        while self._times and self._times[0] <= until:
            moments.append(self._pop())
        if math.isfinite(until):
            self.through = max(self.through, until)
        return moments

    def _pop(self) -> Moment:
        time = heapq.heappop(self._times)
        entries = self._moments.pop(time)
        entries.sort()
        self._held -= len(entries)
        self.through = max(self.through, time)
        return Moment(time, [entry[-1] for entry in entries])
