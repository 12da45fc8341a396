"""Kept shards of the run over healthy fleets: a line each, added to for as long as anybody lets it run."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from simulation.intervals import Rate, rate


class Accusation(msgspec.Struct, frozen=True):
    """A node that was accused though nobody is at fault.

    Attributes:
        job: which of the shard.
        slot: the node's index in it.
        time: seconds since the shard began.
        cause: what was said to be wrong.
        slowdown: what it was said to cost the job.
        evidence: what spoke against it, in words.
    """

    job: str
    slot: int
    time: float
    cause: str | None
    slowdown: float | None
    evidence: tuple[str, ...]


class Shard(msgspec.Struct, frozen=True):
    """One fleet for some time.

    Attributes:
        seed: that makes it again.
        fleet: nodes.
        node_days: watched.
        budget: false accusations per 1,000 node-days that the judge was configured for.
        commit: of the code.
        accusations: one per node and job.
    """

    seed: int
    fleet: int
    node_days: float
    budget: float
    commit: str
    accusations: tuple[Accusation, ...]


def read(path: Path) -> list[Shard]:
    """Read the kept shards; half a line at the end, of a run that was killed, is no shard."""
    if not path.exists():
        return []
    whole = path.read_bytes().rpartition(b"\n")[0].splitlines()
    return [msgspec.json.decode(line, type=Shard) for line in whole]


def add(path: Path, shard: Shard) -> None:
    """Keep a shard, at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = path.read_bytes() if path.exists() else b""
    with path.open("r+b" if content else "wb") as file:
        file.seek(len(content.rpartition(b"\n")[0]) + 1 if b"\n" in content else 0)
        file.truncate()
        file.write(msgspec.json.encode(shard) + b"\n")


def total(shards: Iterable[Shard]) -> Rate | None:
    """False accusations of all shards together, and their bound; None of nothing."""
    every = list(shards)
    return rate(sum(len(one.accusations) for one in every), sum(one.node_days for one in every))
