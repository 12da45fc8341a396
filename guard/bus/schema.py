"""The SQLite file of the embedded bus: its tables and settings, and how to open it."""

import os
import sqlite3
import stat
import time
from pathlib import Path

from guard.bus import BusError, BusUnavailableError
from guard.bus.location import refuse_network
from guard.bus.transaction import remedy

APPLICATION = 0x67756172
"""``guar``: what tells this file from any other SQLite database."""
VERSION = 1
_BUSY_SECONDS = 2.0
_MODE = 0o660
"""Less the umask. Whoever may write the file is an operator, and a reader of a WAL database writes, too."""
_WAL_BYTES = 64 << 20
_CACHE_KIB = 256
"""Pages kept in memory by a connection. SQLite's own 2 MB fill within minutes, and look like growth."""

_TABLES = (
    # AUTOINCREMENT: an offset never comes back, even after the newest record was deleted.
    """CREATE TABLE log (
      id INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, part INTEGER NOT NULL,
      key TEXT NOT NULL, value BLOB, time REAL NOT NULL, bytes INTEGER NOT NULL)""",
    "CREATE INDEX by_part ON log (topic, part)",  # an index ends in the id, so these two are in order of offsets
    "CREATE INDEX by_topic ON log (topic)",
    "CREATE INDEX by_key ON log (topic, key)",
    "CREATE INDEX tombstones ON log (topic) WHERE value IS NULL",
    "CREATE TABLE total (one INTEGER PRIMARY KEY CHECK (one = 1), bytes INTEGER NOT NULL)",
    "INSERT INTO total VALUES (1, 0)",
    "CREATE TRIGGER added AFTER INSERT ON log BEGIN UPDATE total SET bytes = bytes + NEW.bytes; END",
    "CREATE TRIGGER removed AFTER DELETE ON log BEGIN UPDATE total SET bytes = bytes - OLD.bytes; END",
    """CREATE TABLE progress (
      grp TEXT, topic TEXT, part INTEGER, next INTEGER NOT NULL, PRIMARY KEY (grp, topic, part))""",
    """CREATE TABLE member (
      place INTEGER PRIMARY KEY AUTOINCREMENT, grp TEXT NOT NULL, name TEXT NOT NULL, topics TEXT NOT NULL,
      boot TEXT NOT NULL, until REAL NOT NULL, UNIQUE (grp, name))""",
    """CREATE TABLE owner (
      grp TEXT, topic TEXT, part INTEGER, name TEXT NOT NULL, claim INTEGER NOT NULL,
      PRIMARY KEY (grp, topic, part))""",
    "CREATE TABLE turn (grp TEXT PRIMARY KEY, generation INTEGER NOT NULL)",
    f"PRAGMA application_id = {APPLICATION}",
    f"PRAGMA user_version = {VERSION}",
)


def connect(path: Path, *, synchronous: str) -> sqlite3.Connection:
    """Open the file, and make it where there is none.

    ``synchronous`` is ``FULL`` where a commit must outlive a power cut, and ``NORMAL`` where repeating it does
    no harm. Both survive ``kill -9``.

    Raises:
        BusError: the path cannot hold a bus; the text says what to do.
        BusUnavailableError: another process holds it for too long.
    """
    refuse_network(path)
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            return _open(path, synchronous)
        except BusUnavailableError:
            # SQLite does not wait where several processes switch a new file to WAL at once.
            if time.monotonic() >= deadline:
                raise
        time.sleep(0.02)


def identity(path: Path) -> tuple[int, int]:
    """Device and inode of the file at ``path``, (0, 0) where there is none."""
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return (found.st_dev, found.st_ino)


def require_same(path: Path, opened: tuple[int, int]) -> None:
    """Refuse to go on with a file that nobody else sees any more.

    Raises:
        BusUnavailableError: the file at ``path`` is not the one that was opened.
    """
    if identity(path) != opened:
        raise BusUnavailableError(f"bus {path}: the file was removed or replaced; open the bus again")


def _open(path: Path, synchronous: str) -> sqlite3.Connection:
    _create(path)
    try:
        connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise BusError(f"bus {path}: {error}; give a file that this user may read and write") from error
    try:
        # First whether it is empty, then what it is: another process may be making it.
        if _is_empty(connection) and _stamps(connection) == (0, 0):
            _make(connection)
        _require_ours(path, *_stamps(connection))
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    except sqlite3.Error as error:
        connection.close()
        raise _opening_error(path, error) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _create(path: Path) -> None:
    """Make an empty file with our mode.

    By ``mknod``: closing a descriptor of the file would drop the locks of every connection of this process.
    """
    try:
        os.mknod(path, _MODE | stat.S_IFREG)
    except FileExistsError:
        return
    except OSError as error:
        raise BusError(
            f"bus {path}: {error.strerror}; make the directory {path.absolute().parent}, writable for this user"
        ) from error


def _make(connection: sqlite3.Connection) -> None:
    """The tables of a new file: made by exactly one of the processes that race."""
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # only an empty file takes it
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("BEGIN IMMEDIATE")
    try:
        if _is_empty(connection):
            for statement in _TABLES:
                connection.execute(statement)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _is_empty(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None


def _stamps(connection: sqlite3.Connection) -> tuple[int, int]:
    return (
        connection.execute("PRAGMA application_id").fetchone()[0],
        connection.execute("PRAGMA user_version").fetchone()[0],
    )


def _require_ours(path: Path, application: int, version: int) -> None:
    if application != APPLICATION:
        raise BusError(f"bus {path}: a database of another program; give another path")
    if version != VERSION:
        raise BusError(
            f"bus {path}: written by another version of guard (format {version}, this one knows {VERSION}); "
            "run that version, or move the file away to start a new bus"
        )


def _opening_error(path: Path, error: sqlite3.Error) -> BusError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        return BusUnavailableError(f"bus {path}: {error}{remedy(error)}")
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return BusError(f"bus {path}: {error}{remedy(error)}")
    return BusError(f"bus {path}: {error}; this user must be able to write the file and its directory")
