"""Reading the embedded bus without a group: from a point in time, and as it grows."""

import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from guard.bus import Message, Position, Topic
from guard.bus.schema import connect, identity, require_same
from guard.bus.transaction import page, translated

_NAP_FIRST, _NAP_MOST = 0.01, 0.1


def wait_for(look: Callable[[], list[Message]], timeout: float) -> list[Message]:
    """Look until there is something or the time is over, sleeping a little longer each time there is nothing."""
    deadline = time.monotonic() + timeout
    nap = _NAP_FIRST
    while True:
        messages = look()
        left = deadline - time.monotonic()
        if messages or left <= 0:
            return messages
        time.sleep(min(nap, left))
        nap = min(nap * 2, _NAP_MOST)


def newest(connection: sqlite3.Connection, topic: Topic) -> int:
    """The id of a topic's newest record, 0 when there is none."""
    return int(connection.execute("SELECT max(id) FROM log WHERE topic = ?", (topic,)).fetchone()[0] or 0)


def before(connection: sqlite3.Connection, topic: Topic, since: float) -> int:
    """An id after which a topic's records were taken at ``since`` or later.

    By bisection: times grow with ids, as far as the machine's clock does, and a time lies behind its value on the
    disk, so looking at every one would read the whole log.
    """
    if since <= 0:
        return 0
    low, high = 0, newest(connection, topic)
    while low < high:
        middle = (low + high) // 2
        number, taken = connection.execute(
            "SELECT id, time FROM log WHERE topic = ? AND id > ? ORDER BY id LIMIT 1", (topic, middle)
        ).fetchone() or (high, since)
        low, high = (low, middle) if taken >= since else (number, high)
    return low


class FileFollower:
    """Follows topics. One thread uses it at a time.

    Raises:
        BusUnavailableError: the bus is away.
    """

    def __init__(self, path: Path, topics: Sequence[Topic], since: float | None) -> None:
        self._path = path
        self._topics = tuple(dict.fromkeys(topics))
        self._connection = connect(path, synchronous="NORMAL")
        self._file = identity(path)
        self._quiet: int | None = None
        self._polls = 0
        with translated(path):
            start = [
                newest(self._connection, topic) if since is None else before(self._connection, topic, since)
                for topic in self._topics
            ]
            self._after = dict(zip(self._topics, start, strict=True))

    def poll(self, timeout: float, limit: int = 500) -> Sequence[Message]:
        """Wait for records; see the protocol."""
        return wait_for(lambda: self._look(limit), timeout)

    def close(self) -> None:
        """Stop."""
        self._connection.close()

    def _look(self, limit: int) -> list[Message]:
        require_same(self._path, self._file)
        with translated(self._path):
            version = self._connection.execute("PRAGMA data_version").fetchone()[0]
            if version == self._quiet:
                return []
            messages: list[Message] = []
            reached: dict[Topic, int] = {}
            self._polls += 1
            start = self._polls % max(len(self._topics), 1)  # another one first each time, so that none starves
            for topic in self._topics[start:] + self._topics[:start]:
                rows = self._rows(topic, limit - len(messages))
                messages += [Message(Position(topic, part, n), key, value, at) for n, part, key, value, at in rows]
                if rows:
                    reached[topic] = rows[-1][0]
        self._after |= reached
        self._quiet = None if messages else version
        return messages

    def _rows(self, topic: Topic, limit: int) -> list[tuple[int, int, str, bytes | None, float]]:
        return page(
            self._connection.execute(
                "SELECT id, part, key, value, time FROM log WHERE topic = ? AND id > ? ORDER BY id LIMIT ?",
                (topic, self._after[topic], max(limit, 0)),
            ),
            value=3,
        )
