"""Which rank of which job this process is: from the environment of torchrun, Slurm, MPI or JAX.

``GUARD_*`` variables come before all others. Among the launchers the innermost speaks: torchrun under Slurm
sets ``RANK`` per process, where ``SLURM_PROCID`` counts torchruns.
"""

import os
import time
from collections.abc import Mapping

from guard.ring import Owner, Place
from guard.steps.device import device as visible_device

_RANK = ("GUARD_RANK", "RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "JAX_PROCESS_ID", "SLURM_PROCID")
_LOCAL_RANK = (
    "GUARD_LOCAL_RANK",
    "LOCAL_RANK",
    "OMPI_COMM_WORLD_LOCAL_RANK",
    "MPI_LOCALRANKID",
    "SLURM_LOCALID",
)
_JOB = ("GUARD_JOB_ID", "SLURM_JOB_ID", "PBS_JOBID", "TORCHELASTIC_RUN_ID")
_JOB_NAME = ("GUARD_JOB_NAME", "SLURM_JOB_NAME", "PBS_JOBNAME")
_LAYOUT = ("stage", "dp", "tp", "ep", "cp")
_LARGEST = 1 << 31


def identify(environment: Mapping[str, str], given: Mapping[str, object]) -> Owner:
    """Who this process is. What ``given`` holds wins over the environment; what neither knows is None."""

    def number(name: str, *variables: str) -> int | None:
        value = _number(given.get(name))
        return value if value is not None else _first_number(environment, variables)

    attempt = number("attempt", "GUARD_ATTEMPT")
    device = number("device", "GUARD_DEVICE")
    job, name = given.get("job"), given.get("job_name")
    return Owner(
        place=Place(
            number("rank", *_RANK) or 0,
            number("local_rank", *_LOCAL_RANK),
            visible_device(environment) if device is None else device,
            *(number(axis, f"GUARD_{axis.upper()}") for axis in _LAYOUT),
        ),
        job=str(job) if job is not None else _first_text(environment, _JOB),
        job_name=str(name) if name is not None else _first_text(environment, _JOB_NAME),
        attempt=_attempt(environment) if attempt is None else attempt,
        pid=os.getpid(),
        synced=None if given.get("synced") is None else bool(given["synced"]),
        created=time.time(),
    )


def _attempt(environment: Mapping[str, str]) -> int:
    """Restarts by the scheduler times 1,000, plus those by the launcher: it only grows."""
    requeues = _first_number(environment, ("SLURM_RESTART_COUNT",)) or 0
    return requeues * 1000 + (_first_number(environment, ("TORCHELASTIC_RESTART_COUNT",)) or 0)


def _first_number(environment: Mapping[str, str], names: tuple[str, ...]) -> int | None:
    numbers = (_number(environment.get(name)) for name in names)
    return next((number for number in numbers if number is not None), None)


def _number(value: object) -> int | None:
    """A count within a ring's range, else None: a wrong variable must not stop a training program."""
    try:
        number = int(value)  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError):
        return None
    return number if 0 <= number < _LARGEST else None


def _first_text(environment: Mapping[str, str], names: tuple[str, ...]) -> str:
    # torchrun's default run id is the word "none", which names no job.
    return next((value for name in names if (value := environment.get(name, "")) not in ("", "none")), "")
