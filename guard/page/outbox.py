"""What is still to be sent, and how far the pager has come, in one file that survives `kill -9` and a power cut.

One transaction holds the pager's state, the positions that were read for it, and the letters that follow from it:
so each record on the bus leads to its letters once, whenever the process ends.
"""

import os
import threading
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import msgspec

from guard.bus import Place, Topic
from guard.page.outbox_file import connect, connect_to_read, lock, transaction, translated
from remediation.alerts.notice import Kind, Notice

MOST_WAITING = 10_000
"""Letters that wait for a channel. Beyond that the oldest updates give way; triggers and resolves never do."""
_MOST_REFUSED = 1000
_HEADS = 50
"""Pages among which a channel that fails chooses what to try next."""
_WORDS = 500
"""Characters of an error that are kept."""
_NEWEST_COUNTS = (Kind.UPDATE, Kind.RESOLVE)
"""What makes an update that still waits old news."""

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Notice)


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a partition was read: the newest offset, and when the bus took that record, Unix seconds."""

    offset: int
    taken: float


@dataclass(frozen=True, slots=True)
class Waiting:
    """A letter that waits: its number in the outbox, and how often it was tried."""

    id: int
    channel: str
    notice: Notice
    written: float
    tries: int = 0
    error: str = ""
    refused: float | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What a channel was told last of a page that stands there, and when it must be told again, Unix seconds."""

    channel: str
    notice: Notice
    time: float
    again: float | None


@dataclass(frozen=True, slots=True)
class Queue:
    """How many letters wait for a channel, and since when the oldest does, Unix seconds."""

    letters: int
    oldest: float


