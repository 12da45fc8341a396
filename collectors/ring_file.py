"""One ring file as the agent sees it: read with ``pread``, trusted in nothing.

A file that is truncated, replaced or filled with noise gives a ``RingError`` or entries that are set aside and
counted; it cannot kill the agent, which never maps it.
"""

import fcntl
import os
import stat
import struct
from dataclasses import dataclass
from typing import Self

from guard import ring

Entry = tuple[int | float, ...]
"""number, step, start, end, work, a number per section, number: see ``guard.ring.ENTRY``."""

_LONGEST_STEP = 10 * 86_400 * 10**9
_LARGEST_STEP = 1 << 53
_LARGEST_WORK = 1e18


@dataclass(frozen=True, slots=True)
class Steps:
    """What one reading of a ring gave.

    Attributes:
        entries: the steps that ended in the period.
        last: the newest step ever read.
        lost: steps that were overwritten before they were read.
        refused: slots that held no step.
    """

    header: ring.Header
    entries: tuple[Entry, ...]
    last: Entry | None
    lost: int
    refused: int


class RingFile:
    """An open ring. ``position`` is the number of the next entry to read."""

    def __init__(self, file: int, inode: int, position: int) -> None:
        self.inode = inode
        self.position = position
        self.last: Entry | None = None
        self._file = file

    @classmethod
    def open(cls, name: str, directory: int, position: int) -> Self:
        """Open ``name`` in a directory given by its file descriptor, following no link.

        Raises:
            OSError: it cannot be opened.
            RingError: it is no regular file of a ring's size.
        """
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        file = os.open(name, flags, dir_fd=directory)
        try:
            found = os.fstat(file)
            _require_ring(found)
        except BaseException:
            os.close(file)
            raise
        return cls(file, found.st_ino, position)

    def read(self, until: int) -> Steps:
        """The steps that ended by ``until`` (monotonic nanoseconds) and were not read before.

        Raises:
            OSError, RingError: the file gives nothing that can be used.
        """
        header = ring.read_header(os.pread(self._file, ring.HEADER_BYTES, 0))
        if header.count < self.position:  # not the ring that it was
            self.position, self.last = 0, None
        if self.last is None and self.position:
            self.last = next(iter(self._entries(self.position - 1, self.position)), None)
        oldest = max(self.position, header.count - ring.CAPACITY)
        entries = self._entries(oldest, header.count)
        first = max(oldest, self._count() - ring.CAPACITY + 1)  # what the writer may have begun to overwrite
        kept, taken = _take(entries[first - oldest :], first, until)
        lost, self.position = first - self.position, first + taken
        self.last = kept[-1] if kept else self.last
        return Steps(header, kept, self.last, lost, taken - len(kept))

    def _entries(self, first: int, last: int) -> list[Entry]:
        raw = b"".join(os.pread(self._file, size, at) for at, size in ring.slots(first, last))
        if len(raw) != (last - first) * ring.ENTRY_BYTES:
            raise ring.RingError("truncated while it was read")
        return list(ring.ENTRY.iter_unpack(raw))

    def alive(self) -> bool:
        """Whether the writer still holds its lock."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        fcntl.flock(self._file, fcntl.LOCK_UN)
        return False

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._file)

    def _count(self) -> int:
        raw = os.pread(self._file, 8, ring.Word.COUNT * 8)
        if len(raw) < _WORD.size:
            raise ring.RingError("truncated while it was read")
        count: int = _WORD.unpack(raw)[0]
        return count


_WORD = struct.Struct("<q")


def _require_ring(found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise ring.RingError("not a regular file")
    if found.st_size != ring.FILE_BYTES:
        raise ring.RingError(f"{found.st_size} bytes, a ring has {ring.FILE_BYTES}")


def _take(entries: list[Entry], first: int, until: int) -> tuple[tuple[Entry, ...], int]:
    """The sound ones of the entries that are due, and how many were due."""
    kept: list[Entry] = []
    for taken, entry in enumerate(entries):
        sound = entry[0] == first + taken + 1 and _sound(entry)
        if sound and entry[3] > until:
            return tuple(kept), taken
        if sound:
            kept.append(entry)
    return tuple(kept), len(entries)


def _sound(entry: Entry) -> bool:
    """Whole, and with numbers that a writer stores: no part of a step is longer than the step."""
    number, step, start, end, work, *spent, again = entry
    return (
        number == again
        and 0 <= step < _LARGEST_STEP
        and 0 <= start <= end <= start + _LONGEST_STEP
        and 0 <= work < _LARGEST_WORK
        and min(spent) >= 0
        and sum(spent) <= end - start + len(spent) * 1000  # nanosecond rounding of self-timed programs
    )
