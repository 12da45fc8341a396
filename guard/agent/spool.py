"""Records that wait for the bus: a bounded queue on disk that survives ``kill -9``.

Where the disk refuses (full, read-only), the queue goes on in memory with the same bound.
"""

import contextlib
import sqlite3
from pathlib import Path

_TABLES = """
CREATE TABLE IF NOT EXISTS spool (id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS lost (one INTEGER PRIMARY KEY CHECK (one = 1), records INTEGER NOT NULL);
INSERT OR IGNORE INTO lost VALUES (1, 0);
"""
_OVERHEAD = 64
"""Bytes that a row costs beside its key and value, about."""


class Spool:
    """The queue. Use it from one thread at a time.

    Args:
        path: the SQLite file, in a directory that is there.
        largest_bytes: bound on the records held; the oldest give way.
    """

    def __init__(self, path: Path, largest_bytes: int) -> None:
        self.trouble: str | None = None
        self._path = path
        self._largest = largest_bytes
        try:
            self._open(str(path))
        except sqlite3.Error as error:
            self._fall_back(error)

    @property
    def dropped(self) -> int:
        """Records that gave way since the file was made; in memory, since the disk refused."""
        return int(self._connection.execute("SELECT records FROM lost").fetchone()[0])

    def __len__(self) -> int:
        return int(self._connection.execute("SELECT count(*) FROM spool").fetchone()[0])

    def append(self, key: str, value: bytes) -> None:
        """Queue one record, and drop the oldest beyond the bound."""
        try:
            self._append(key, value)
        except sqlite3.Error as error:
            self._fall_back(error)
            self._append(key, value)

    def peek(self, most: int) -> list[tuple[int, str, bytes]]:
        """The oldest records: number, key, value. They stay until removed."""
        try:
            return self._connection.execute(
                "SELECT id, key, value FROM spool ORDER BY id LIMIT ?", (most,)
            ).fetchall()
        except sqlite3.Error as error:
            self._fall_back(error)
            return []

    def remove(self, number: int) -> None:
        """Forget this record and all before it."""
        try:
            with self._connection:
                self._connection.execute("DELETE FROM spool WHERE id <= ?", (number,))
            self._bytes = self._measure()
        except sqlite3.Error as error:
            self._fall_back(error)

    def close(self) -> None:
        """Close the file; what it holds stays for the next start."""
        self._connection.close()

    def _open(self, path: str) -> None:
        self._connection = sqlite3.connect(path, timeout=1.0, check_same_thread=False)
        try:
            self._connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.executescript(_TABLES)
            self._bytes = self._measure()
        except sqlite3.Error:
            self._connection.close()
            raise

    def _append(self, key: str, value: bytes) -> None:
        with self._connection:
            self._connection.execute("INSERT INTO spool (key, value) VALUES (?, ?)", (key, value))
            added = self._bytes + len(key) + len(value) + _OVERHEAD
            gone = self._make_room(added - self._largest)
        self._bytes = added - gone

    def _make_room(self, over: int) -> int:
        gone = 0
        while gone < over:
            row = self._connection.execute(
                "SELECT id, length(key) + length(value) + ? FROM spool ORDER BY id LIMIT 1", (_OVERHEAD,)
            ).fetchone()
            if row is None:
                break
            self._connection.execute("DELETE FROM spool WHERE id = ?", (row[0],))
            self._connection.execute("UPDATE lost SET records = records + 1")
            gone += row[1]
        return gone

    def _measure(self) -> int:
        query = "SELECT coalesce(sum(length(key) + length(value) + ?), 0) FROM spool"
        return int(self._connection.execute(query, (_OVERHEAD,)).fetchone()[0])

    def _fall_back(self, error: sqlite3.Error) -> None:
        """Go on in memory, with what the disk still gives of the queue."""
        if self.trouble is not None:
            raise error  # memory does not refuse: this is a mistake of ours
        self.trouble = f"spool {self._path}: {error}; queueing in memory"
        kept: list[tuple[str, bytes]] = []
        with contextlib.suppress(sqlite3.Error, AttributeError):
            kept = self._connection.execute("SELECT key, value FROM spool ORDER BY id").fetchall()
        with contextlib.suppress(sqlite3.Error, AttributeError):
            self._connection.close()
        self._open(":memory:")
        for key, value in kept:
            self._append(key, value)
