"""A command as a fresh process: how long it took from its start, and the most memory that it held.

Run as a script by a small interpreter: a child's peak counts the memory of the process that made it.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

_LONGEST = 120.0
"""Seconds after which a command counts as stuck."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command went: seconds of the clock and of processors, peak of resident MB, exit code, its output."""

    seconds: float
    processor: float
    memory: float
    code: int
    output: bytes


def run(command: Sequence[str]) -> Ended:
    """Run a command with its output on a pipe.

    Raises:
        subprocess.TimeoutExpired: it did not end; it was killed.
    """
    watcher = subprocess.Popen(
        [sys.executable, "-I", "-S", __file__, *command], stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        whole, _ = watcher.communicate(timeout=_LONGEST)
    except subprocess.TimeoutExpired:
        os.killpg(watcher.pid, 9)
        watcher.communicate()
        raise
    output, _, told = whole.rstrip(b"\n").rpartition(b"\n")
    return Ended(**json.loads(told), output=output)


def _watch(command: Sequence[str]) -> None:
    start = time.perf_counter()
    child = subprocess.Popen(command)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    told = {
        "seconds": time.perf_counter() - start,
        "processor": used.ru_utime + used.ru_stime,
        "memory": used.ru_maxrss / 1024,
        "code": child.returncode,
    }
    os.write(1, b"\n" + json.dumps(told).encode() + b"\n")


if __name__ == "__main__":
    _watch(sys.argv[1:])
