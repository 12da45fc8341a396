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
_GIVES_WAY = (Topic.TELEMETRY, Topic.DEADLETTER, Topic.VERDICTS)
"""What goes, in this order, when the file is full: never the ledger, state, snapshots or orders."""
_AT_ONCE = 500


def compact(connection: sqlite3.Connection, topic: Topic, key: str, newest: int) -> None:
    """Of a compacted topic keep the newest record of a key."""
    if topic in COMPACTED:
        connection.execute("DELETE FROM log WHERE topic = ? AND key = ? AND id < ?", (topic, key, newest))


def trim(connection: sqlite3.Connection, now: float, largest: int) -> bool:
    """Delete what is too old, and the oldest of what gives way beyond ``largest`` bytes. True: there is more."""
    removed = 0
    for topic, seconds in KEPT.items():
        removed += connection.execute(
            "DELETE FROM log WHERE id IN (SELECT id FROM log WHERE topic = ? AND time < ? ORDER BY id LIMIT ?)",
            (topic, now - seconds, _AT_ONCE),
        ).rowcount
    for topic in _GIVES_WAY:
        removed += _make_room(connection, topic, largest)
    if removed:
        connection.execute(f"PRAGMA incremental_vacuum({_AT_ONCE})").fetchall()
    return removed >= _AT_ONCE


def _make_room(connection: sqlite3.Connection, topic: Topic, largest: int) -> int:
    over = connection.execute("SELECT bytes FROM total").fetchone()[0] - largest
    if over <= 0:
        return 0
    oldest = connection.execute(
        "SELECT id, bytes FROM log WHERE topic = ? ORDER BY id LIMIT ?", (topic, _AT_ONCE)
    ).fetchall()
    doomed = []
    for number, size in oldest:
        if over <= 0:
            break
        doomed.append((number,))
        over -= size
    connection.executemany("DELETE FROM log WHERE id = ?", doomed)
    return len(doomed)
