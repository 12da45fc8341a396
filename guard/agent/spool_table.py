"""The spool's table, on disk or in memory: rows, and how many bytes and losses they stand for."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

_OVERHEAD = 64
"""Bytes that a row costs beside its key and value, about."""
_SIZE = f"coalesce(sum(length(CAST(key AS BLOB)) + length(value) + {_OVERHEAD}), 0)"
_VACUUM_PAGES = 1000
_CACHE = 128
"""KiB of pages that SQLite keeps: rows are read once. Its own 2 MiB would fill up in an outage."""
_TABLES = (
    """CREATE TABLE IF NOT EXISTS spool (
      id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, value BLOB NOT NULL)""",
    "CREATE TABLE IF NOT EXISTS lost (one INTEGER PRIMARY KEY CHECK (one = 1), records INTEGER NOT NULL)",
    "INSERT OR IGNORE INTO lost VALUES (1, 0)",
)


class SpoolTable:
    """Rows in the order in which they came.

    Args:
        path: the SQLite file, or ``:memory:``.

    Raises:
        sqlite3.Error: from every method, where the disk refuses; the rows are then as they were.
    """

    records: int
    size: int
    dropped: int

    def __init__(self, path: str) -> None:
        self._connection = sqlite3.connect(path, timeout=1.0, isolation_level=None, check_same_thread=False)
        try:
            self._connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute(f"PRAGMA cache_size = -{_CACHE}")
            with self._transaction():
                for statement in _TABLES:
                    self._connection.execute(statement)
            self._count()
        except BaseException:
            self._connection.close()
            raise

    def append(self, key: str, value: bytes, largest: int) -> int:
        """Add a row; delete the oldest beyond ``largest`` bytes, and return how many."""
        with self._transaction():
            self._connection.execute("INSERT INTO spool (key, value) VALUES (?, ?)", (key, value))
            added = self.size + len(key.encode()) + len(value) + _OVERHEAD
            gone, freed = self._make_room(added - largest)
        self.records += 1 - gone
        self.size = added - freed
        self.dropped += gone
        return gone

    def peek(self, most: int) -> list[tuple[int, str, bytes]]:
        """The oldest rows: number, key, value."""
        return self._connection.execute("SELECT id, key, value FROM spool ORDER BY id LIMIT ?", (most,)).fetchall()

    def remove(self, number: int) -> None:
        """Delete this row and all before it, and give some room back to the disk."""
        with self._transaction():
            rows, size = self._connection.execute(
                f"SELECT count(*), {_SIZE} FROM spool WHERE id <= ?",  # noqa: S608  (a constant expression)
                (number,),
            ).fetchone()
            self._connection.execute("DELETE FROM spool WHERE id <= ?", (number,))
        self.records -= rows
        self.size -= size
        # A row without columns for each page, which ``execute`` never steps through.
        self._connection.executescript(f"PRAGMA incremental_vacuum({_VACUUM_PAGES})")

    def take_over(self, other: "SpoolTable", largest: int, *, replace: bool) -> int:
        """Take the rows and losses of ``other``: instead of ours, under their numbers, or behind ours.

        Returns how many gave way beyond ``largest`` bytes.
        """
        rows = other._connection.execute("SELECT id, key, value FROM spool ORDER BY id")  # noqa: SLF001  (a peer)
        with self._transaction():
            if replace:
                self._connection.execute("DELETE FROM spool")
                self._connection.executemany("INSERT INTO spool VALUES (?, ?, ?)", rows)
                self._connection.execute("UPDATE lost SET records = ?", (other.dropped,))
            else:
                self._connection.executemany(
                    "INSERT INTO spool (key, value) VALUES (?, ?)", ((key, value) for _, key, value in rows)
                )
                self._connection.execute("UPDATE lost SET records = records + ?", (other.dropped,))
            gone, _ = self._make_room(self._measure()[1] - largest)
        self._count()
        return gone

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _count(self) -> None:
        self.records, self.size = self._measure()
        self.dropped = int(self._connection.execute("SELECT records FROM lost").fetchone()[0])

    def _measure(self) -> tuple[int, int]:
        rows, size = self._connection.execute(f"SELECT count(*), {_SIZE} FROM spool").fetchone()  # noqa: S608
        return int(rows), int(size)

    def _make_room(self, over: int) -> tuple[int, int]:
        """Delete the oldest rows until ``over`` bytes are free: how many rows, how many bytes."""
        gone, freed, last = 0, 0, 0
        if over <= 0:
            return gone, freed
        sizes = self._connection.execute(
            f"SELECT id, length(CAST(key AS BLOB)) + length(value) + {_OVERHEAD}"  # noqa: S608
            " FROM spool ORDER BY id"
        )
        for last, size in sizes:  # noqa: B007  (``last`` is read below)
            gone, freed = gone + 1, freed + size
            if freed >= over:
                break
        sizes.close()
        self._connection.execute("DELETE FROM spool WHERE id <= ?", (last,))
        self._connection.execute("UPDATE lost SET records = records + ?", (gone,))
        return gone, freed

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:  # a full disk has rolled back already
                self._connection.execute("ROLLBACK")
            raise
