"""Programs on a terminal of their own: what a person would see, escape sequences and all."""

import contextlib
import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

PATIENCE = 60.0
_COLOR = re.compile(r"\x1b\[[0-9;]*?(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])(?:;[0-9;]*)?m")


@dataclass(frozen=True)
class Seen:
    """What came to the terminal, what came to standard output where that was a pipe, and the exit code."""

    text: str
    piped: str
    code: int

    @property
    def colored(self) -> bool:
        return _COLOR.search(self.text) is not None


@contextlib.contextmanager
def terminal() -> Iterator[tuple[int, int]]:
    """Our side and the program's."""
    ours, theirs = pty.openpty()
    try:
        yield ours, theirs
    finally:
        os.close(ours)


def run(*arguments: str, environment: dict[str, str] | None = None) -> Seen:
    """Run ``guard`` with all its streams on a terminal of 100 columns."""
    command = [sys.executable, "-m", "guard.commands", *arguments]
    given = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")}
    given |= {"TERM": "xterm-256color", "COLUMNS": "100", **(environment or {})}
    with terminal() as (ours, theirs):
        process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=given)
        os.close(theirs)
        with process:
            text = read(ours, lambda _: process.poll() is not None)
        return Seen(text, "", process.returncode)


def read(ours: int, until: Callable[[str], bool]) -> str:
    """What comes until it is enough, or the program has closed the terminal."""
    raw, deadline = b"", time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        ready, _, _ = select.select([ours], [], [], 0.05)
        if ready:
            try:
                more = os.read(ours, 65536)
            except OSError:  # Linux says so when nobody holds the other side any more
                break
            raw += more
        elif until(raw.decode(errors="replace")):
            break
    return raw.decode(errors="replace")
