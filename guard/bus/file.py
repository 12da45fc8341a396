"""The embedded bus: one SQLite file for several processes of one machine.

Write-ahead logging, so readers do not hold up writers; short transactions; offsets are ``AUTOINCREMENT`` ids,
which never come back after retention. Whoever may write the file is an operator: the file's mode (0660 less the
umask) is its access control.
"""

import math
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Self

from guard.bus import COMPACTED, BusUnavailableError, Message, Outgoing, Position, Topic
from guard.bus.file_consumer import FileConsumer
from guard.bus.file_follower import FileFollower, before, newest
from guard.bus.membership import partition_of, partitions
from guard.bus.record_limits import require_fit, require_partition
from guard.bus.retention import compact, expire, give_back, make_room
from guard.bus.schema import connect, identity, require_same
from guard.bus.transaction import page, transaction, translated

_ROW = 64
"""Bytes that a record costs beside its key and value, about."""
_PAGE = 500
_PASSES = 8
_EXPIRE_EVERY = 10.0
_LONGEST_WAIT = 60.0


class FileBus:
    """A bus in the file at ``path``. Threads may share it; a forked child opens its own.

    Args:
        path: the file; made where there is none, in a directory that is there.
        largest_bytes: bound on keys and values together; the oldest telemetry gives way first, then dead
            letters, then verdicts. The file is a few percent larger, and has its log (-wal) beside it.
        session_timeout: seconds after which a member that does not poll is taken for dead.
        wall: Unix seconds, for the time of records and their retention.
        clock: monotonic seconds, the same for all processes of the machine, for sessions.

    Raises:
        BusError: the path cannot hold a bus; the text says what to do.
        BusUnavailableError: another process holds it for too long.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        largest_bytes: int = 2 << 30,
        session_timeout: float = 10.0,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = Path(path)
        self._largest = largest_bytes
        self._timeout = session_timeout
        self._wall = wall
        self._clock = clock
        self._lock = threading.Lock()
        self._writer = connect(self._path, synchronous="FULL")
        self._file = identity(self._path)
        self._expire_at = clock()

    def publish(self, records: Sequence[Outgoing], timeout: float) -> list[Position]:
        """Append all records in one transaction: all of them or none. ``BusError`` is a record's fault alone."""
        keys = [require_fit(record) for record in records]
        for record in records:
            require_partition(record, partitions(record.topic))
        wait = min(max(timeout, 0.0), _LONGEST_WAIT)
        if not self._lock.acquire(timeout=wait):
            raise BusUnavailableError(f"bus {self._path}: another thread publishes for longer than {timeout:g} s")
        try:
            require_same(self._path, self._file)
            with translated(self._path):
                self._writer.execute(f"PRAGMA busy_timeout = {int(wait * 1000)}")
            now = self._wall()
            with transaction(self._writer, self._path):
                positions = [self._append(record, key, now) for record, key in zip(records, keys, strict=True)]
                make_room(self._writer, self._largest)
            self._expire(now)
        finally:
            self._lock.release()
        return positions

    def consume(self, topics: Sequence[Topic], group: str) -> FileConsumer:
        """Join a group; see the protocol."""
        return FileConsumer(self._path, topics, group, session_timeout=self._timeout, clock=self._clock)

    def follow(self, topics: Sequence[Topic], *, since: float | None = None) -> FileFollower:
        """Read topics on and on; see the protocol."""
        return FileFollower(self._path, topics, since)

    def taken(self, topics: Sequence[Topic], since: float) -> frozenset[Topic]:
        """Which topics took something of late; see the protocol."""
        with closing(connect(self._path, synchronous="NORMAL")) as connection, translated(self._path):
            require_same(self._path, self._file)
            return frozenset(topic for topic in topics if _taken(connection, topic) >= since)

    def partitions(self, topic: Topic) -> int:
        """How many partitions a topic has: always the same."""
        return partitions(topic)

    def scan(self, topic: Topic, *, partition: int | None = None, since: float = 0.0) -> Iterator[Message]:
        """What the topic holds now, in pages, so that no transaction is long.

        A key of a compacted topic that is written meanwhile comes again with its newest record. The deletion of
        a key (value ``None``) can be read for a day.

        Raises:
            BusUnavailableError: the bus is away.
        """
        with closing(connect(self._path, synchronous="NORMAL")) as connection:
            with translated(self._path):
                after = before(connection, topic, since)
            # A key that is written anew moves behind the end: several passes, each shorter, until none has moved.
            for _ in range(_PASSES if topic in COMPACTED else 1):
                with translated(self._path):
                    last = newest(connection, topic)
                while after < last:
                    with translated(self._path):
                        rows = page(
                            connection.execute(
                                "SELECT id, part, key, value, time FROM log WHERE topic = ? AND id > ? AND id <= ?"
                                " AND part = coalesce(?, part) ORDER BY id LIMIT ?",
                                (topic, after, last, partition, _PAGE),
                            ),
                            value=3,
                        )
                    for number, part, key, value, taken in rows:
                        if taken >= since:
                            yield Message(Position(topic, part, number), key, value, taken)
                    after = rows[-1][0] if rows else last

    def close(self) -> None:
        """Close the file. Consumers close their own."""
        with self._lock:
            self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _append(self, record: Outgoing, key: bytes, now: float) -> Position:
        part = partition_of(record.topic, key) if record.partition is None else record.partition
        size = len(key) + len(record.value or b"") + _ROW
        number = (
            self._writer.execute(
                "INSERT INTO log (topic, part, key, value, time, bytes) VALUES (?, ?, ?, ?, ?, ?)",
                (record.topic, part, record.key, record.value, now, size),
            ).lastrowid
            or 0
        )
        compact(self._writer, record.topic, part, record.key, number)
        return Position(record.topic, part, number)

    def _expire(self, now: float) -> None:
        if self._clock() < self._expire_at:
            return
        self._expire_at = self._clock() + _EXPIRE_EVERY
        # The records are safe: a failure here must not have them published again. The next time does it.
        with suppress(BusUnavailableError), translated(self._path):
            with transaction(self._writer, self._path):
                if expire(self._writer, now):
                    self._expire_at = self._clock()
            give_back(self._writer)


def _taken(connection: sqlite3.Connection, topic: Topic) -> float:
    """When the topic's newest record was taken; before all time where it has none."""
    row = connection.execute("SELECT time FROM log WHERE id = ?", (newest(connection, topic),)).fetchone()
    return -math.inf if row is None else float(row[0])
