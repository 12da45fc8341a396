"""What a range's verdicts say of nodes: who was accused from when to when, and what that cost.

Of a node that nobody accuses two rows are kept, the first and the last of their kind in a row: so a fleet of
healthy or silent nodes costs little, however long the range.
"""

from array import array
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import msgspec
import numpy as np
import pandas as pd
from msgspec import Struct

from detectors.verdict import Status, Verdict
from guard.report.job_log import LATEST, UnbelievableError


class Word(IntEnum):
    """What a verdict says, as far as it matters here. A silent node is neither accused nor cleared."""

    CLEARED = 0
    SILENT = 1
    ACCUSED = 2


class Accusation(Struct, frozen=True, kw_only=True):
    """From the first verdict that accuses a machine to the first that does not; times in Unix seconds.

    Attributes:
        ended: None: it stands.
        cleared: whether a verdict took it back, rather than the node having gone quiet.
        slowdown: the greatest that was said; None where none was.
    """

    cluster: str
    node: str
    instance: str
    job: str | None
    cause: str
    began: float
    ended: float | None
    cleared: bool
    slowdown: float | None


@dataclass(slots=True)
class NodeLog:
    """Takes verdicts about nodes, each node's in the order of the bus."""

    _time: "array[float]" = field(default_factory=lambda: array("d"))
    _slowdown: "array[float]" = field(default_factory=lambda: array("d"))
    _word: "array[int]" = field(default_factory=lambda: array("B"))
    _slow: "array[int]" = field(default_factory=lambda: array("B"))
    _names: "array[int]" = field(default_factory=lambda: array("q"))
    _known: dict[tuple[str, str, str, str | None, str], int] = field(default_factory=dict)
    _last: dict[tuple[str, str], tuple[int, int, bool]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._time)

    def add(self, said: Verdict) -> None:
        """Take a verdict.

        Raises:
            UnbelievableError: its time cannot be.
        """
        if not 0 <= said.time < LATEST:
            raise UnbelievableError("a time that cannot be")
        word = Word.ACCUSED if said.accused else Word.SILENT if said.status is Status.SILENT else Word.CLEARED
        name = (said.cluster, said.node, said.instance, said.job.id if said.job else None, said.cause or "unknown")
        kind = self._known.setdefault(name, len(self._known))
        node = (said.cluster, said.node)
        last = self._last.get(node)
        if word is not Word.ACCUSED and last is not None and last[2] and self._same(last[0], word, kind):
            self._time[last[0]] = max(self._time[last[0]], said.time)
            return
        repeats = last is not None and self._same(last[0], word, kind)
        self._last[node] = (len(self._time), kind, repeats)
        self._time.append(said.time)
        self._slowdown.append(np.nan if said.slowdown is None else said.slowdown)
        self._word.append(word)
        self._slow.append(said.status is Status.STRAGGLER)
        self._names.append(kind)

    def _same(self, row: int, word: Word, kind: int) -> bool:
        return self._word[row] == word and self._names[row] == kind

    def frame(self) -> pd.DataFrame:
        """A row for each verdict kept, by time: names, cause, time, word, slow (a straggler), slowdown."""
        columns = ["cluster", "node", "instance", "job", "cause"]
        names = pd.DataFrame(list(self._known), columns=columns, dtype=object)
        rows = names.take(np.array(self._names, dtype=np.int64)).reset_index(drop=True)
        rows["time"] = np.array(self._time, dtype=float)
        rows["word"] = np.array(self._word, dtype=np.uint8)
        rows["slow"] = np.array(self._slow, dtype=bool)
        rows["slowdown"] = np.array(self._slowdown, dtype=float)
        return rows.sort_values("time", kind="stable", ignore_index=True)


def accusations(verdicts: pd.DataFrame) -> tuple[Accusation, ...]:
    """Who was accused from when to when, by when it began."""
    accused = verdicts.loc[verdicts["word"] == Word.ACCUSED, ["cluster", "node"]].drop_duplicates()
    rows = verdicts.merge(accused, on=["cluster", "node"])
    found = [one for _, of in rows.groupby(["cluster", "node"], sort=False) for one in _of_node(of)]
    return tuple(sorted(found, key=lambda one: (one.began, one.cluster, one.node)))


def _of_node(rows: pd.DataFrame) -> Iterator[Accusation]:
    standing: Accusation | None = None
    for row in rows.to_dict("records"):
        accused, time = row["word"] == Word.ACCUSED, float(row["time"])
        same = standing is not None and standing.instance == row["instance"]
        if standing is not None and not (accused and same):
            yield msgspec.structs.replace(standing, ended=time, cleared=row["word"] == Word.CLEARED and same)
            standing = None
        if accused:
            standing = _still(standing, row, time)
    if standing is not None:
        yield standing


def _still(before: Accusation | None, row: Mapping[Any, Any], time: float) -> Accusation:
    """It begins, or it goes on, with what was said last."""
    costs = [] if np.isnan(row["slowdown"]) else [float(row["slowdown"])]
    if before is not None and before.slowdown is not None:
        costs.append(before.slowdown)
    return Accusation(
        cluster=row["cluster"],
        node=row["node"],
        instance=row["instance"],
        job=row["job"] if isinstance(row["job"], str) else None,
        cause=row["cause"],
        began=time if before is None else before.began,
        ended=None,
        cleared=False,
        slowdown=max(costs, default=None),
    )


Taken = Callable[[Accusation], bool]
"""Whether guard had taken the node out of service while it stood accused."""


def withdrawn(found: tuple[Accusation, ...], taken: Taken) -> int:
    """How many were taken back by the detector before anybody acted on them."""
    return sum(one.cleared and not taken(one) for one in found)
