"""How long the embedded bus keeps what, and how it stays within its size."""

import sqlite3

from guard.bus import COMPACTED, Topic

_HOUR, _DAY = 3600.0, 86_400.0
KEPT = {
    Topic.TELEMETRY: 6 * _HOUR,
    Topic.VERDICTS: 90 * _DAY,
    Topic.CONTROL: 90 * _DAY,
    Topic.DEADLETTER: 30 * _DAY,
}
"""Seconds. The ledger is kept for ever, compacted topics by key."""
TOMBSTONE_KEPT = _DAY
"""Seconds that the deletion of a key can be read, so that those who follow learn of it (Kafka's default, too)."""
_GIVES_WAY = (Topic.TELEMETRY, Topic.DEADLETTER, Topic.VERDICTS)
"""What goes, in this order, when the file is full: never the ledger, state, snapshots or orders."""
_AT_ONCE = 500
_MOST_CHUNKS = 40
_VACUUM_PAGES = 4096
# The oldest records, then their times: a search by time would read the whole topic to find that none is old.
_EXPIRE = (
    "DELETE FROM log WHERE id IN (SELECT id FROM"
    " (SELECT id, time FROM log WHERE topic = ? ORDER BY id LIMIT ?) WHERE time < ?)"
)
_EXPIRE_TOMBSTONES = (
    "DELETE FROM log WHERE id IN (SELECT id FROM"
    " (SELECT id, time FROM log WHERE topic = ? AND value IS NULL ORDER BY id LIMIT ?) WHERE time < ?)"
)


def compact(connection: sqlite3.Connection, topic: Topic, part: int, key: str, newest: int) -> None:
    """Of a compacted topic keep the newest record of a key in its partition."""
    if topic in COMPACTED:
        connection.execute(
            "DELETE FROM log WHERE topic = ? AND key = ? AND part = ? AND id < ?", (topic, key, part, newest)
        )


def expire(connection: sqlite3.Connection, now: float) -> bool:
    """Delete what is too old at ``now``, Unix seconds. True: there is more."""
    removed = [_rows(connection, _EXPIRE, topic, now - seconds) for topic, seconds in KEPT.items()]
    removed += [_rows(connection, _EXPIRE_TOMBSTONES, topic, now - TOMBSTONE_KEPT) for topic in COMPACTED]
    return max(removed) >= _AT_ONCE


def give_back(connection: sqlite3.Connection) -> None:
    """Return some free pages to the disk. Not within a transaction.

    The pragma gives a row without columns for each page, which ``execute`` never steps through.
    """
    connection.executescript(f"PRAGMA incremental_vacuum({_VACUUM_PAGES})")


def make_room(connection: sqlite3.Connection, largest: int) -> None:
    """Delete the oldest of what gives way until the records fill at most ``largest`` bytes.

    A transaction deletes so much at most; a bound that was lowered is reached after several.
    """
    over = connection.execute("SELECT bytes FROM total").fetchone()[0] - largest
    chunks = 0
    for topic in _GIVES_WAY:
        while over > 0 and chunks < _MOST_CHUNKS:
            freed = _free(connection, topic, over)
            if not freed:
                break
            over -= freed
            chunks += 1


def _rows(connection: sqlite3.Connection, statement: str, topic: Topic, before: float) -> int:
    return connection.execute(statement, (topic, _AT_ONCE, before)).rowcount


def _free(connection: sqlite3.Connection, topic: Topic, over: int) -> int:
    oldest = connection.execute(
        "SELECT id, bytes FROM log WHERE topic = ? ORDER BY id LIMIT ?", (topic, _AT_ONCE)
    ).fetchall()
    freed, last = 0, 0
    for number, size in oldest:
        if freed >= over:
            break
        freed += size
        last = number
    connection.execute("DELETE FROM log WHERE topic = ? AND id <= ?", (topic, last))
    return freed
