"""Go over all cases, in as many processes as wanted: the results do not depend on how many.

Cases come back in their order, so that even the file of a run is the same, to the last byte.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from multiprocessing import get_context
from typing import NamedTuple, TypeVar

from guard.bench.lineup import Lineup
from guard.bench.store import Line, Store
from guard.bench.watch import peaks, watch
from simulation.baselines import Name, Peaks, best_threshold
from simulation.case import Case
from simulation.suites import suite

_SPLIT = 1_000_003
"""What the calibration split's seed differs by: no case of it is measured."""

_In = TypeVar("_In")
_Out = TypeVar("_Out")

Progress = Callable[[int], None]


class Task(NamedTuple):
    """A case to be shown, of which suite, and whether to our judge without its parts, too."""

    suite: str
    case: Case
    ablated: bool = False


def tasks(suites: Mapping[str, int], seed: int, ablated: int = 0) -> list[Task]:
    """Every case of some suites; the first `ablated` of each also for the ablations."""
    return [
        Task(name, case, place < ablated)
        for name, count in suites.items()
        for place, case in enumerate(suite(name, count, seed))
    ]


def calibrate(
    names: Sequence[Name], suites: Mapping[str, int], seed: int, jobs: int, progress: Progress
) -> dict[Name, float]:
    """Find the threshold of each baseline that scores best on a split of its own.

    Args:
        names: of the baselines.
        suites: how many cases of each.
        seed: of the run.
        jobs: processes.
        progress: told of each case that is done.
    """
    if not names:
        return {}
    cases = [task.case for task in tasks(suites, seed + _SPLIT)]
    found: dict[Name, list[Peaks]] = {name: [] for name in names}
    for highest in over(partial(peaks, names=list(names)), cases, jobs):
        for name, one in highest.items():
            found[name].append(one)
        progress(1)
    return {name: best_threshold(every) for name, every in found.items()}


def measure(todo: Sequence[Task], lineup: Lineup, store: Store, jobs: int, progress: Progress) -> None:
    """Show every case to all contestants, and keep what each said.

    Args:
        todo: all cases; those that the store has are left out.
        lineup: who takes part.
        store: where outcomes are kept.
        jobs: processes.
        progress: told of each case that is done.
    """
    done = store.done
    left = [task for task in todo if (task.suite, task.case.name) not in done]
    progress(len(todo) - len(left))
    for line in over(partial(_one, lineup=lineup), left, jobs):
        store.add(line)
        progress(1)


def _one(task: Task, lineup: Lineup) -> Line:
    shown = lineup if task.ablated else lineup.whole()
    return Line(task.suite, task.case.name, tuple(watch(task.suite, task.case, shown)))


def over(function: Callable[[_In], _Out], items: Sequence[_In], jobs: int) -> Iterator[_Out]:
    """`map`, over processes if there are to be several."""
    if jobs == 1:
        yield from map(function, items)
        return
    with get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap(function, items)
