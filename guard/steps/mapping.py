"""Where a recorder stores its words: a mapped file in the agent's directory, or plain memory without one.

Both are a ``memoryview`` of 64-bit words, so recording costs the same with and without an agent.
"""

import contextlib
import fcntl
import mmap
import os
import secrets
from pathlib import Path

from guard import ring


class Mapping:
    """The words of one ring. ``problem`` says why there is no file, where there is none."""

    def __init__(self, owner: ring.Owner, directory: Path | None) -> None:
        self.path: Path | None = None
        self.problem: str | None = None
        self._map: mmap.mmap | None = None
        self._lock = -1
        self.bytes = memoryview(bytearray(ring.FILE_BYTES))
        self.bytes[: ring.HEADER_BYTES] = ring.blank(owner)
        if directory is None:
            self.problem = "no ring directory"
        else:
            try:
                self._make_file(directory)
            except (OSError, ValueError) as error:
                self.problem = f"no ring in {directory}: {error}"
        self.words = self.bytes.cast("q")

    def _make_file(self, directory: Path) -> None:
        """Make, allocate, map and lock the file under a hidden name, then show it.

        The blocks are allocated before mapping: a store to a page that a full tmpfs cannot give would kill the
        program with SIGBUS. The lock is taken before the agent can see the file, so it never waits for the agent,
        and on a second open file: a mapping keeps its own alive, also in a forked child.
        """
        name = f"{os.getpid()}-{secrets.token_hex(4)}"
        hidden, path = directory / f".{name}.new", directory / f"{name}{ring.SUFFIX}"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        file = os.open(hidden, flags, 0o644)
        try:
            os.fchmod(file, 0o644)  # a umask of 077 would hide the ring from the agent
            os.posix_fallocate(file, 0, ring.FILE_BYTES)
            mapped = mmap.mmap(file, ring.FILE_BYTES)
            lock = os.open(hidden, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                mapped[: ring.HEADER_BYTES] = bytes(self.bytes[: ring.HEADER_BYTES])
                hidden.rename(path)
            except BaseException:
                os.close(lock)
                raise
        except BaseException:
            with contextlib.suppress(OSError):
                hidden.unlink()
            raise
        finally:
            os.close(file)
        self.path, self._map, self._lock = path, mapped, lock
        self.bytes = memoryview(mapped)

    def detach(self) -> None:
        """Let go of the file and go on in memory: in a forked child, and at the end. Frees the lock."""
        if self._map is None:
            return
        words, shown, mapped, lock = self.words, self.bytes, self._map, self._lock
        self._map, self._lock, self.path = None, -1, None
        self.bytes = memoryview(bytearray(ring.FILE_BYTES))
        self.words = self.bytes.cast("q")
        words.release()
        shown.release()
        mapped.close()
        os.close(lock)
