"""Checkpoint requests: a file on a shared path names the step at which every rank writes one.

The file holds ``{"at_step": 1200}``. A thread looks at it once a second, because a shared file system can
hang and a training loop must not hang with it. The request names a step well ahead of every rank's newest.
"""

import json
import os
import threading
from pathlib import Path

_INTERVAL = 1.0
_LARGEST = 4096


class RequestFile:
    """Follows one request file. ``at_step`` is the step that it names, or None."""

    def __init__(self, path: Path) -> None:
        self.at_step: int | None = None
        self._path = path
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="guard-checkpoint", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop looking. The thread is a daemon: one that hangs in a read holds nobody up."""
        self._stop.set()

    def _follow(self) -> None:
        while not self._stop.is_set():
            self.at_step = _read(self._path)
            self._stop.wait(_INTERVAL)


def _read(path: Path) -> int | None:
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            step = json.loads(os.read(file, _LARGEST))["at_step"]
        finally:
            os.close(file)
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    return step if type(step) is int and step >= 0 else None
