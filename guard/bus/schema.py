"""The SQLite file of the embedded bus: its tables, its settings, and where it may lie."""

import os
import sqlite3
from pathlib import Path

import psutil

from guard.bus import BusError, BusUnavailableError

APPLICATION = 0x67756172
"""``guar``: what tells this file from any other SQLite database."""
VERSION = 1
BUSY_SECONDS = 2.0
_NETWORK = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "lustre", "ceph", "beegfs", "gpfs", "afs", "fuse.")

_TABLES = """
CREATE TABLE log (
  id INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, part INTEGER NOT NULL,
  key TEXT NOT NULL, value BLOB, time REAL NOT NULL, bytes INTEGER NOT NULL);
CREATE INDEX by_part ON log (topic, part, id);
CREATE INDEX by_key ON log (topic, key);
CREATE TABLE total (one INTEGER PRIMARY KEY CHECK (one = 1), bytes INTEGER NOT NULL);
INSERT INTO total VALUES (1, 0);
CREATE TRIGGER added AFTER INSERT ON log BEGIN UPDATE total SET bytes = bytes + NEW.bytes; END;
CREATE TRIGGER removed AFTER DELETE ON log BEGIN UPDATE total SET bytes = bytes - OLD.bytes; END;
CREATE TABLE progress (grp TEXT, topic TEXT, part INTEGER, next INTEGER NOT NULL, PRIMARY KEY (grp, topic, part));
CREATE TABLE member (grp TEXT, name TEXT, topics TEXT, boot TEXT, seen REAL NOT NULL, PRIMARY KEY (grp, name));
"""


def connect(path: Path) -> sqlite3.Connection:
    """Open the file, and make it where there is none.

    Raises:
        BusError: the path cannot hold a bus; the text says what to do.
        BusUnavailableError: another process holds it for too long.
    """
    _refuse_network(path)
    try:
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise BusError(f"bus {path}: {error}; is the directory there and writable?") from error
    try:
        _prepare(connection)
        application, version = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in _STAMPS)
    except sqlite3.OperationalError as error:
        connection.close()
        raise BusUnavailableError(f"bus {path}: {error}") from error
    except sqlite3.DatabaseError as error:
        connection.close()
        raise BusError(f"bus {path}: {error}; move the file away to start a new bus") from error
    if (application, version) != (APPLICATION, VERSION):
        connection.close()
        raise BusError(
            f"bus {path}: not a bus of this version (application {application:#x}, version {version}; expected "
            f"{APPLICATION:#x}, {VERSION}); move the file away to start a new bus"
        )
    return connection


_STAMPS = ("application_id", "user_version")


def _prepare(connection: sqlite3.Connection) -> None:
    """Settings of a connection, and the tables of a new file: made by exactly one of the processes that race."""
    if connection.execute("PRAGMA page_count").fetchone()[0] == 0:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # only an empty file takes it
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("BEGIN IMMEDIATE")
    try:
        empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        if empty and connection.execute("PRAGMA user_version").fetchone()[0] == 0:
            for statement in _statements():
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {VERSION}")
    finally:
        connection.execute("COMMIT")


def _statements() -> list[str]:
    statements, pending = [], ""
    for line in _TABLES.strip().splitlines():
        pending += line + "\n"
        if sqlite3.complete_statement(pending):
            statements.append(pending)
            pending = ""
    return statements


def _refuse_network(path: Path) -> None:
    """SQLite's locks do not hold on network file systems (https://sqlite.org/faq.html, "5")."""
    place = os.path.realpath(path)
    mounts = [m for m in psutil.disk_partitions(all=True) if place.startswith(m.mountpoint.rstrip("/") + "/")]
    kind = max(mounts, key=lambda mount: len(mount.mountpoint)).fstype if mounts else ""
    if any(kind == network or kind.startswith(network) for network in _NETWORK):
        raise BusError(f"bus {path}: a {kind} file system; the embedded bus needs a local one")