class Outbox:
    """The outbox of one `guard page`. Threads may share it.

    Args:
        path: the file; made where there is none, in a directory that is there.

    Raises:
        OutboxError: another process has it, or it cannot be used; every method raises it where the disk refuses,
            and what was asked for is then not done at all.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._lock = threading.Lock()
        self._held = lock(self._path)
        try:
            self._connection = connect(self._path)
        except BaseException:
            os.close(self._held)
            raise
        self.dropped = 0

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    def state(self) -> bytes | None:
        """The pager's state; None at the very first start."""
        with self._lock, translated(self._path):
            row = self._connection.execute("SELECT state FROM pager").fetchone()
        return None if row is None else row[0]

    def reached(self) -> dict[Place, Reached]:
        """How far each partition was read."""
        with self._lock, translated(self._path):
            rows = self._connection.execute("SELECT topic, part, offset, taken FROM reached").fetchall()
        return {(Topic(topic), part): Reached(offset, taken) for topic, part, offset, taken in rows}

    def began(self) -> float:
        """From when on everything on the bus is the pager's, by the bus's clock: when it started first."""
        with self._lock, translated(self._path):
            row = self._connection.execute("SELECT began FROM pager").fetchone()
        return 0.0 if row is None else float(row[0])

    def begin(self, state: bytes, reached: Mapping[Place, Reached], began: float) -> None:
        """Write what the very first start found, before anything is told."""
        with self._lock, transaction(self._connection, self._path):
            self._connection.execute("INSERT OR REPLACE INTO pager VALUES (1, ?, ?)", (state, began))
            self._reach(reached)

    def commit(
        self, state: bytes, reached: Mapping[Place, Reached], letters: Iterable[tuple[str, Notice]], now: float
    ) -> None:
        """Write what was heard and what follows from it: all or nothing.

        Args:
            state: of the pager, after all records up to ``reached``.
            reached: of each partition that was read on.
            letters: the channel of each, and what it is to be told.
            now: Unix seconds.
        """
        gone = 0
        with self._lock, transaction(self._connection, self._path):
            self._connection.execute("UPDATE pager SET state = ?", (state,))
            self._reach(reached)
            channels = set()
            for channel, notice in letters:
                gone += self._put(channel, notice, now)
                channels.add(channel)
            for channel in channels:
                gone += self._make_room(channel)
        self.dropped += gone

    def next(self, channel: str, fails: Mapping[int, int]) -> Waiting | None:
        """What this channel is to be sent next: the oldest letter, and of a page the oldest alone.

        Args:
            channel: which.
            fails: of letters (by number) how often they failed since anything was taken. One that fails again and
                again lets others pass: it may be the letter's fault and not the channel's.
        """
        with self._lock, translated(self._path):
            rows = self._connection.execute(
                "SELECT id, channel, notice, written, tries, error, refused FROM letter AS one"
                " WHERE channel = ? AND refused IS NULL AND id = (SELECT min(id) FROM letter"
                " WHERE channel = one.channel AND page = one.page AND refused IS NULL) ORDER BY id LIMIT ?",
                (channel, _HEADS),
            ).fetchall()
        if not rows:
            return None
        return _waiting(min(rows, key=lambda row: (fails.get(row[0], 0) // 3, row[0])))

    def again(self, channel: str, now: float) -> Told | None:
        """What a channel is to be told again by now; pages of which a letter waits are left to that."""
        with self._lock, translated(self._path):
            row = self._connection.execute(
                "SELECT channel, notice, time, again FROM told WHERE channel = ? AND again <= ? AND NOT EXISTS"
                " (SELECT 1 FROM letter WHERE channel = told.channel AND page = told.page AND refused IS NULL)"
                " ORDER BY again LIMIT 1",
                (channel, now),
            ).fetchone()
        return None if row is None else _told(row)

    def sent(self, letter: Waiting, now: float, again: float | None) -> None:
        """The channel has taken it. ``again``: when it must be told once more if nothing newer comes."""
        with self._lock, transaction(self._connection, self._path):
            self._connection.execute("DELETE FROM letter WHERE id = ?", (letter.id,))
            self._tell(letter.channel, letter.notice, now, again)

    def repeated(self, told: Told, now: float, again: float) -> None:
        """The channel has taken it once more."""
        with self._lock, transaction(self._connection, self._path):
            self._connection.execute(
                "UPDATE told SET time = ?, again = ? WHERE channel = ? AND page = ?",
                (now, again, told.channel, told.notice.page),
            )

    def passed_over(self, letter: Waiting) -> None:
        """The channel wants no updates."""
        with self._lock, transaction(self._connection, self._path):
            self._connection.execute("DELETE FROM letter WHERE id = ?", (letter.id,))

    def failed(self, letter: Waiting, error: str) -> None:
        """The channel did not take it now."""
        with self._lock, transaction(self._connection, self._path):
            self._connection.execute(
                "UPDATE letter SET tries = tries + 1, error = ? WHERE id = ?", (error[:_WORDS], letter.id)
            )

    def refused(self, letter: Waiting, error: str, now: float) -> None:
        """The channel will never take it: it is kept for people to see, the newest so many."""
        with self._lock, transaction(self._connection, self._path):
            self._connection.execute(
                "UPDATE letter SET tries = tries + 1, error = ?, refused = ? WHERE id = ?",
                (error[:_WORDS], now, letter.id),
            )
            self._connection.execute(
                "DELETE FROM letter WHERE refused IS NOT NULL AND channel = ? AND id <= (SELECT id FROM letter"
                " WHERE refused IS NOT NULL AND channel = ? ORDER BY id DESC LIMIT 1 OFFSET ?)",
                (letter.channel, letter.channel, _MOST_REFUSED),
            )

    def queues(self) -> dict[str, Queue]:
        """What waits, by channel; those for which nothing does are left out."""
        with self._lock, translated(self._path):
            rows = self._connection.execute(
                "SELECT channel, count(*), min(written) FROM letter WHERE refused IS NULL GROUP BY channel"
            ).fetchall()
        return {channel: Queue(letters, oldest) for channel, letters, oldest in rows}

    def keep_only(self, channels: Iterable[str]) -> dict[str, int]:
        """Forget what is of channels that are no longer there: how many letters waited, of each."""
        kept = set(channels)
        with self._lock, transaction(self._connection, self._path):
            gone = dict(
                self._connection.execute(
                    "SELECT channel, sum(waits) FROM (SELECT channel, refused IS NULL AS waits FROM letter"
                    " UNION ALL SELECT channel, 0 FROM told) GROUP BY channel"
                ).fetchall()
            )
            gone = {channel: int(letters) for channel, letters in gone.items() if channel not in kept}
            for channel in gone:
                self._connection.execute("DELETE FROM letter WHERE channel = ?", (channel,))
                self._connection.execute("DELETE FROM told WHERE channel = ?", (channel,))
        return gone

    def close(self) -> None:
        """Close the file, and let another have it."""
        with self._lock:
            self._connection.close()
            os.close(self._held)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _reach(self, reached: Mapping[Place, Reached]) -> None:
        self._connection.executemany(
            "INSERT OR REPLACE INTO reached VALUES (?, ?, ?, ?)",
            [(topic, part, one.offset, one.taken) for (topic, part), one in reached.items()],
        )

    def _put(self, channel: str, notice: Notice, now: float) -> int:
        """Add a letter; how many updates it makes old news."""
        gone = 0
        if notice.kind in _NEWEST_COUNTS:
            gone = self._connection.execute(
                "DELETE FROM letter WHERE channel = ? AND page = ? AND kind = ? AND refused IS NULL",
                (channel, notice.page, Kind.UPDATE),
            ).rowcount
        self._connection.execute(
            "INSERT INTO letter (channel, page, kind, notice, written) VALUES (?, ?, ?, ?, ?)",
            (channel, notice.page, notice.kind, _encoder.encode(notice), now),
        )
        return gone

    def _make_room(self, channel: str) -> int:
        (waiting,) = self._connection.execute(
            "SELECT count(*) FROM letter WHERE channel = ? AND refused IS NULL", (channel,)
        ).fetchone()
        if waiting <= MOST_WAITING:
            return 0
        return self._connection.execute(
            "DELETE FROM letter WHERE id IN (SELECT id FROM letter WHERE channel = ? AND refused IS NULL"
            " AND kind = ? ORDER BY id LIMIT ?)",
            (channel, Kind.UPDATE, waiting - MOST_WAITING),
        ).rowcount

    def _tell(self, channel: str, notice: Notice, now: float, again: float | None) -> None:
        if notice.kind is Kind.RESOLVE:
            self._connection.execute("DELETE FROM told WHERE channel = ? AND page = ?", (channel, notice.page))
        else:
            self._connection.execute(
                "INSERT OR REPLACE INTO told VALUES (?, ?, ?, ?, ?, ?)",
                (channel, notice.page, notice.kind, _encoder.encode(notice), now, again),
            )


@dataclass(frozen=True, slots=True)
class Contents:
    """What an outbox holds, for people: the pager's state, what stands where, and what waits or was refused."""

    state: bytes | None
    told: tuple[Told, ...]
    letters: tuple[Waiting, ...]


def contents(path: str | os.PathLike[str]) -> Contents:
    """Read an outbox while the service writes it.

    Raises:
        OutboxError: it is not there, or cannot be read.
    """
    where = Path(path)
    with closing(connect_to_read(where)) as connection, translated(where):
        connection.execute("BEGIN")  # one moment for all three
        state = connection.execute("SELECT state FROM pager").fetchone()
        told = connection.execute(
            "SELECT channel, notice, time, again FROM told ORDER BY channel, time"
        ).fetchall()
        letters = connection.execute(
            "SELECT id, channel, notice, written, tries, error, refused FROM letter ORDER BY id"
        ).fetchall()
    return Contents(None if state is None else state[0], tuple(map(_told, told)), tuple(map(_waiting, letters)))


def _waiting(row: tuple[int, str, bytes, float, int, str, float | None]) -> Waiting:
    number, channel, notice, written, tries, error, refused = row
    return Waiting(number, channel, _decoder.decode(notice), written, tries, error, refused)


def _told(row: tuple[str, bytes, float, float | None]) -> Told:
    channel, notice, time, again = row
    return Told(channel, _decoder.decode(notice), time, again)
