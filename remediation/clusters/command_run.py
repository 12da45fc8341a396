"""One run of a program: a list of arguments, a deadline, a bounded answer, and nothing left behind."""

import os
import selectors
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from collectors.child_process import Reaped
from remediation.clusters.protocol import ClusterUnavailableError

_CHUNK = 1 << 16
_POLL = 0.01
ERRORS = 4096
"""Bytes of its stderr that are kept; the rest is read and dropped, so that the program does not block."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a program said.

    Attributes:
        code: exit status; negative: the signal that killed it.
        output: its stdout.
        errors: the beginning of its stderr.
    """

    code: int
    output: bytes
    errors: str


def run(
    command: Sequence[str], *, given: bytes, environment: Mapping[str, str], deadline: float, limit: int
) -> Answer:
    """Run a program to its end.

    Args:
        command: the program and its arguments; no shell reads them.
        given: its stdin.
        environment: all its variables.
        deadline: when it must have ended, on the monotonic clock.
        limit: bytes of stdout that it may write.

    Raises:
        ClusterUnavailableError: it cannot be started, did not end in time, or said too much. It is gone then, with
            the processes that it started.
    """
    with tempfile.TemporaryFile() as stdin:
        stdin.write(given)
        stdin.seek(0)
        try:
            child = subprocess.Popen(
                command,
                env=dict(environment),
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise ClusterUnavailableError(f"{command[0]}: {error.strerror}") from error
    name = PurePath(command[0]).name
    with Reaped(child):
        output, errors = _read(child, name, deadline, limit)
        while (end := os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is None:
            if time.monotonic() >= deadline:
                raise ClusterUnavailableError(f"{name} closed its output and did not end in time")
            time.sleep(_POLL)
    code = end.si_status if end.si_code == os.CLD_EXITED else -end.si_status
    return Answer(code, output, errors.decode(errors="replace").strip())


def _read(child: "subprocess.Popen[bytes]", name: str, deadline: float, limit: int) -> tuple[bytes, bytes]:
    """All of stdout and the beginning of stderr, until both are closed."""
    output, errors = bytearray(), bytearray()
    with selectors.DefaultSelector() as selector:
        for stream, heard in ((child.stdout, output), (child.stderr, errors)):
            if stream is not None:
                selector.register(stream, selectors.EVENT_READ, heard)
        while selector.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                raise ClusterUnavailableError(f"{name} did not answer in time")
            for key, _ in selector.select(left):
                chunk = os.read(key.fd, _CHUNK)
                if not chunk:
                    selector.unregister(key.fileobj)
                key.data.extend(chunk)
            if len(output) > limit:
                raise ClusterUnavailableError(f"{name} said more than {limit} bytes")
            del errors[ERRORS:]
    return bytes(output), bytes(errors)
