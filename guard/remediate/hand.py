"""A hand: one child process, one task at a time, each with a deadline at which the child is killed."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection

from guard.remediate.child import Opener, Task
from remediation.clusters.protocol import ClusterError

_REAP = 5.0
"""Seconds in which a killed child is gone, unless it hangs in the kernel; then it is reaped later."""
COMES_UP = 60.0
"""Seconds in which a new child has loaded what it needs, before a task's own time begins."""
_HANGING = 3
"""Killed children that may still hang in the kernel (a dead shared file system) before no other one is started."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How a task ended.

    Attributes:
        value: what it returned.
        error: why it did not; text for what no adapter may raise.
        cut: it was killed at its deadline, or its process died: it may have taken or not.
    """

    value: object = None
    error: ClusterError | str | None = None
    cut: bool = False


class Hand:
    """Does tasks against a cluster in a child. Made and used by one thread, the main one.

    Args:
        opener: opens the cluster, in the child.
        name: for messages: what it is for.
    """

    def __init__(self, opener: Opener, name: str) -> None:
        self._opener, self._name = opener, name
        self._process: subprocess.Popen[bytes] | None = None
        self._line: Connection | None = None
        self._talk: _Talk | None = None
        self._killed: list[subprocess.Popen[bytes]] = []

    @property
    def busy(self) -> bool:
        """Whether a task is under way, its answer not yet fetched."""
        return self._talk is not None

    @property
    def up(self) -> bool:
        """Whether there is a child that lives."""
        return self._process is not None and self._process.poll() is None

    def begin(self, task: Task, deadline: float) -> None:
        """Start a task that is to end within ``deadline`` seconds once its child is up. Not while ``busy``."""
        if self._talk is not None:
            raise RuntimeError(f"{self._name}: a task is under way")
        self._reap()
        first = None if self.up else self._start()
        self._talk = _Talk(self._line, first, task, deadline)

    def answer(self) -> Answer | None:
        """How the task ended; None while it is under way, or there is none."""
        talk = self._talk
        if talk is None:
            return None
        if talk.ended.is_set():
            self._talk = None
            if talk.answer.cut:
                self.kill()
            return talk.answer
        if time.monotonic() < talk.until:
            return None
        self.kill()
        return Answer(error=f"{self._name}: no answer in time, stopped", cut=True)

    def kill(self) -> None:
        """End the child and all that it started, at once. The next task starts another."""
        process, self._process = self._process, None
        self._talk = self._line = None  # a thread that still reads it closes it when the child's end is gone
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # it leads a session of its own: its children go, too
            self._killed.append(process)
            self._reap()

    def close(self) -> None:
        """Kill, and wait until it is gone."""
        self.kill()
        for process in self._killed:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_REAP)
        self._killed.clear()

    def _start(self) -> Opener:
        self.kill()
        if len(self._killed) > _HANGING:
            return self._opener
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "guard.remediate.child", str(theirs.fileno()), str(os.getpid())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._line = Connection(ours.detach())
        return self._opener

    def _reap(self) -> None:
        self._killed = [process for process in self._killed if process.poll() is None]


class _Talk:
    """One task: sent and answered in a thread, so that a child that neither reads nor writes stops nobody."""

    def __init__(self, line: Connection | None, first: Opener | None, task: Task, deadline: float) -> None:
        self.until = time.monotonic() + (deadline if first is None else COMES_UP)
        self.ended = threading.Event()
        self._first, self._task, self._deadline = first, task, deadline
        if line is None:
            self.answer = Answer(
                error="earlier processes for it hang in the kernel: see the file system and network"
            )
            self.ended.set()
            return
        self.answer = Answer(cut=True, error="its process ended")
        threading.Thread(target=self._run, args=(line,), name="guard-hand", daemon=True).start()

    def _run(self, line: Connection) -> None:
        with contextlib.suppress(OSError, EOFError):  # the child has died
            if self._first is not None:
                line.send(self._first)
                line.recv()  # it has loaded all
                self.until = time.monotonic() + self._deadline
            line.send(self._task)
            value, error = line.recv()
            self.answer = Answer(value, error)
        self.ended.set()
