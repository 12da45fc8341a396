"""Slurm's own commands, run with a deadline; their errors say whose trouble it is."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from remediation.clusters import command_run
from remediation.clusters.command_run import Answer
from remediation.clusters.protocol import ClusterError, ClusterUnavailableError, GoneError, RefusedError
from remediation.clusters.slurm_records import JOB_FIELDS, SlurmJob, SlurmNode, read_jobs, read_nodes

_LARGEST = 256 << 20
"""Bytes of an answer: a node's line is about 1 KB, and there may be 62,500 of them."""
_KEPT = ("PATH", "HOME", "USER", "LOGNAME", "SLURM_CONF", "SLURM_JWT", "LD_LIBRARY_PATH")
"""Variables that commands see. Others of Slurm's change what they print, or speak of the job that we run in."""

_GONE = ("Invalid node name", "Invalid job id", "not found", "already completing or completed")
_REFUSED = (
    "denied",
    "Invalid user id",
    "presently disabled",
    "not supported",
    "Invalid node state",
    "unrecognized option",
    "Invalid job format",
)

Read = TypeVar("Read")


class Deadline:
    """The moment until which a call may last."""

    def __init__(self, timeout: float) -> None:
        self.end = time.monotonic() + timeout

    def left(self) -> float:
        """Seconds left; below zero when it is over."""
        return self.end - time.monotonic()


class SlurmCommands:
    """`scontrol` and `squeue`, without a shell, and without variables that change what they say."""

    def __init__(self, configuration: Path | None = None) -> None:
        self._environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
        # Whole seconds since 1970, whatever zone and format this machine prefers.
        self._environment |= {"SLURM_TIME_FORMAT": "%s", "LC_ALL": "C"}
        if configuration is not None:
            self._environment["SLURM_CONF"] = str(configuration)

    def nodes(self, deadline: Deadline) -> dict[str, SlurmNode]:
        """All nodes."""
        return _read(self._ask(deadline, "scontrol", "--all", "--oneliner", "show", "node"), read_nodes)

    def node(self, name: str, deadline: Deadline) -> SlurmNode:
        """One node.

        Raises:
            GoneError: there is none of the name.
        """
        found = _read(
            self._ask(deadline, "scontrol", "--all", "--oneliner", "show", "node", _word(name)), read_nodes
        )
        if name not in found:
            raise GoneError(f"{name} is not there")
        return found[name]

    def jobs(self, deadline: Deadline) -> dict[str, SlurmJob]:
        """All jobs that Slurm still remembers."""
        return _read(self._ask(deadline, *self._squeue()), read_jobs)

    def job(self, name: str, deadline: Deadline) -> SlurmJob:
        """One job.

        Raises:
            GoneError: Slurm knows none of the name, or not any more.
        """
        if not name.isdecimal():
            raise GoneError(f"{name[:80]!r} is no job of Slurm")
        found = _read(self._ask(deadline, *self._squeue(), "--jobs", name), read_jobs)
        if name not in found:
            raise GoneError(f"job {name} is not there any more")
        return found[name]

    def script(self, job: str, deadline: Deadline) -> str:
        """The batch script of a job."""
        return self._ask(deadline, "scontrol", "write", "batch_script", job, "-")

    def update_node(self, name: str, deadline: Deadline, **values: str) -> None:
        """Change a node."""
        pairs = [f"{field}={value}" for field, value in values.items()]
        self._ask(deadline, "scontrol", "update", f"NodeName={_word(name)}", *pairs)

    def requeue(self, job: str, deadline: Deadline) -> None:
        """Put a job that runs back to where it waits. `incomplete`: one that has just ended is not run again."""
        self._ask(deadline, "scontrol", "requeue", "incomplete", job)

    def start_now(self, job: str, deadline: Deadline) -> None:
        """Lift the delay of a job that waits for its time."""
        self._ask(deadline, "scontrol", "update", f"JobId={job}", "StartTime=now")

    @staticmethod
    def _squeue() -> list[str]:
        fields = ",".join(f"{field}:|" for field in JOB_FIELDS[:-1])
        return [
            "squeue",
            "--noheader",
            "--all",
            "--local",
            "--states=all",
            f"--Format={fields},{JOB_FIELDS[-1]}:255",
        ]

    def _ask(self, deadline: Deadline, *command: str) -> str:
        answer = command_run.run(
            command, given=b"", environment=self._environment, deadline=deadline.end, limit=_LARGEST
        )
        if answer.code:
            raise _error(command, answer)
        return answer.output.decode(errors="replace")


def _word(name: str) -> str:
    """A node's name, and not a list of them: `n[1-9]` would be taken for nine nodes.

    Raises:
        GoneError: no node can have it.
    """
    if not name or not all(char.isalnum() or char in "-_." for char in name):
        raise GoneError(f"{name[:80]!r} is no name of a node")
    return name


def _read(text: str, reader: Callable[[str], Read]) -> Read:
    try:
        return reader(text)
    except ValueError as error:
        raise ClusterUnavailableError(f"Slurm's answer is not understood: {error}") from error


def _error(command: tuple[str, ...], answer: Answer) -> ClusterError:
    """What kind of trouble it is. What is not known is the controller's."""
    # scontrol prints errors of jobs on either of the two.
    said = (answer.errors or answer.output[:512].decode(errors="replace")).strip().partition("\n")[0]
    text = f"{command[0]}: {said or f'exit status {answer.code}'}"
    if any(part in said for part in _GONE):
        return GoneError(text)
    if any(part in said for part in _REFUSED):
        return RefusedError(text)
    return ClusterUnavailableError(text)
