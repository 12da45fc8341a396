"""Checkpoint requests: a file on a path that all of a job's nodes see names the step at which every rank saves.

The reader is ``guard.steps.checkpoint``. The file is there whole or not at all: written beside, synced, renamed.
"""

import json
import os
import re
from contextlib import suppress
from pathlib import Path

from remediation.clusters.protocol import RefusedError

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
"""Names of jobs that may become part of a path. Whoever submits jobs chooses them."""
_MODE = 0o644


def request_path(template: str, job: str) -> Path:
    """Where the request of ``job`` lies.

    Raises:
        RefusedError: the name cannot be part of a path, or the template has no place for it.
    """
    if "{job}" not in template:
        raise RefusedError(
            f"checkpoint path {template!r}: expected {{job}} in it, for example /shared/guard/{{job}}.json"
        )
    if not _SAFE.fullmatch(job):
        raise RefusedError(
            f"job {job!r}: its name cannot be part of a path: letters, digits, dots, dashes, up to 128"
        )
    return Path(template.replace("{job}", job))


def write_request(path: Path, at_step: int) -> None:
    """Ask for a checkpoint at ``at_step``. Written again it is the same.

    Raises:
        RefusedError: the place cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.unlink(missing_ok=True)  # of a process of this id that was killed
        with temporary.open("xb") as file:  # never through a link that somebody laid there
            file.write(json.dumps({"at_step": at_step}).encode())
            os.fchmod(file.fileno(), _MODE)  # the ranks run as other users
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise RefusedError(f"checkpoint request {path}: {error.strerror or error}") from error
