"""The long run over healthy fleets: how many nodes are accused though nobody is at fault.

A shard is a day of a fleet with its own seed. Shards are kept and add up, whichever code made them; each says
which.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from math import ceil
from pathlib import Path

import msgspec

from detectors.board import Conclusion
from detectors.judge import Judge, Parts
from detectors.observed import Observed
from detectors.policy import Policy
from guard.bench.commit import commit
from guard.bench.run import over
from guard.bench.shards import Accusation, Shard, add, read, total
from guard.bench.watch import accusations
from guard.progress_bar import progress
from simulation.healthy import WINDOWS, Fleet

_DAY = 86_400.0


def extend(path: Path, policy: Policy, *, days: float, fleet: int, jobs: int) -> list[Shard]:
    """Add shards to those that are kept.

    Args:
        path: of the kept ones.
        policy: of the judge.
        days: node-days to add, rounded up to whole shards.
        fleet: nodes of a shard.
        jobs: processes.

    Returns:
        All that are kept then.
    """
    kept = read(path)
    first = max((shard.seed for shard in kept), default=0) + 1
    seeds = range(first, first + ceil(days / fleet))
    with progress("fleet days", len(seeds)) as told:
        for shard in over(partial(watch_day, fleet=fleet, policy=policy, code=commit()), seeds, jobs):
            add(path, shard)
            told.advance()
    return read(path)


def watch_day(seed: int, fleet: int, policy: Policy, code: str, windows: int = WINDOWS) -> Shard:
    """Watch a day of one fleet.

    Args:
        seed: of the fleet.
        fleet: nodes.
        policy: of the judge.
        code: commit.
        windows: how many; a day's by default.
    """
    made = Fleet(fleet, seed)
    watched = [_Watched(f"job-{number}", policy) for number in range(len(made.jobs))]
    for observed in islice(made.day(0), windows):
        for job, window in zip(watched, observed, strict=True):
            job.watch(window)
    return Shard(
        seed=seed,
        fleet=fleet,
        node_days=sum(job.node_days for job in watched),
        budget=policy.budget,
        commit=code,
        accusations=tuple(one for job in watched for one in job.accusations),
    )


class _Watched:
    """One healthy job and its judge."""

    def __init__(self, name: str, policy: Policy) -> None:
        # The forest ranks, and accuses nobody; it would double the cost.
        self._name, self._judge = name, Judge(policy, Parts(forest=False))
        self._start: float | None = None
        self._accused: set[int] = set()
        self.accusations: list[Accusation] = []
        self.node_days = 0.0

    def watch(self, observed: Observed) -> None:
        if self._start is None:
            self._start = observed.start
        self.node_days += len(observed.active) * (observed.end - observed.start) / _DAY
        reading = self._judge.judge(observed)
        for slot in accusations(reading).keys() - self._accused:
            self._accused.add(slot)
            self.accusations.append(self._accusation(slot, observed.end - self._start, reading.conclusions[slot]))

    def _accusation(self, slot: int, time: float, said: Conclusion) -> Accusation:
        pieces = tuple(
            f"{one.signal} {one.value} against {one.typical}, score {one.score}, {one.windows} windows"
            for one in said.evidence
        )
        return Accusation(self._name, slot, time, said.cause, said.slowdown, pieces)


def told(shards: Sequence[Shard], policy: Policy) -> str:
    """Say how many were accused, beside the budget."""
    return "\n".join(_lines(shards, policy))


def encode(shards: Sequence[Shard], policy: Policy) -> bytes:
    """The same as JSON, without the accusations' details."""
    return msgspec.json.format(
        msgspec.json.encode(
            {
                "schema": "guard.bench-healthy/1",
                "shards": len(shards),
                "false_accusations": total(shards),
                "budget": policy.budget,
                "by_commit": {code: total(some) for code, some in _by_commit(shards).items()},
            }
        )
    )


def _lines(shards: Sequence[Shard], policy: Policy) -> Iterator[str]:
    every = total(shards)
    if every is None:
        yield "no shards are kept yet"
        return
    yield (
        f"{every.node_days:,.0f} node-days in {len(shards)} shards: {every.events} false accusations, "
        f"{every.value:.3g} per 1,000 node-days, below {every.upper:.3g} with 95 % confidence; "
        f"the budget is {policy.budget:g}"
    )
    by_commit = _by_commit(shards)
    for code, some in by_commit.items() if len(by_commit) > 1 else ():
        one = total(some)
        if one:
            yield f"  {code}: {one.node_days:,.0f} node-days, {one.events} false, below {one.upper:.3g}"
    for shard in shards:
        for said in shard.accusations:
            yield (
                f"  seed {shard.seed} ({shard.commit}), {said.job}, node {said.slot}, after {said.time:,.0f} s: "
                f"{said.cause}; {'; '.join(said.evidence)}"
            )


def _by_commit(shards: Sequence[Shard]) -> dict[str, list[Shard]]:
    found: dict[str, list[Shard]] = {}
    for shard in shards:
        found.setdefault(shard.commit, []).append(shard)
    return found
