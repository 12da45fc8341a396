"""The steps collector: all rings of the node, folded into the columns of the telemetry record."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

import msgspec

from collectors.reading import Gap, Now, Reading
from collectors.ring_file import RingFile
from collectors.step_columns import Seen, fold
from guard import ring

_MOST_RINGS = 512
"""More than the ranks of any node. The directory is open to all, so it is not read without a bound."""
_LINGER = 60.0
"""Seconds for which a rank that died without closing its ring is still reported, as not alive."""


@dataclass(slots=True)
class _Rank:
    file: RingFile
    died: float | None = None  # monotonic seconds


class StepsCollector:
    """Reads the rings in ``directory``; it needs no other collector and loses nothing over an agent's restart.

    Args:
        directory: the ring directory.
        positions: a file that remembers how far each ring was read, or None.
    """

    name = "steps"
    deadline = 2.0

    def __init__(self, directory: Path, positions: Path | None = None) -> None:
        self._directory = directory
        self._positions = positions
        self._remembered = _recall(positions)
        self._ranks: dict[str, _Rank] = {}
        self._refused: dict[str, str] = {}

    def collect(self, now: Now) -> Reading | Gap:
        """The steps that ended in the period. No ring at all is an idle node, not a gap."""
        try:
            self._refused = {}
            self._discover()
        except OSError as error:
            return Gap(f"ring directory {self._directory}: {error.strerror}")
        seen = self._read(now)
        self._remember()
        reading = fold(seen, self._refused, now)
        self._forget(seen, now)
        return reading

    def close(self) -> None:
        """Close every ring."""
        for rank in self._ranks.values():
            rank.file.close()
        self._ranks.clear()

    def _discover(self) -> None:
        """Open what is new. A file that was replaced under its name is a new ring."""
        directory = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for name in _names(directory):
                known = self._ranks.get(name)
                try:
                    found = os.stat(name, dir_fd=directory, follow_symlinks=False)
                    if known is not None and known.file.inode == found.st_ino:
                        continue
                    if stat.S_ISREG(found.st_mode) and known is not None:
                        known.file.close()
                        del self._ranks[name]
                    position = self._remembered.pop(f"{name}:{found.st_ino}", 0)
                    self._ranks[name] = _Rank(RingFile.open(name, directory, position))
                except (OSError, ring.RingError) as error:
                    self._refused[name] = str(error)
        finally:
            os.close(directory)

    def _read(self, now: Now) -> list[Seen]:
        seen = []
        until = int(now.monotonic * 1e9)
        for name, rank in list(self._ranks.items()):
            try:
                alive = rank.file.alive()  # before reading: what a dead writer left is then complete
                steps = rank.file.read(until)
            except (OSError, ring.RingError) as error:
                self._refused[name] = str(error)
                rank.file.close()
                del self._ranks[name]
                continue
            if not alive and rank.died is None:
                rank.died = now.monotonic
            seen.append(Seen(name, steps, alive))
        return seen

    def _forget(self, seen: list[Seen], now: Now) -> None:
        """Remove the rings of ranks that said goodbye, were followed by a later attempt, or died a while ago."""
        newest: dict[str, int] = {}
        for one in seen:
            owner = one.steps.header.owner
            newest[owner.job] = max(newest.get(owner.job, 0), owner.attempt)
        for one in seen:
            header, rank = one.steps.header, self._ranks[one.name]
            left = header.closed or header.owner.attempt < newest[header.owner.job]
            lingered = rank.died is not None and now.monotonic - rank.died >= _LINGER
            if not one.alive and (left or lingered):
                rank.file.close()
                del self._ranks[one.name]
                (self._directory / one.name).unlink(missing_ok=True)

    def _remember(self) -> None:
        if self._positions is None:
            return
        places = {f"{name}:{rank.file.inode}": rank.file.position for name, rank in self._ranks.items()}
        written = self._positions.with_suffix(".new")
        try:
            written.write_bytes(msgspec.json.encode(places))
            written.replace(self._positions)
        except OSError as error:
            self._refused[self._positions.name] = f"{error.strerror}: a restart would repeat steps"


def _names(directory: int) -> list[str]:
    names = []
    with os.scandir(directory) as found:
        for entry in found:
            if entry.name.endswith(ring.SUFFIX) and not entry.name.startswith("."):
                names.append(entry.name)
                if len(names) == _MOST_RINGS:
                    break
    return sorted(names)


def _recall(positions: Path | None) -> dict[str, int]:
    if positions is None:
        return {}
    try:
        return msgspec.json.decode(positions.read_bytes(), type=dict[str, int])
    except (OSError, msgspec.MsgspecError):
        return {}
