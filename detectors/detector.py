"""The detector: telemetry in, verdicts out. Keeps jobs apart, and forgets what is over."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from collectors.telemetry import Telemetry
from detectors.arrival import Arrival
from detectors.board import Board
from detectors.idle import IdleFold
from detectors.job import JobFold
from detectors.policy import Policy
from detectors.verdict import Saying, Verdict

_Key = tuple[str, str | None, str | None]
"""Cluster, and a job or an idle node."""


@dataclass(slots=True)
class _Following:
    arrival: Arrival
    fold: JobFold | IdleFold
    watermark: float = float("-inf")
    moved: float = float("nan")


class Detector:
    """A fold over telemetry.

    The same records and policy give the same sayings about a job, byte for byte, in whatever order and batches
    the records come within the allowed lateness.

    Attributes:
        counts: what was set aside and why: `duplicate`, `late`, `stale` (of an attempt that is over),
            `hurried` (let go before its time, as the buffer was full), `not compared` (nodes left out of
            windows).
    """

    def __init__(self, policy: Policy) -> None:
        self.counts: Counter[str] = Counter()
        self._policy = policy
        self._board = Board(policy)
        self._following: dict[_Key, _Following] = {}
        self._homes: dict[tuple[str, str], tuple[float, _Key]] = {}

    def fold(self, records: Iterable[Telemetry]) -> list[Saying]:
        """Take records in, and say what follows from those whose time has come."""
        sayings: list[Saying] = []
        for record in records:
            key = _key(record)
            following = self._following.get(key)
            if following is None:
                following = self._following[key] = self._follow(key)
            if following.arrival.push(record) and following.arrival.due():
                sayings += self._take(key, following, following.arrival.ready())
        return sayings

    def remember(self, saying: Saying) -> None:
        """Take over what was said of a node before: an accusation stands until its node shows that it is well."""
        if isinstance(saying, Verdict):
            self._board.remember(saying)

    def tick(self, now: float) -> list[Saying]:
        """Notice what only the absence of records can tell.

        Args:
            now: seconds of any clock that moves only while the detector can hear; only differences count. A
                detector that was deaf must not conclude that others were mute.
        """
        sayings: list[Saying] = []
        for key, following in list(self._following.items()):
            sayings += self._wait(key, following, now)
        return sayings

    def finish(self) -> list[Saying]:
        """Take in what is still held back for late ones. For the end of a recording; nothing comes after it."""
        sayings: list[Saying] = []
        for key, following in list(self._following.items()):
            sayings += self._take(key, following, following.arrival.rest())
        return sayings

    def _follow(self, key: _Key) -> _Following:
        cluster, job, _ = key
        arrival = Arrival(self._policy, self.counts)
        if job is None:
            return _Following(arrival, IdleFold(cluster, self._policy, self._board, self.counts))
        return _Following(arrival, JobFold(cluster, job, self._policy, self._board, self.counts))

    def _take(self, key: _Key, following: _Following, records: list[Telemetry]) -> list[Saying]:
        sayings: list[Saying] = []
        for record in records:
            time, home = self._homes.get((record.cluster, record.node), (record.time, key))
            if home != key and record.time < time:
                # Held back here while the node was already heard elsewhere: it must not bring it back.
                continue
            self._homes[(record.cluster, record.node)] = (record.time, key)
            if home != key and home in self._following:
                old = self._following[home]
                old.arrival.drop(record.node)
                sayings += old.fold.depart(record.node)
            sayings += following.fold.take(record)
        return sayings

    def _wait(self, key: _Key, following: _Following, now: float) -> list[Saying]:
        arrival, fold = following.arrival, following.fold
        watermark = arrival.watermark() if arrival.newest else following.watermark
        if watermark != following.watermark or not following.moved <= now:
            following.watermark, following.moved = watermark, now
        waited = now - following.moved
        stuck = waited > self._policy.lateness + self._policy.silence
        sayings: list[Saying] = []
        if stuck or not arrival.newest:
            sayings += self._take(key, following, arrival.rest())
        elif waited <= 0:
            sayings += self._take(key, following, arrival.ready())
        if stuck:
            silent = fold.quiet(watermark + waited - self._policy.lateness)
            for saying in silent:
                if isinstance(saying, Verdict):
                    arrival.drop(saying.node)
            sayings += silent
        if waited > self._policy.forget or (fold.empty and arrival.empty and isinstance(fold, IdleFold)):
            self._forget(key)
        return sayings

    def _forget(self, key: _Key) -> None:
        del self._following[key]
        gone = [node for node, (_, home) in self._homes.items() if home == key]
        for node in gone:
            del self._homes[node]
            self._board.forget(*node)


def _key(record: Telemetry) -> _Key:
    if record.job is not None:
        return record.cluster, record.job.id, None
    return record.cluster, None, record.node
