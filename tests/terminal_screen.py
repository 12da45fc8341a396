"""A program in a terminal of its own (a pty), and what its screen shows: as much of a terminal as guard needs.

A sequence that is not known here is an error: whatever guard writes to a terminal is on purpose.
"""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Self

from rich.cells import cell_len

_SEQUENCE = re.compile(r"\x1b\[(\??)([0-9;]*)([A-Za-z])")
_STYLES = {0, 1, 2, 4, 7, 22, 24, 27, *range(30, 40), *range(40, 50), *range(90, 98)} - {38, 48}


class Screen:
    """Letters by row and column, and the modes of the terminal."""

    def __init__(self, columns: int, rows: int) -> None:
        self.alternate = False
        self.cursor = True
        self.resize(columns, rows)
        self._pending = ""

    def resize(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        self._cells = [[" "] * columns for _ in range(rows)]
        self._row = self._column = 0

    @property
    def lines(self) -> list[str]:
        return ["".join(row).rstrip() for row in self._cells]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def feed(self, text: str) -> None:
        text = self._pending + text
        self._pending = ""
        at = 0
        while at < len(text):
            if text[at] != "\x1b":
                self._put(text[at])
                at += 1
                continue
            found = _SEQUENCE.match(text, at)
            if found is None:
                if len(text) - at < 16:
                    self._pending = text[at:]
                    return
                raise AssertionError(f"no sequence of ours: {text[at : at + 20]!r}")
            self._obey(*found.groups())
            at = found.end()

    def _put(self, letter: str) -> None:
        if letter == "\n":
            self._row = min(self._row + 1, self.rows - 1)
        elif letter == "\r":
            self._column = 0
        else:
            assert letter.isprintable(), f"{letter!r} was written to the terminal"
            width = cell_len(letter)
            if self._column + width > self.columns:
                assert not self.alternate, f"line {self._row} is wider than {self.columns}"
                self._row, self._column = min(self._row + 1, self.rows - 1), 0
            for place in range(width):
                self._cells[self._row][self._column + place] = letter if place == 0 else ""
            self._column += width

    def _obey(self, private: str, numbers: str, command: str) -> None:
        if private:
            assert (numbers, command) in {(n, c) for n in ("1049", "25") for c in "hl"}, numbers + command
            if numbers == "1049":
                self.alternate = command == "h"
            else:
                self.cursor = command == "h"
        elif command == "H":
            row, _, column = numbers.partition(";")
            self._row, self._column = int(row or 1) - 1, int(column or 1) - 1
        elif command == "J":
            self._cells = [[" "] * self.columns for _ in range(self.rows)]
        else:
            assert command == "m", f"CSI {numbers}{command}"
            assert {int(number or 0) for number in numbers.split(";")} <= _STYLES, f"style {numbers}"


class Terminal:
    """A child in a pty. ``until`` waits for what the screen shows."""

    def __init__(
        self, command: Sequence[str], *, columns: int = 80, rows: int = 24, environment: Mapping[str, str] = {}
    ) -> None:
        self.screen = Screen(columns, rows)
        self.written = b""
        self._decoder_rest = b""
        self.ours, self.theirs = pty.openpty()
        self._size(columns, rows)
        self.before = termios.tcgetattr(self.theirs)
        cleared = {
            name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")
        }
        self.child = subprocess.Popen(
            command,
            stdin=self.theirs,
            stdout=self.theirs,
            stderr=self.theirs,
            env=cleared | {"TERM": "xterm-256color", "LANG": "C.UTF-8", **environment},
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait(10)
        for descriptor in (self.ours, self.theirs):
            with suppress(OSError):
                os.close(descriptor)

    def send(self, keys: str) -> None:
        os.write(self.ours, keys.encode())

    def resize(self, columns: int, rows: int) -> None:
        self.screen.resize(columns, rows)
        self._size(columns, rows)
        self.child.send_signal(signal.SIGWINCH)

    def until(self, condition: Callable[[Screen], object], seconds: float = 30.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition(self.screen):
            assert time.monotonic() < deadline, f"not seen within {seconds} s:\n{self.screen.text}"
            self.read(0.2)

    def shows(self, *words: str) -> None:
        self.until(lambda screen: all(word in screen.text for word in words))

    def ended(self, seconds: float = 15.0) -> int:
        deadline = time.monotonic() + seconds
        while self.child.poll() is None:
            assert time.monotonic() < deadline, "it goes on"
            self.read(0.1)
        while self.read(0.1):
            pass
        return self.child.returncode

    def read(self, seconds: float) -> bool:
        if not select.select([self.ours], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self.ours, 65536)
        except OSError:
            return False
        self.written += data
        whole = self._decoder_rest + data
        text = whole.decode("utf-8", "ignore")
        cut = max((n for n in range(4) if _partial(whole, n)), default=0)
        self._decoder_rest = whole[len(whole) - cut :] if cut else b""
        self.screen.feed(text)
        return bool(data)

    def _size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def _partial(data: bytes, length: int) -> bool:
    """Whether the last bytes are the beginning of a letter."""
    if length == 0 or length > len(data):
        return False
    first = data[-length]
    needed = 2 if first >> 5 == 6 else 3 if first >> 4 == 14 else 4 if first >> 3 == 30 else 0
    return needed > length
