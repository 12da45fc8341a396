"""A member of a group on the embedded bus."""

import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from guard.bus import BusError, BusUnavailableError, Message, Place, Position, Topic
from guard.bus.file_follower import wait_for
from guard.bus.membership import Member, boot_id, claims, generation, heartbeat, leave
from guard.bus.progress import Progress
from guard.bus.schema import connect, identity, require_same
from guard.bus.transaction import page, transaction, translated

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
        self._progress = Progress()
        self._paused = False
        self._lag: dict[Place, int] = {}
        self._beat = float("-inf")
        self._generation = -1
        self._quiet: int | None = None
        self._polls = 0

    def poll(self, timeout: float, limit: int = 500) -> Sequence[Message]:
        """Wait for records of this member's partitions."""
        return wait_for(lambda: self._look(limit), timeout)

    def commit(self, upto: Mapping[Place, int] | None = None) -> None:
        """Store how far this member came, in the partitions that it has held all the time since."""
        with transaction(self._connection, self._path):
            now = claims(self._connection, self._member.group, self._member.name)
            self._connection.executemany(
                "INSERT OR REPLACE INTO progress VALUES (?, ?, ?, ?)",
                [
                    (self._member.group, *place, offset)
                    for place, offset in self._progress.committable(upto).items()
                    if now.get(place) == self._progress.claims[place]
                ],
            )

    def pause(self) -> None:
        """Give nothing for now. Polls still say that this member lives."""
        self._paused = True

    def resume(self) -> None:
        """Give records again."""
        self._paused = False
        self._quiet = None

    def assigned(self) -> frozenset[Place]:
        """The partitions held at the last poll."""
        return frozenset(self._progress.claims)

    def claims(self) -> Mapping[Place, int]:
        """The same, with the numbers of their claims."""
        return dict(self._progress.claims)

    def lag(self) -> Mapping[Place, int]:
        """Records that are there and were not polled. While the bus is away, what it was before."""
        with suppress(BusUnavailableError), translated(self._path):
            self._lag = {place: self._left(place) for place in self._progress.claims}
        return dict(self._lag)

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
            messages = [] if self._paused else self._fetch(limit)
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
            held = self._progress.claims
            fresh = {place: self._committed(place) for place, claim in mine.items() if held.get(place) != claim}
        for place in set(held) - set(mine):
            self._progress.lose(place)
        for place, start in fresh.items():
            self._progress.gain(place, mine[place], start)
        self._beat, self._generation = now, turn

    def _committed(self, place: Place) -> int:
        row = self._connection.execute(
            "SELECT next FROM progress WHERE grp = ? AND topic = ? AND part = ?", (self._member.group, *place)
        ).fetchone()
        return int(row[0]) if row else 0

    def _left(self, place: Place) -> int:
        row = self._connection.execute(
            "SELECT count(*) FROM log WHERE topic = ? AND part = ? AND id >= ?", (*place, self._start(place))
        ).fetchone()
        return int(row[0])

    def _start(self, place: Place) -> int:
        return self._progress.next(place) or 0

    def _fetch(self, limit: int) -> list[Message]:
        """Up to ``limit`` records, from another partition first each time: a busy one must not starve the rest."""
        places = sorted(self._progress.claims)
        self._polls += 1
        start = self._polls % max(len(places), 1)
        messages: list[Message] = []
        reached: dict[Place, tuple[int, int]] = {}
        for topic, part in places[start:] + places[:start]:
            if len(messages) >= limit:
                break
            rows = page(
                self._connection.execute(
                    "SELECT id, key, value, time FROM log WHERE topic = ? AND part = ? AND id >= ?"
                    " ORDER BY id LIMIT ?",
                    (topic, part, self._start((topic, part)), limit - len(messages)),
                ),
                value=2,
            )
            messages += [Message(Position(topic, part, n), key, value, taken) for n, key, value, taken in rows]
            if rows:
                reached[topic, part] = rows[0][0], rows[-1][0] + 1
        for place, (first, after) in reached.items():
            self._progress.polled(place, first, after)  # only now: what an error kept back was not polled
        return messages
