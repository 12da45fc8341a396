"""Small kernel files that are read again and again, kept open."""

import os
import resource

LARGEST_ATTRIBUTE = 4096
"""Bytes: a sysfs attribute is at most one page."""


class HeldFiles:
    """Small kernel files that are kept open: a read then costs a quarter of opening, reading and closing.

    A descriptor of a device that went away gives an error and is dropped. Files beyond ``limit`` are opened
    for each read, so a low limit of open files costs time and nothing else.
    """

    def __init__(self, limit: int | None = None) -> None:
        if limit is None:
            soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
            # Two collectors hold files, and the rest of the agent needs some too.
            limit = 4096 if soft == resource.RLIM_INFINITY else min(4096, soft // 3)
        self._limit = limit
        self._held: dict[str, int] = {}

    def read(self, path: str) -> bytes | None:
        """Read at most a page from the start of a file; ``None`` when it cannot be read."""
        descriptor = self._held.get(path)
        try:
            if descriptor is not None:
                return os.pread(descriptor, LARGEST_ATTRIBUTE, 0)
            return self._open_and_read(path)
        except OSError:
            if descriptor is not None:
                os.close(self._held.pop(path))
            return None

    def _open_and_read(self, path: str) -> bytes:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        keep = False
        try:
            text = os.pread(descriptor, LARGEST_ATTRIBUTE, 0)
            keep = len(self._held) < self._limit
        finally:
            if not keep:
                os.close(descriptor)
        self._held.update({path: descriptor} if keep else {})
        return text

    def close(self) -> None:
        """Give back all descriptors; a later read opens anew."""
        while self._held:
            os.close(self._held.popitem()[1])
