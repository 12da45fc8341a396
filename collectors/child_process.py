"""A child process in a session of its own: how it ended, and that nothing of it is left behind."""

import contextlib
import os
import re
import signal
import subprocess
import time

_POLL = 0.01
"""Seconds between looks whether a child has ended: waitid(2) takes no time limit."""
_PRIVATE = re.compile(r"\S*/\S*|\b(?:ami|subnet)-\w+")
"""Paths and names in what the child says on stderr: gaps are sent, and these are not ours to send."""


class Reaped:
    """Kills the child's group on the way out, waits for the child, and closes its pipes.

    The child is not reaped before its group was killed: until then no other process can get its number.
    """

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child

    def __enter__(self) -> None:
        return

    def __exit__(self, *_: object) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._child.pid, number)
            _ended_within(self._child, 0.5)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(5.0)
        for stream in (self._child.stdout, self._child.stderr):
            if stream is not None:
                stream.close()


def how_it_ended(child: subprocess.Popen[bytes], tail: bytes) -> str:
    """How a child ended that closed its output, with the last line of ``tail``, its stderr."""
    end = _ended_within(child, 1.0)
    if end is None:
        return "closed its output"
    last = _PRIVATE.sub("…", tail.decode("utf-8", "replace").strip().rpartition("\n")[2])[:120]
    exited = end.si_code == os.CLD_EXITED
    how = f"exited with {end.si_status}" if exited else f"was killed by signal {end.si_status}"
    return f"{how} ({last})" if last else how


def _ended_within(child: subprocess.Popen[bytes], seconds: float) -> os.waitid_result | None:
    """How the child ended, without reaping it; None while it lives."""
    deadline = time.monotonic() + seconds
    while (end := os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is None:
        if time.monotonic() >= deadline:
            return None
        time.sleep(_POLL)
    return end
