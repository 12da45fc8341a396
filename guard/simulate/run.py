"""All regimes on all seeds, in as many processes as wanted: the results do not depend on how many."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec

from guard.bench.commit import commit
from guard.bench.run import over
from guard.progress_bar import progress
from guard.simulate.assumptions import Assumptions
from guard.simulate.detection import SOURCE
from guard.simulate.faults import draw
from guard.simulate.measures import FIGURES, Lived, difference, figure, told
from guard.simulate.published import GUARD, REMARK
from guard.simulate.regimes import Regime, live
from guard.simulate.repairs import Repairs
from guard.simulate.tables import Months
from remediation.policy import Policy

_SCHEMA = "guard.simulate-loop/1"


class Plan(msgspec.Struct, frozen=True):
    """What is simulated, all of it: the same plan gives the same results."""

    assumptions: Assumptions
    repairs: Repairs
    policy: Policy
    seed: int
    seeds: int


@dataclass(frozen=True, slots=True)
class Simulated:
    """What came of it. `commit` made it."""

    plan: Plan
    months: Months
    commit: str

    def encode(self) -> bytes:
        """All of it as JSON; of repairs from a trace, the name alone."""
        plan = msgspec.structs.replace(self.plan, repairs=Repairs(self.plan.repairs.source))
        found = {
            one.name: {
                "unit": one.unit,
                "regimes": {regime: figure(one, lived) for regime, lived in self.months.items()},
                "gain": difference(one, self.months[Regime.GUARD], self.months[Regime.CHECKS]),
                "published": GUARD.get(one.name),
            }
            for one in FIGURES
        }
        everything = {
            "schema": _SCHEMA,
            "commit": self.commit,
            "plan": plan,
            "detection": SOURCE,
            "figures": found,
            "months": [lived for regime in self.months.values() for lived in regime],
            "remark": REMARK,
        }
        return msgspec.json.format(msgspec.json.encode(everything))


def simulate(plan: Plan, jobs: int) -> Simulated:
    """Let every seed's month pass in each regime."""
    seeds = range(plan.seed, plan.seed + plan.seeds)
    lived: dict[Regime, list[Lived]] = {regime: [] for regime in Regime}
    with progress("months", plan.seeds * len(Regime)) as done:
        tasks = [(regime, seed) for seed in seeds for regime in Regime]
        for one in over(partial(_month, plan=plan), tasks, jobs):
            lived[Regime(one.regime)].append(one)
            done.advance()
    return Simulated(plan, lived, commit())


def write(out: Path, simulated: Simulated) -> None:
    """Keep the results in a folder: `loop.json`."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "loop.json").write_bytes(simulated.encode() + b"\n")


def _month(task: tuple[Regime, int], plan: Plan) -> Lived:
    regime, seed = task
    faults = draw(plan.assumptions, plan.repairs, seed)
    return told(live(regime, plan.assumptions, faults, plan.policy), regime, seed, plan.assumptions)
