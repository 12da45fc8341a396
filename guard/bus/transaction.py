"""Short transactions on the embedded bus, with the bus's own errors."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from guard.bus import BusError, BusUnavailableError

_MOST_BYTES = 16 << 20
_REMEDIES = {
    sqlite3.SQLITE_BUSY: "; another process holds it: try again",
    sqlite3.SQLITE_LOCKED: "; another process holds it: try again",
    sqlite3.SQLITE_FULL: "; make room on its disk",
    sqlite3.SQLITE_IOERR: "; look at its disk: dmesg, df",
    sqlite3.SQLITE_READONLY: "; this user must be able to write it: run this as guard, sudo -u guard",
    sqlite3.SQLITE_CORRUPT: "; stop guard here, move the file away, and start a new bus",
    sqlite3.SQLITE_NOTADB: "; move the file away to start a new bus",
}
"""By SQLite's primary code."""


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Errors of a bus that was open: busy, full, read-only, damaged.

    All of them are the bus being away, never the record's fault: what was not taken can be sent again once
    somebody has seen to the disk.

    Raises:
        BusUnavailableError: SQLite refused.
        BusError: the bus was closed.
    """
    try:
        yield
    except sqlite3.ProgrammingError as error:
        raise BusError(f"bus {path}: {error}") from error
    except sqlite3.Error as error:
        raise BusUnavailableError(f"bus {path}: {error}{remedy(error)}") from error


def remedy(error: sqlite3.Error) -> str:
    """What to do about it, behind a semicolon; empty where SQLite tells all that there is to say."""
    return _REMEDIES.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, "")


@contextmanager
def transaction(connection: sqlite3.Connection, path: Path) -> Iterator[None]:
    """A write transaction: the whole block or nothing. Raises as ``translated``."""
    with translated(path), whole(connection):
        yield


@contextmanager
def whole(connection: sqlite3.Connection) -> Iterator[None]:
    """The whole block or nothing, with SQLite's own errors."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk has rolled back already
            connection.execute("ROLLBACK")
        raise


def page(rows: Iterable[tuple[Any, ...]], value: int) -> list[tuple[Any, ...]]:
    """Rows until their values (column ``value``) fill 16 MiB, at least one: what is held in memory at once."""
    taken, size = [], 0
    for row in rows:
        taken.append(row)
        size += len(row[value] or b"")
        if size >= _MOST_BYTES:
            break
    return taken
