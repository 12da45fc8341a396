"""Synthetic telemetry for tests: nodes of one job in lockstep, with a fault where a test wants one."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from collectors.telemetry import SCHEMA, Fault, Job, Ranks, Steps, Telemetry
from detectors.policy import Fast, Policy

START = 1_790_000_010.0
QUICK = Policy(window=10.0, lateness=10.0, silence=40.0, clear=5, warm_up=0, starting=3, fast=Fast(severe_held=3))
"""A window per period of ten seconds."""

Slow = Callable[[int, int], float]
"""Factor on a node's compute in a period."""


@dataclass(frozen=True)
class Fleet:
    """A job of nodes that step together; each period lasts ten seconds and holds ten steps."""

    nodes: int = 8
    ranks: int = 2
    stages: int = 1
    stage_weight: Callable[[int], float] = lambda _stage: 1.0
    slow: Slow = lambda _node, _period: 1.0
    section: str = "compute"
    noise: float = 0.003
    synced: bool | None = True
    seed: int = 7
    attempt: int = 0
    job: str = "train"
    first_seq: int = 0
    faults: dict[tuple[int, int], list[Fault]] = field(default_factory=dict)

    def records(self, periods: int, start: int = 0) -> list[Telemetry]:
        """All records, in order of time."""
        chance = random.Random(f"{self.seed}/{start}")
        return [record for period in range(start, start + periods) for record in self._period(period, chance)]

    def _period(self, period: int, chance: random.Random) -> list[Telemetry]:
        own = [[self._own(node, period, chance) for _ in range(self.ranks)] for node in range(self.nodes)]
        longest = max(sum(rank.values()) for ranks in own for rank in ranks) + 0.1
        return [self._record(node, period, own[node], longest) for node in range(self.nodes)]

    def _own(self, node: int, period: int, chance: random.Random) -> dict[str, float]:
        weight = self.stage_weight(node % self.stages)
        own = {"compute": 0.8 * weight, "data": 0.05, "host": 0.02}
        own = {name: value * chance.gauss(1, self.noise) for name, value in own.items()}
        own[self.section] *= self.slow(node, period)
        return own

    def _record(self, node: int, period: int, own: list[dict[str, float]], longest: float) -> Telemetry:
        ranks = range(self.ranks)
        sections = {name: [10 * rank[name] for rank in own] for name in ("compute", "data", "host")}
        sections["collective"] = [10 * (longest - sum(rank.values())) for rank in own]
        return Telemetry(
            schema=SCHEMA,
            cluster="c",
            node=f"node-{node:03}",
            instance=f"i-{node:03}",
            boot=f"boot-{node}",
            seq=self.first_seq + period,
            time=START + 10.0 * period,
            period=10.0,
            job=Job(id=self.job, attempt=self.attempt),
            labels={"instance_type": "trn2.48xlarge"},
            ranks=Ranks(
                rank=[node * self.ranks + rank for rank in ranks],
                device=list(ranks),
                stage=[node % self.stages for _ in ranks],
            ),
            steps=Steps(
                count=[10 for _ in ranks],
                first_step=[10 * period for _ in ranks],
                last_step=[10 * period + 9 for _ in ranks],
                duration=[10 * longest for _ in ranks],
                sections=sections,
                synced=self.synced,
            ),
            faults=self.faults.get((node, period), []),
        )


def slow_from(node: int, period: int, factor: float) -> Slow:
    """One node that is slow from a period on."""
    return lambda other, now: factor if other == node and now >= period else 1.0
