"""The SQLite file of the outbox: its tables, who holds it, and what becomes of SQLite's errors."""

import fcntl
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from guard.bus.transaction import whole

APPLICATION = 0x70616765
"""``page``: what tells this file from any other SQLite database."""
VERSION = 1
_BUSY_SECONDS = 2.0
_MODE = 0o600
_CACHE_KIB = 512

_TABLES = (
    """CREATE TABLE pager (
      one INTEGER PRIMARY KEY CHECK (one = 1), state BLOB NOT NULL, began REAL NOT NULL)""",
    """CREATE TABLE reached (
      topic TEXT, part INTEGER, offset INTEGER NOT NULL, taken REAL NOT NULL, PRIMARY KEY (topic, part))""",
    # AUTOINCREMENT: a letter that was superseded while it was being sent never shares its number with another.
    """CREATE TABLE letter (
      id INTEGER PRIMARY KEY AUTOINCREMENT, channel TEXT NOT NULL, page TEXT NOT NULL, kind TEXT NOT NULL,
      notice BLOB NOT NULL, written REAL NOT NULL, tries INTEGER NOT NULL DEFAULT 0,
      error TEXT NOT NULL DEFAULT '', refused REAL)""",
    "CREATE INDEX of_page ON letter (channel, page, id) WHERE refused IS NULL",
    "CREATE INDEX of_channel ON letter (channel, id) WHERE refused IS NULL",
    "CREATE INDEX those_refused ON letter (channel, id) WHERE refused IS NOT NULL",
    # What a channel was told last of a page that stands there.
    """CREATE TABLE told (
      channel TEXT, page TEXT, kind TEXT NOT NULL, notice BLOB NOT NULL, time REAL NOT NULL, again REAL,
      PRIMARY KEY (channel, page))""",
    "CREATE INDEX to_repeat ON told (channel, again) WHERE again IS NOT NULL",
    f"PRAGMA application_id = {APPLICATION}",
    f"PRAGMA user_version = {VERSION}",
)


class OutboxError(Exception):
    """The outbox cannot be used, or refuses now. The text says what to do."""


def lock(path: Path) -> int:
    """Hold the outbox for this process, until the descriptor that is returned is closed or the process ends.

    In a file beside it: closing a descriptor of the database would drop SQLite's own locks.

    Raises:
        OutboxError: another process has it, or nothing can be written there.
    """
    beside = Path(f"{path}.lock")
    try:
        held = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, _MODE)
    except OSError as error:
        raise OutboxError(
            f"outbox {path}: {error.strerror}; make the directory {path.absolute().parent}, writable for this user"
        ) from error
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        raise OutboxError(
            f"outbox {path}: another guard page uses it; stop that one, or give this one a page.outbox of its own"
        ) from None
    return held


def connect(path: Path) -> sqlite3.Connection:
    """Open the file to write, and make it where there is none.

    Raises:
        OutboxError: it cannot be used.
    """
    try:
        os.mknod(path, _MODE | stat.S_IFREG)
    except FileExistsError:
        pass
    except OSError as error:
        raise OutboxError(
            f"outbox {path}: {error.strerror}; make the directory {path.absolute().parent}, writable for this user"
        ) from error
    with translated(path):
        connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                _make(connection)
            _require_ours(connection, path)
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        except BaseException:
            connection.close()
            raise
    return connection


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Open the file beside the service that writes it.

    Raises:
        OutboxError: it is not there, or cannot be used.
    """
    if not path.exists():
        raise OutboxError(f"outbox {path}: not there; has guard page run here? It makes it")
    with translated(path):
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_SECONDS)
        try:
            _require_ours(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """SQLite's errors as one of ours, with what to do.

    Raises:
        OutboxError: SQLite refused.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise OutboxError(f"outbox {path}: {error}; {_to_do(path, error)}") from error


@contextmanager
def transaction(connection: sqlite3.Connection, path: Path) -> Iterator[None]:
    """All of the block or nothing. Raises OutboxError."""
    with translated(path), whole(connection):
        yield


def _make(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("BEGIN IMMEDIATE")
    for statement in _TABLES:
        connection.execute(statement)
    connection.execute("COMMIT")


def _require_ours(connection: sqlite3.Connection, path: Path) -> None:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if application != APPLICATION:
        raise OutboxError(f"outbox {path}: a database of another program; give page.outbox another path")
    if version != VERSION:
        raise OutboxError(
            f"outbox {path}: written by another version of guard (format {version}, this one knows {VERSION});"
            f" run that version, or {start_anew(path)}"
        )


def start_anew(path: Path) -> str:
    """What to do where the file is of no use, as the end of an error's text."""
    return (
        f"move it away (mv {path} {path}.old, and {path}-wal where there is one): guard page then starts anew, and"
        " tells what is open now once more"
    )


def _to_do(path: Path, error: sqlite3.Error) -> str:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return f"the file is damaged: {start_anew(path)}"
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        return f"free some of the disk that holds {path.absolute().parent}; what is to be sent waits"
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return "another program holds the file: end it"
    return "this user must be able to write the file and its directory"
