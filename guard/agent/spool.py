"""Records that wait for the bus: a bounded queue on disk that survives ``kill -9``.

Where the disk refuses (full, read-only), the queue goes on in memory with the same bound, and returns to the disk
when it can. What the disk holds stays there meanwhile: an agent that dies then sends it again.
"""

import logging
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from guard.agent.spool_table import SpoolTable

_log = logging.getLogger(__name__)
_RETRY_DISK = 30.0
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class Spool:
    """The queue, oldest first. Use it from one thread at a time.

    Args:
        path: the SQLite file, in a directory that is there. A damaged one is set aside as ``*.damaged``.
        largest_bytes: bound on the records held (key, value and 64 bytes each); the oldest give way.
        clock: monotonic seconds.
    """

    def __init__(
        self, path: str | os.PathLike[str], largest_bytes: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._path = Path(path)
        self._largest = largest_bytes
        self._clock = clock
        self._retry_at = 0.0
        self._copied = False
        self._trouble: str | None = None
        try:
            self._table = self._open_disk()
        except (sqlite3.Error, OSError) as error:
            self._table = SpoolTable(":memory:")
            self._complain(error)

    @property
    def trouble(self) -> str | None:
        """Why the queue is in memory; ``None`` while it is on disk."""
        return self._trouble

    @property
    def dropped(self) -> int:
        """Records that gave way since the file was made (while it cannot be read: since then)."""
        return self._table.dropped

    @property
    def size(self) -> int:
        """Bytes that the records held count toward the bound."""
        return self._table.size

    def __len__(self) -> int:
        return self._table.records

    def append(self, key: str, value: bytes) -> int:
        """Queue one record; return how many of the oldest gave way, the new one too if it alone is too large."""
        returned = self._return_to_disk()
        try:
            return returned + self._table.append(key, value, self._largest)
        except sqlite3.Error as error:
            self._fall_back(error)
            return returned + self._table.append(key, value, self._largest)

    def peek(self, most: int) -> list[tuple[int, str, bytes]]:
        """The oldest records: number, key, value. They stay until removed."""
        try:
            return self._table.peek(most)
        except sqlite3.Error as error:
            self._fall_back(error)
            return self._table.peek(most)

    def remove(self, number: int) -> None:
        """Forget this record and all before it. Numbers hold until the next ``append``."""
        try:
            self._table.remove(number)
        except sqlite3.Error as error:
            self._fall_back(error)
            self._table.remove(number)

    def close(self) -> None:
        """Close the file; what it holds stays for the next start. What is in memory alone is lost."""
        self._return_to_disk(at_once=True)
        self._table.close()

    def _open_disk(self) -> SpoolTable:
        try:
            return SpoolTable(str(self._path))
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _DAMAGED:
                raise
            _log.warning("spool %s: %s; set aside as *.damaged, its records are lost", self._path, error)
        self._path.replace(f"{self._path}.damaged")
        for suffix in ("-wal", "-shm"):
            Path(f"{self._path}{suffix}").unlink(missing_ok=True)
        return SpoolTable(str(self._path))

    def _complain(self, error: Exception) -> None:
        self._trouble = f"spool {self._path}: {error}; records wait in memory"
        self._retry_at = self._clock() + _RETRY_DISK

    def _fall_back(self, error: sqlite3.Error) -> None:
        """Go on in memory, with what the disk still gives of the queue, under the same numbers."""
        if self._trouble is not None:
            raise error  # memory does not refuse: this is a mistake of ours
        _log.warning("spool %s: %s; records wait in memory", self._path, error)
        memory = SpoolTable(":memory:")
        try:
            memory.take_over(self._table, self._largest, replace=True)
            self._copied = True
        except sqlite3.Error:
            self._copied = False  # what the disk holds is older; it goes first once it can be read again
        self._table.close()
        self._table = memory
        self._complain(error)

    def _return_to_disk(self, *, at_once: bool = False) -> int:
        """Try the disk again now and then; return how many records gave way in joining the two."""
        if self._trouble is None or (self._clock() < self._retry_at and not at_once):
            return 0
        try:
            disk = self._open_disk()
        except (sqlite3.Error, OSError) as error:
            self._complain(error)
            return 0
        try:
            gone = disk.take_over(self._table, self._largest, replace=self._copied)
        except sqlite3.Error as error:
            disk.close()
            self._complain(error)
            return 0
        self._table.close()
        self._table, self._trouble, self._copied = disk, None, False
        _log.info("spool %s: back on disk, %d records", self._path, disk.records)
        return gone
