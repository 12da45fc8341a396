"""The demo's child processes: started with a log each, watched, and ended and reaped whatever happens."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

GRACE = 3.0
"""Seconds between SIGTERM and SIGKILL: an agent promises to end within 2."""

_TAIL_BYTES = 2000
_POLL = 0.02


class ChildDiedError(Exception):
    """A child ended that should not have. The text names it and shows the end of its log."""


@dataclass(frozen=True, slots=True)
class Child:
    """A process of the demo. It leads a session, so that what it starts can be ended with it."""

    name: str
    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def pid(self) -> int:
        """Its process id, which is also that of its group."""
        return self.process.pid

    def ended(self) -> bool:
        """Whether it has ended. It is not reaped yet: its id still belongs to it."""
        if self.process.returncode is not None:
            return True
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def reap(self) -> int:
        """Kill what is left of its group, take its exit status, and return it."""
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
        return self.process.wait()

    def tail(self) -> str:
        """The end of its log."""
        try:
            text = self.log.read_bytes()[-_TAIL_BYTES:].decode(errors="replace")
        except OSError as error:
            return f"({self.log}: {error.strerror})"
        return text.strip() or "(its log is empty)"


class Processes:
    """All children of the demo. Leaving the context ends and reaps every one of them."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._children: list[Child] = []

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        files: Sequence[int] = (),
        niceness: int = 0,
        core: int | None = None,
    ) -> Child:
        """Start a child whose output goes to ``name.log``. It ends with this process, whatever becomes of that.

        Args:
            name: what it is called in messages, and its log file.
            command: absolute path of the program, and its arguments.
            environment: variables beside those of this process.
            files: file descriptors that it inherits.
            niceness: how far it gives way to other processes, 0-19.
            core: the one core that it runs on, where the system knows such a thing.
        """
        path = self._logs / f"{name}.log"
        leash = [sys.executable, "-m", "guard.demo.leash", str(os.getpid())]
        with path.open("ab") as log:
            process = subprocess.Popen(
                [*leash, *command],
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=files,
                start_new_session=True,
            )
        child = Child(name, process, path)
        self._children.append(child)
        with contextlib.suppress(OSError, AttributeError):
            os.setpriority(os.PRIO_PROCESS, child.pid, niceness)
            if core is not None:
                os.sched_setaffinity(child.pid, {core})
        return child

    def check(self) -> None:
        """See that all children run.

        Raises:
            ChildDiedError: one has ended.
        """
        for child in self._children:
            if child.ended():
                raise ChildDiedError(f"{child.name} ended with {_describe(child.reap())}:\n{child.tail()}")

    def end(self, children: Sequence[Child], grace: float = GRACE) -> None:
        """End some children: SIGTERM to all, SIGKILL to those still there after ``grace`` seconds; reap them."""
        for child in children:
            if not child.ended():
                # A stopped process keeps SIGTERM pending until it is continued.
                os.kill(child.pid, signal.SIGTERM)
                os.kill(child.pid, signal.SIGCONT)
        deadline = time.monotonic() + grace
        while time.monotonic() < deadline and not all(child.ended() for child in children):
            time.sleep(_POLL)
        for child in children:
            child.reap()
        self._children = [child for child in self._children if child not in children]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end(list(self._children))


def _describe(status: int) -> str:
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"exit code {status}"
