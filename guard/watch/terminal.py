"""A terminal on loan: keys one by one, and its settings given back whatever happens."""

import os
import select
import signal
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from guard.watch.view import Size

_READ = 1024
_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_DISABLED = b"\x00"
_SUSPEND = tuple(getattr(termios, name) for name in ("VSUSP", "VDSUSP") if hasattr(termios, name))


class Interrupts:
    """Signals that end the watch. They are noted, not raised: an exception at any moment could leave a mess."""

    def __init__(self) -> None:
        self.number = 0

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note signals in the block; before and behind it they do what they did."""
        before = {number: signal.signal(number, self._note) for number in _ENDS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def held_back(self) -> Iterator[None]:
        """Signals wait until the end of the block: a terminal may lose a part of what a signal interrupts."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.number = number


class Keyboard:
    """Standard input of a terminal."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def wait(self, seconds: float) -> bytes | None:
        """What was typed within so many seconds, empty where nothing was; None: the terminal is gone."""
        try:
            ready, _, _ = select.select([self._descriptor], [], [], max(seconds, 0.0))
            return (os.read(self._descriptor, _READ) or None) if ready else b""
        except (OSError, ValueError):
            return None


@contextmanager
def keyboard() -> Iterator[Keyboard]:
    """Take keys without waiting for Enter, and without showing them. Ctrl-C is still a signal, Ctrl-Z is not."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    ours = termios.tcgetattr(descriptor)
    ours[3] &= ~(termios.ICANON | termios.ECHO)
    ours[6][termios.VMIN], ours[6][termios.VTIME] = 1, 0
    for key in _SUSPEND:  # nobody would give the screen back while we sleep
        ours[6][key] = _DISABLED
    termios.tcsetattr(descriptor, termios.TCSADRAIN, ours)
    try:
        yield Keyboard(descriptor)
    finally:
        with suppress(termios.error, OSError):  # the terminal is gone
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def live() -> bool:
    """Whether there is a terminal to draw on and to take keys from."""
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    smart = os.environ.get("TERM", "dumb") not in ("", "dumb", "unknown")
    return sys.stdin.isatty() and sys.stdout.isatty() and smart and encoding == "utf8"


def size(fallback: Size) -> Size:
    """Of the terminal now; a terminal that says 0 has none."""
    try:
        found = os.get_terminal_size(sys.stdout.fileno())
    except (OSError, ValueError):
        return fallback
    return Size(found.columns, found.lines) if found.columns > 0 and found.lines > 0 else fallback
