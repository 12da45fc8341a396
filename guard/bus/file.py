"""The embedded bus: one SQLite file for several processes of one machine.

Write-ahead logging, so readers do not hold up writers; short transactions; offsets are ``AUTOINCREMENT`` ids,
which never come back after retention. Whoever may write the file is an operator:
the file's mode is its access control.
"""

import os
import secrets
import sqlite3
import threading
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from guard.bus import BusError, BusUnavailableError, Message, Outgoing, Position, Topic
from guard.bus.membership import PARTITIONS, Held, Member, boot_id, heartbeat, held
from guard.bus.retention import compact, trim
from guard.bus.schema import connect

LARGEST_VALUE = 1_000_000
_LONGEST_KEY = 1024
_PAGE = 500
_TRIM_EVERY = 10.0
_NAP_FIRST, _NAP_MOST = 0.01, 0.1


class FileBus:
    """A bus in the file at ``path``. Threads may share it; a forked child opens its own.

    Args:
        path: the file; made where there is none, in a directory that is there.
        largest_bytes: bound on the sum of the values; the oldest telemetry gives way first.
        session_timeout: seconds after which a member that does not poll is taken for dead.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, largest_bytes: int = 2 << 30, session_timeout: float = 10.0
    ) -> None:
        self._path = Path(path)
        self._largest = largest_bytes
        self._timeout = session_timeout
        self._writer = connect(self._path)
        self._lock = threading.Lock()
        self._trimmed = 0.0

    def publish(self, records: Sequence[Outgoing], timeout: float) -> list[Position]:
        """Append all records in one transaction: all of them or none."""
        for record in records:
            _require_fit(record)
        now = time.time()
        if not self._lock.acquire(timeout=max(timeout, 0.0)):
            raise BusUnavailableError(f"bus {self._path}: another thread publishes for longer than {timeout:g} s")
        try:
            self._writer.execute(f"PRAGMA busy_timeout = {int(min(max(timeout, 0.0), 60.0) * 1000)}")
            with _transaction(self._writer, self._path):
                positions = [self._append(record, now) for record in records]
            if time.monotonic() - self._trimmed > _TRIM_EVERY:
                self._trim(now)
        finally:
            self._lock.release()
        return positions

    def consume(self, topics: Sequence[Topic], group: str) -> "FileConsumer":
        """Join a group; see the protocol."""
        return FileConsumer(self._path, topics, group, self._timeout)

    def scan(self, topic: Topic) -> Iterator[Message]:
        """What the topic holds now, in pages, so that no transaction is long."""
        connection = connect(self._path)
        try:
            with _translated(self._path):
                last = connection.execute("SELECT max(id) FROM log WHERE topic = ?", (topic,)).fetchone()[0] or 0
            after = 0
            while after < last:
                with _translated(self._path):
                    rows = connection.execute(
                        "SELECT id, part, key, value, time FROM log WHERE topic = ? AND id > ? AND id <= ?"
                        " ORDER BY id LIMIT ?",
                        (topic, after, last, _PAGE),
                    ).fetchall()
                if not rows:
                    return
                for number, part, key, value, taken in rows:
                    yield Message(Position(topic, part, number), key, value, taken)
                after = rows[-1][0]
        finally:
            connection.close()

    def close(self) -> None:
        """Close the file. Consumers close their own."""
        self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _append(self, record: Outgoing, now: float) -> Position:
        part = zlib.crc32(record.key.encode()) % PARTITIONS.get(record.topic, 1)
        size = len(record.key) + len(record.value or b"") + 64
        number = self._writer.execute(
            "INSERT INTO log (topic, part, key, value, time, bytes) VALUES (?, ?, ?, ?, ?, ?)",
            (record.topic, part, record.key, record.value, now, size),
        ).lastrowid
        if number is None:
            raise BusError(f"bus {self._path}: the record got no offset")
        compact(self._writer, record.topic, record.key, number)
        return Position(record.topic, part, number)

    def _trim(self, now: float) -> None:
        with _transaction(self._writer, self._path):
            more = trim(self._writer, now, self._largest)
        self._trimmed = time.monotonic() - (_TRIM_EVERY if more else 0.0)


class FileConsumer:
    """A member of a group on the embedded bus."""

    def __init__(self, path: Path, topics: Sequence[Topic], group: str, session_timeout: float) -> None:
        self._path = path
        self._group = group
        self._timeout = session_timeout
        self._name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._member = Member(group, self._name, " ".join(topics), boot_id())
        self._connection = connect(path)
        self._next: dict[tuple[Topic, int], int] = {}
        self._held: Held = frozenset()
        self._beat = 0.0

    def poll(self, timeout: float, limit: int = 500) -> Sequence[Message]:
        """Wait for records of this member's partitions, sleeping a little longer each time there are none."""
        deadline = time.monotonic() + timeout
        nap = _NAP_FIRST
        while True:
            messages = self._fetch(limit)
            left = deadline - time.monotonic()
            if messages or left <= 0:
                return messages
            time.sleep(min(nap, left))
            nap = min(nap * 2, _NAP_MOST)

    def commit(self) -> None:
        """Store how far this member came, in the partitions that it still holds."""
        with _transaction(self._connection, self._path):
            mine = held(self._connection, self._group, self._name)
            self._connection.executemany(
                "INSERT OR REPLACE INTO progress VALUES (?, ?, ?, ?)",
                [
                    (self._group, topic, part, after)
                    for (topic, part), after in self._next.items()
                    if (topic, part) in mine
                ],
            )

    def assigned(self) -> Held:
        """The partitions held at the last poll."""
        return self._held

    def close(self) -> None:
        """Leave the group."""
        try:
            with _transaction(self._connection, self._path):
                self._connection.execute(
                    "DELETE FROM member WHERE grp = ? AND name = ?", (self._group, self._name)
                )
        finally:
            self._connection.close()

    def _fetch(self, limit: int) -> list[Message]:
        self._rejoin()
        messages: list[Message] = []
        with _translated(self._path):
            for topic, part in sorted(self._held):
                if len(messages) >= limit:
                    break
                rows = self._connection.execute(
                    "SELECT id, key, value, time FROM log WHERE topic = ? AND part = ? AND id >= ?"
                    " ORDER BY id LIMIT ?",
                    (topic, part, self._next[topic, part], limit - len(messages)),
                ).fetchall()
                messages += [Message(Position(topic, part, n), key, value, taken) for n, key, value, taken in rows]
                if rows:
                    self._next[topic, part] = rows[-1][0] + 1
        return messages

    def _rejoin(self) -> None:
        """Beat, at most ten times a session timeout, and start new partitions where the group left them."""
        now = time.monotonic()
        if now - self._beat < self._timeout / 10:
            return
        with _transaction(self._connection, self._path):
            mine = heartbeat(self._connection, self._member, now, self._timeout)
            for topic, part in mine - self._held:
                row = self._connection.execute(
                    "SELECT next FROM progress WHERE grp = ? AND topic = ? AND part = ?",
                    (self._group, topic, part),
                ).fetchone()
                self._next[topic, part] = row[0] if row else 0
        self._held, self._beat = mine, now
        self._next = {place: after for place, after in self._next.items() if place in mine}


def _require_fit(record: Outgoing) -> None:
    if record.value is not None and len(record.value) > LARGEST_VALUE:
        raise BusError(f"a value of {len(record.value)} bytes for {record.topic}: at most {LARGEST_VALUE} fit")
    if len(record.key) > _LONGEST_KEY:
        raise BusError(f"a key of {len(record.key)} characters for {record.topic}: at most {_LONGEST_KEY} fit")


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise BusUnavailableError(f"bus {path}: {error}") from error
    except sqlite3.DatabaseError as error:
        raise BusError(f"bus {path}: {error}") from error


@contextmanager
def _transaction(connection: sqlite3.Connection, path: Path) -> Iterator[None]:
    with _translated(path):
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
