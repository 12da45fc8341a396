"""Outcomes as lines of JSON, a line per case, so that a run that was stopped goes on where it was.

The first line says what is measured, with which thresholds and at which commit. A run goes on only with the
very same: half a table from other code would be no measurement.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

import msgspec

from guard.bench.lineup import Lineup
from simulation.outcome import Outcome


class Plan(msgspec.Struct, frozen=True):
    """What a run measures.

    Attributes:
        suites: names, and how many cases of each.
        seed: of all of them.
        lineup: who takes part.
        ablated: in how many cases of each suite our judge takes part without its parts, too.
        commit: of the code; ends in `+` where the tree had changes.
    """

    suites: Mapping[str, int]
    seed: int
    lineup: Lineup
    ablated: int
    commit: str


class Line(msgspec.Struct, frozen=True):
    """All contestants' outcomes of one case."""

    suite: str
    case: str
    outcomes: tuple[Outcome, ...]


class PlanChangedError(ValueError):
    """The results that are kept are of another run."""


class Store:
    """The file of one run."""

    def __init__(self, path: Path, lines: list[Line]) -> None:
        self._path = path
        self.lines = lines

    @classmethod
    def begin(cls, path: Path, plan: Plan) -> Self:
        """Begin anew; what was there is gone."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.encode(plan) + b"\n")
        return cls(path, [])

    @classmethod
    def resume(cls, path: Path, plan: Plan) -> Self:
        """Go on with what is there, if it is of the same plan. Raises PlanChangedError."""
        if not path.exists():
            return cls.begin(path, plan)
        # A run that was killed leaves half a line at most, which is made anew.
        whole = path.read_bytes().rpartition(b"\n")[0].splitlines()
        if not whole or msgspec.json.decode(whole[0], type=Plan) != plan:
            raise PlanChangedError(
                f"{path} is of other suites, thresholds or code: leave --resume out to begin anew"
            )
        path.write_bytes(b"".join(line + b"\n" for line in whole))
        return cls(path, [msgspec.json.decode(line, type=Line) for line in whole[1:]])

    def add(self, line: Line) -> None:
        """Keep a case, at once."""
        self.lines.append(line)
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode(line) + b"\n")

    @property
    def done(self) -> set[tuple[str, str]]:
        """Suite and name of the cases that are kept."""
        return {(line.suite, line.case) for line in self.lines}

    def outcomes(self) -> list[Outcome]:
        """All that are kept."""
        return [outcome for line in self.lines for outcome in line.outcomes]
