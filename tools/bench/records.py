"""Telemetry records of a large fleet, about 12 KB each: 64 ranks with four sections."""

import random
from collections.abc import Iterator

import msgspec

from collectors.telemetry import SCHEMA, Job, Ranks, Steps, Telemetry

RANKS = 64
PERIOD = 10.0
START = 1_790_000_010.0
_STEPS = 8
_TEMPLATES = 64
_SECTIONS = {"data": 0.09, "compute": 7.44, "collective": 2.0, "host": 0.05}


class FleetRecords:
    """Records of one job of many nodes, made quickly: few templates, and each node's own name and numbers."""

    def __init__(self, nodes: int, *, seed: int = 1, start: float = START) -> None:
        chance = random.Random(seed)
        self._nodes, self._start = nodes, start
        self._templates = [_template(chance) for _ in range(min(nodes, _TEMPLATES))]

    def period(self, number: int) -> Iterator[Telemetry]:
        """All nodes' records of one period."""
        time = self._start + PERIOD * number
        first, last = [_STEPS * number] * RANKS, [_STEPS * (number + 1) - 1] * RANKS
        steps = [
            msgspec.structs.replace(template.steps, first_step=first, last_step=last)
            for template in self._templates
            if template.steps is not None
        ]
        for node in range(self._nodes):
            which = (node + 7 * number) % len(self._templates)
            yield msgspec.structs.replace(
                self._templates[node % len(self._templates)],
                node=f"ip-10-{node >> 16}-{node >> 8 & 255}-{node & 255}",
                instance=f"i-{node:017x}",
                seq=number,
                time=time,
                steps=steps[which],
            )


def _template(chance: random.Random) -> Telemetry:
    ranks = range(RANKS)

    def spread(mean: float) -> list[float | None]:
        return [round(mean * chance.gauss(1, 0.003), 6) for _ in ranks]

    sections = {name: spread(mean) for name, mean in _SECTIONS.items()}
    return Telemetry(
        schema=SCHEMA,
        cluster="use1-prod",
        node="",
        instance="",
        boot="5d0c9a1e0b7f4c0e9a44c2d1f0b3a8e7",
        seq=0,
        time=0.0,
        period=PERIOD,
        job=Job("81723", 0, "pretrain-7b"),
        labels={"instance_type": "trn2.48xlarge", "az": "use1-az4", "ultraserver": "us-17"},
        ranks=Ranks(
            rank=list(ranks),
            local_rank=list(ranks),
            device=[rank // 4 for rank in ranks],
            stage=[chance.randrange(4)] * RANKS,
            dp=[4] * RANKS,
            tp=list(ranks),
        ),
        steps=Steps(
            count=[_STEPS] * RANKS,
            last_end=[1_790_000_009.4] * RANKS,
            duration=spread(9.68),
            slowest=spread(1.24),
            sections=sections,
            peak={name: [round((value or 0.0) / 7, 6) for value in column] for name, column in sections.items()},
            synced=True,
            current=["compute"] * RANKS,
            current_age=spread(0.31),
            alive=[True] * RANKS,
        ),
        gauges={"host.cpu.utilization": 0.31, "neuron.core.utilization": spread(0.97)},
        counters={"efa.retrans_timeout_events": [0] * 8},
    )
