"""Who takes part in a run: our judge, the same without one of its parts, baselines at their thresholds."""

from collections.abc import Collection, Mapping

import msgspec

from detectors.judge import ALL_PARTS, Parts
from detectors.policy import Policy
from simulation.baselines import BASELINES, Name

OURS = "ours"

_ABLATIONS = {
    "without stages": Parts(stages=False),
    "without work": Parts(work=False),
    "without what-if": Parts(what_if=False),
    "without slow path": Parts(slow=False),
    "without fast path": Parts(fast=False),
    "without forest": Parts(forest=False),
}

PUBLISHED, TUNED = "published", "tuned"


class Lineup(msgspec.Struct, frozen=True):
    """What is measured.

    Attributes:
        judges: parts of our judge, by the name of the contestant.
        baselines: threshold by the name of the contestant, by method.
        policy: of our judge.
    """

    judges: Mapping[str, Parts]
    baselines: Mapping[Name, Mapping[str, float]]
    policy: Policy

    @property
    def names(self) -> tuple[str, ...]:
        """All contestants but our judge without a part, in the order of tables."""
        ours = (name for name in self.judges if name not in _ABLATIONS)
        return (*ours, *(name for some in self.baselines.values() for name in some))

    @property
    def parts(self) -> tuple[str, ...]:
        """Our judge, and the same without one part each; none where only the whole takes part."""
        return tuple(self.judges) if len(self.judges) > 1 else ()

    def whole(self) -> "Lineup":
        """The same without our judge's ablations, which cost as much as everybody else together."""
        judges = {name: parts for name, parts in self.judges.items() if name not in _ABLATIONS}
        return msgspec.structs.replace(self, judges=judges)


def line_up(chosen: Collection[str], *, ablations: bool, tuned: Mapping[Name, float], policy: Policy) -> Lineup:
    """Choose contestants.

    Args:
        chosen: `OURS` and names of methods; empty: all.
        ablations: whether our judge also takes part without each of its parts.
        tuned: threshold of each method from the calibration split.
        policy: of our judge.
    """
    judges: dict[str, Parts] = {}
    if not chosen or OURS in chosen:
        judges = {OURS: ALL_PARTS} | (_ABLATIONS if ablations else {})
    return Lineup(judges, {name: _thresholds(name, tuned) for name in methods(chosen)}, policy)


def methods(chosen: Collection[str]) -> list[Name]:
    """Name the baselines among the contestants."""
    return [name for name in BASELINES if not chosen or name in chosen]


def _thresholds(name: Name, tuned: Mapping[Name, float]) -> dict[str, float]:
    published = BASELINES[name].published
    found = {} if published is None else {f"{name} {PUBLISHED}": published}
    if name in tuned:
        found[f"{name} {TUNED}"] = tuned[name]
    return found
