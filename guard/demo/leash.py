"""Run a command that ends with the process that started it, even when that one is killed with ``kill -9``.

``python -m guard.demo.leash COMMAND...`` asks Linux for SIGTERM upon the parent's death (prctl(2),
PR_SET_PDEATHSIG, kept over execve) and becomes the command. Elsewhere it just becomes the command.
"""

import contextlib
import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Become the command of the arguments; the first of them is the parent's process id."""
    parent = int(sys.argv[1])
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    if os.getppid() != parent:  # it died before the request was made
        sys.exit(1)
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606  (no shell is wanted: this process becomes the command)


if __name__ == "__main__":
    main()
