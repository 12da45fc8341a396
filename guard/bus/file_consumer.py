"""A member of a group on the embedded bus."""

import os
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from guard.bus import BusError, Message, Position, Topic
from guard.bus.membership import Claims, Member, Place, boot_id, claims, generation, heartbeat, leave
from guard.bus.schema import connect, identity, require_same
from guard.bus.transaction import page, transaction, translated

_NAP_FIRST, _NAP_MOST = 0.01, 0.1
_BEATS = 10
"""Heartbeats in a session timeout."""


class FileConsumer:
    """A member of a group, from its first poll on. One thread uses it at a time.

    A member lives by polling: one that does not for the session timeout is taken for dead, and the others read
    its partitions again from the last commit.
    """

    def __init__(
        self,
        path: Path,
        topics: Sequence[Topic],
        group: str,
        *,
        session_timeout: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._timeout = session_timeout
        self._clock = clock
        name = f"{os.getpid()}-{secrets.token_hex(8)}"
        self._member = Member(group, name, frozenset(topics), boot_id())
        self._connection = connect(path, synchronous="NORMAL")  # a lost commit of ours is a repeat
        self._file = identity(path)
        self._claims: Claims = {}
        self._next: dict[Place, int] = {}
        self._beat = float("-inf")
        self._generation = -1
        self._quiet: int | None = None
        self._polls = 0

    def poll(self, timeout: float, limit: int = 500) -> Sequence[Message]:
        """Wait for records of this member's partitions, sleeping a little longer each time there are none."""
        deadline = time.monotonic() + timeout
        nap = _NAP_FIRST
        while True:
            messages = self._look(limit)
            left = deadline - time.monotonic()
            if messages or left <= 0:
                return messages
            time.sleep(min(nap, left))
            nap = min(nap * 2, _NAP_MOST)

    def commit(self) -> None:
        """Store how far this member came, in the partitions that it has held all the time since."""
        with transaction(self._connection, self._path):
            now = claims(self._connection, self._member.group, self._member.name)
            self._connection.executemany(
                "INSERT OR REPLACE INTO progress VALUES (?, ?, ?, ?)",
                [
                    (self._member.group, topic, part, self._next[topic, part])
                    for (topic, part), claim in self._claims.items()
                    if now.get((topic, part)) == claim
                ],
            )

    def assigned(self) -> frozenset[Place]:
        """The partitions held at the last poll."""
        return frozenset(self._claims)

    def close(self) -> None:
        """Leave the group. Where the bus is away, the session timeout does it."""
        try:
            with suppress(BusError), transaction(self._connection, self._path):
                leave(self._connection, self._member.group, self._member.name)
        finally:
            self._connection.close()

    def _look(self, limit: int) -> list[Message]:
        """What is new, without waiting. Where nobody has written since the last look, that costs one number."""
        with translated(self._path):
            version = self._connection.execute("PRAGMA data_version").fetchone()[0]
            due = self._clock() - self._beat >= self._timeout / _BEATS
            if version == self._quiet and not due:
                return []
            if due or generation(self._connection, self._member.group) != self._generation:
                self._attend()
            messages = self._fetch(limit)
        self._quiet = None if messages else version
        return messages

    def _attend(self) -> None:
        """Beat; start partitions that are new to us where the group left them."""
        require_same(self._path, self._file)
        group = self._member.group
        with transaction(self._connection, self._path):
            now = self._clock()
            mine = heartbeat(self._connection, self._member, now, self._timeout)
            turn = generation(self._connection, group)
            fresh = {
                place: self._committed(place) for place, claim in mine.items() if self._claims.get(place) != claim
            }
        kept = {place: offset for place, offset in self._next.items() if place in mine}
        self._claims, self._next = mine, kept | fresh
        self._beat, self._generation = now, turn

    def _committed(self, place: Place) -> int:
        row = self._connection.execute(
            "SELECT next FROM progress WHERE grp = ? AND topic = ? AND part = ?", (self._member.group, *place)
        ).fetchone()
        return int(row[0]) if row else 0

    def _fetch(self, limit: int) -> list[Message]:
        """Up to ``limit`` records, from another partition first each time: a busy one must not starve the rest."""
        places = sorted(self._claims)
        self._polls += 1
        start = self._polls % max(len(places), 1)
        messages: list[Message] = []
        reached: dict[Place, int] = {}
        for topic, part in places[start:] + places[:start]:
            if len(messages) >= limit:
                break
            rows = page(
                self._connection.execute(
                    "SELECT id, key, value, time FROM log WHERE topic = ? AND part = ? AND id >= ?"
                    " ORDER BY id LIMIT ?",
                    (topic, part, self._next[topic, part], limit - len(messages)),
                ),
                value=2,
            )
            messages += [Message(Position(topic, part, n), key, value, taken) for n, key, value, taken in rows]
            if rows:
                reached[topic, part] = rows[-1][0] + 1
        self._next |= reached  # only now: what an error kept from the caller must not count as polled
        return messages
