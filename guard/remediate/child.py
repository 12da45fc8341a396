"""The process in which one cluster is spoken to: it can be killed, which a thread cannot.

``python -m guard.remediate.child DESCRIPTOR PARENT`` gets how to open the cluster, then task after task, over a
socket pair. It ends with its parent, even when that one is killed, so no act goes on without a leader.
"""

import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection

from remediation.clusters.protocol import Cluster, ClusterError

_PR_SET_PDEATHSIG = 1

Opener = Callable[[], Cluster]
Task = Callable[[Cluster], object]
"""Both travel by pickle, between two processes of ours alone: functions of modules, and partials of them."""


def main() -> None:
    """Serve until the parent hangs up."""
    descriptor, parent = int(sys.argv[1]), int(sys.argv[2])
    _die_with_parent()
    if os.getppid() != parent:  # it died before that was asked for
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which kills this process
    with Connection(descriptor) as line, contextlib.suppress(EOFError, BrokenPipeError):
        _serve(line)


def _die_with_parent() -> None:
    # Where memory must not be both written and executed, an old libffi cannot be loaded: the child then ends when
    # it next reads, or at its deadline.
    with contextlib.suppress(OSError, AttributeError, ImportError, MemoryError):
        import ctypes  # noqa: PLC0415

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


def _serve(line: Connection) -> None:
    opener: Opener = line.recv()
    cluster: Cluster | None = None
    with contextlib.suppress(Exception):  # it is tried again, and told, at the first task
        cluster = opener()
    line.send(None)
    while True:
        task: Task = line.recv()
        try:
            cluster = cluster or opener()
            line.send((task(cluster), None))
        except ClusterError as error:
            line.send((None, error))
        except Exception as error:  # noqa: BLE001  (an adapter's bug is no reason to lose the loop: told, and logged)
            traceback.print_exc()
            line.send((None, f"{type(error).__name__}: {error}"))


if __name__ == "__main__":
    main()
