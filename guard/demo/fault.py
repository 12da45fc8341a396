"""The fault: a process that is stopped for most of the time, as by a noisy neighbour or a throttled core.

Run by ``guard demo`` as ``python -m guard.demo.fault``, a process of its own with one care: however it ends, the
process that it slowed runs on. Only ``kill -9`` can keep it from that; the demo continues its workers then.
"""

import argparse
import contextlib
import os
import signal
import sys
import threading
from dataclasses import dataclass
from types import FrameType

LONGEST = 600.0
"""Seconds after which a fault ends by itself, whatever became of the process that asked for it."""


@dataclass(frozen=True, slots=True)
class DutyCycle:
    """Seconds stopped and seconds running, in turns.

    The defaults leave a fifth of the time. Where two workers share a core, the slowed one has it to itself
    meanwhile, and its work takes about three times as long. Both are short beside a window of telemetry, so that
    no window goes untouched, and longer than the kernel's time slices.
    """

    stop: float = 0.040
    run: float = 0.010


def slow(pid: int, cycle: DutyCycle, seconds: float, ended: threading.Event) -> None:
    """Stop and continue process ``pid`` in turns until it is gone, ``ended`` is set or ``seconds`` have passed."""
    turns = int(seconds / (cycle.stop + cycle.run))
    with contextlib.suppress(ProcessLookupError):
        try:
            for _ in range(turns):
                os.kill(pid, signal.SIGSTOP)
                if ended.wait(cycle.stop):
                    return
                os.kill(pid, signal.SIGCONT)
                if ended.wait(cycle.run):
                    return
        finally:
            os.kill(pid, signal.SIGCONT)


def main() -> int:
    """Slow a process until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m guard.demo.fault", description=__doc__)
    parser.add_argument("--pid", type=int, required=True)
    pid = parser.parse_args().pid
    ended = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        ended.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    slow(pid, DutyCycle(), LONGEST, ended)
    return 0


if __name__ == "__main__":
    sys.exit(main())
