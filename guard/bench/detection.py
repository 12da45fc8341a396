"""One run of `guard bench detection`, from options to tables, files and pictures."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from detectors.policy import Policy
from guard.bench.commit import commit
from guard.bench.lineup import OURS, TUNED, Lineup, line_up, methods
from guard.bench.published import PUBLISHED, REMARK
from guard.bench.run import calibrate, measure, tasks
from guard.bench.store import Plan, Store
from guard.bench.tables import Table, scores, tables
from guard.progress_bar import progress
from simulation.baselines import BASELINES, Name
from simulation.outcome import Outcome
from simulation.score import Score
from simulation.suites import Suite

_CALIBRATION = ("healthy", "faulty")
"""Suites on whose other seed thresholds are tuned."""

_DETECTION = "guard.bench-detection/1"


class UnknownNameError(ValueError):
    """A suite or detector that there is not."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be measured.

    Attributes:
        suites: how many cases of each.
        seed: of all.
        detectors: `ours` and names of baselines; empty: all.
        ablated: in how many cases of each suite our judge takes part without each of its parts, too.
        calibration: cases of each calibration suite; 0: published thresholds only.
        jobs: processes.
        out: folder of results.
        resume: go on with what is there.
    """

    suites: Mapping[str, int]
    seed: int
    detectors: Collection[str]
    ablated: int
    calibration: int
    jobs: int
    out: Path
    resume: bool


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of it.

    Attributes:
        plan: what was measured.
        outcomes: of all contestants on all cases.
        groups: scores by group of suites.
    """

    plan: Plan
    outcomes: list[Outcome]
    groups: dict[str, list[Score]]

    @property
    def tables(self) -> list[Table]:
        """The scores, to be read."""
        return tables(self.groups, self.plan.lineup.policy.lateness)

    @property
    def tuned(self) -> dict[str, float]:
        """Thresholds that the calibration split gave."""
        return {
            name: threshold
            for some in self.plan.lineup.baselines.values()
            for name, threshold in some.items()
            if name.endswith(TUNED)
        }

    def encode(self) -> bytes:
        """Everything but the single outcomes, as JSON."""
        return msgspec.json.format(
            msgspec.json.encode(
                {
                    "schema": _DETECTION,
                    "plan": self.plan,
                    "scores": self.groups,
                    "published": [one._asdict() for one in PUBLISHED],
                    "remark": REMARK,
                }
            )
        )


def detect(wanted: Wanted, policy: Policy) -> Measured:
    """Measure. Raises UnknownNameError, PlanChangedError."""
    _check(wanted)
    plan = Plan(wanted.suites, wanted.seed, _lineup(wanted, policy), wanted.ablated, commit())
    path = wanted.out / "outcomes.ndjson"
    store = Store.resume(path, plan) if wanted.resume else Store.begin(path, plan)
    todo = tasks(plan.suites, plan.seed, plan.ablated)
    with progress("cases", len(todo)) as told:
        measure(todo, plan.lineup, store, wanted.jobs, told.advance)
    outcomes = store.outcomes()
    measured = Measured(plan, outcomes, scores(outcomes, plan.lineup))
    (wanted.out / "scores.json").write_bytes(measured.encode() + b"\n")
    return measured


def _check(wanted: Wanted) -> None:
    known = (OURS, *BASELINES)
    for name in wanted.detectors:
        if name not in known:
            raise UnknownNameError(f"no detector is called {name}; there are {', '.join(known)}")
    for name in wanted.suites:
        if name not in list(Suite):
            raise UnknownNameError(f"no suite is called {name}; there are {', '.join(Suite)}")


def _lineup(wanted: Wanted, policy: Policy) -> Lineup:
    tuned = _tuned(wanted) if wanted.calibration else {}
    return line_up(wanted.detectors, ablations=wanted.ablated > 0, tuned=tuned, policy=policy)


def _tuned(wanted: Wanted) -> dict[Name, float]:
    names = methods(wanted.detectors)
    suites = dict.fromkeys(_CALIBRATION, wanted.calibration)
    with progress("calibration", sum(suites.values()) if names else 0) as told:
        return calibrate(names, suites, wanted.seed, wanted.jobs, told.advance)
