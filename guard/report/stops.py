"""Starts and failures of a job, from what was said of it and from guard's own restarts. Pure.

One stop is one failure at most: a job that hangs and is then started anew has failed once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from guard.report.intervals import Intervals
from guard.report.job_log import Phase, Spoken
from guard.report.stories import Failure, Restart

_RUNNING = (Phase.NORMAL, Phase.SLOW)


@dataclass(frozen=True, slots=True)
class Stops:
    """Times in Unix seconds.

    Attributes:
        starts: when the job started anew, its first start left out. `asked`: of these, those guard asked for.
        failures: by time.
    """

    starts: tuple[float, ...] = ()
    asked: tuple[float, ...] = ()
    failures: tuple[Failure, ...] = ()


def stops(said: Spoken, known: Intervals, restarts: Sequence[Restart]) -> Stops:
    """What stopped and started a job.

    Args:
        said: its records.
        known: the intervals made of them, which date its hangs.
        restarts: guard's, of this job.
    """
    took = sorted((one for one in restarts if one.took is not None), key=lambda one: one.asked)
    starts: list[float] = []
    asked: list[float] = []
    failures: list[Failure] = []
    told = False
    before, previous = None, -np.inf
    for time, phase in _changes(said, known):
        anew = (
            before is not None and (phase is Phase.STARTING or before is Phase.ENDED) and phase is not Phase.ENDED
        )
        if anew:
            ours = [one for one in took if previous < one.asked <= time]
            starts.append(time)
            if ours:
                asked.append(time)
            if not told and (not ours or any(one.stood_still for one in ours)):
                failures.append(Failure(time, "fault" if ours else "restarted"))
        if phase is Phase.HUNG and (anew or not told):
            failures.append(Failure(time, "hung"))
        if phase is not Phase.ENDED:
            told = phase is Phase.HUNG
        previous = time if anew or before is None else previous
        before = phase
    unseen = [one.took for one in took if one.took is not None and not _seen(one, took, starts)]
    inside = [time for time in unseen if known.first < time < known.last]
    return Stops(tuple(sorted(starts + inside)), tuple(sorted(asked + inside)), tuple(failures))


def _changes(said: Spoken, known: Intervals) -> list[tuple[float, Phase]]:
    """When the job came into another phase; running is one, and what is not known changes nothing."""
    kept = said.phase != Phase.UNKNOWN
    time, phase = said.time[kept], said.phase[kept]
    running = np.isin(phase, _RUNNING)
    kind = np.where(running, Phase.NORMAL, phase)
    new = np.append(True, kind[1:] != kind[:-1])[: len(kind)]
    hangs = known.start[known.phase == Phase.HUNG]
    return [
        (_dated(float(at), Phase(what), hangs), Phase(what)) for at, what in zip(time[new], kind[new], strict=True)
    ]


def _dated(time: float, phase: Phase, hangs: "np.typing.NDArray[np.float64]") -> float:
    if phase is not Phase.HUNG or not len(hangs):
        return time
    return float(hangs[max(int(np.searchsorted(hangs, time, "right")) - 1, 0)])


def _seen(one: Restart, all_of: Sequence[Restart], starts: Sequence[float]) -> bool:
    """Whether the job was seen to start before guard restarted it once more."""
    following = min((other.asked for other in all_of if other.asked > one.asked), default=np.inf)
    return any(one.asked <= start < following for start in starts)
