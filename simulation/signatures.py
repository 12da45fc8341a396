"""How faults and disturbances show in signals, beside the times of steps.

Assumptions: no Trainium hardware was at hand; what moves, and by how much, is a guess. A fault of 1.1x moves one
to three signals by three to six standard deviations of healthy peers (`strength`, drawn per fault), times the
weight below, and a greater one by more, as (excess / 0.1)^0.7.

| kind | signals |
| --- | --- |
| compute, drift, intermittent | execution latency up, power of its devices down |
| throttle | power down and temperature up while it is hot |
| core, device | utilisation of its cores up (they wait less), their power down |
| memory | corrected errors of the device's memory, latency p99 up |
| host | pressure and switches up, load and utilisation a little |
| input | time waiting for disks, pressure on them |
| link | retransmissions, timeouts, drops, errors of its adapter |
| storage | time waiting for disks, disks busy |
| rack | temperature up, power down |
| hard, hang, agent | nothing |
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from detectors.observed import Flags, Floats
from simulation.case import Case, FaultKind
from simulation.effects import excess, ranks_hit
from simulation.plan import Happening, Plan, periods

_SLOWER = (("neuron.exec.latency.p50", 1.0), ("neuron.device.power", -0.6))
# Of one device alone, a mean over the node shows half, and a source that gives a list tells it by its odd entry.
_ON_DEVICE = (("neuron.core.utilization", 1.6), ("neuron.device.power", -1.4))

SIGNATURES: Mapping[FaultKind, tuple[tuple[str, float], ...]] = {
    FaultKind.COMPUTE: _SLOWER,
    FaultKind.DRIFT: _SLOWER,
    FaultKind.INTERMITTENT: _SLOWER,
    FaultKind.THROTTLE: (("neuron.device.power", -1.0), ("host.temperature.max", 0.8)),
    FaultKind.CORE: _ON_DEVICE,
    FaultKind.DEVICE: _ON_DEVICE,
    FaultKind.MEMORY: (("neuron.ecc.mem.corrected", 1.0), ("neuron.exec.latency.p99", 0.7)),
    FaultKind.HOST: (
        ("host.pressure.cpu", 1.0),
        ("host.context_switches", 0.9),
        ("host.load1", 0.5),
        ("host.cpu.utilization", 0.5),
    ),
    FaultKind.INPUT: (("host.pressure.io", 1.0), ("host.cpu.iowait", 0.9), ("host.disk.busy_seconds", 0.5)),
    FaultKind.LINK: (
        ("efa.retrans_pkts", 1.0),
        ("efa.retrans_timeout_events", 0.5),
        ("efa.rx_drops", 0.4),
        ("net.rx_errors", 0.3),
    ),
    FaultKind.STORAGE: (("host.pressure.io", 1.0), ("host.disk.busy_seconds", 1.0), ("host.cpu.iowait", 0.6)),
    FaultKind.RACK: (("host.temperature.max", 0.8), ("neuron.device.power", -0.8)),
}
"""Signals and weights, in standard deviations of healthy peers per unit of `strength`."""

EVENTS = 0.05
"""Events per second that a unit of strength adds to a rare counter."""


@dataclass(frozen=True, slots=True)
class Shift:
    """A signal moves on some nodes.

    Attributes:
        signal: its name.
        nodes: where.
        amount: per period, in standard deviations of healthy peers; of a rare counter: times `EVENTS`.
        ranks: local ranks that it concerns, and their devices, where the source tells them apart; None: all.
    """

    signal: str
    nodes: tuple[int, ...]
    amount: Floats
    ranks: Flags | None = None


def shifts(case: Case, plan: Plan, chance: np.random.Generator) -> Iterator[Shift]:
    """List what moves in a case."""
    start = case.period * np.arange(periods(case))
    for fault in case.faults:
        strength = chance.uniform(3, 6)
        share = excess(fault, start + case.period / 2) / 0.1
        amount = strength * np.sign(share) * np.abs(share) ** 0.7
        for signal, weight in SIGNATURES.get(fault.kind, ()):
            yield Shift(signal, fault.nodes, weight * amount, ranks_hit(case, fault))
    everyone = tuple(range(case.shape.nodes))
    for stall in plan.stalls:
        for signal in ("host.cpu.iowait", "host.pressure.io"):
            yield Shift(signal, everyone, chance.uniform(5, 20) * covered(stall, start, case.period))
    for one in plan.compiling:
        nodes = everyone if one.node is None else (one.node,)
        for signal in ("host.cpu.utilization", "host.load1"):
            yield Shift(signal, nodes, chance.uniform(5, 15) * covered(one, start, case.period))


def covered(one: Happening, start: Floats, period: float) -> Floats:
    """Give the share of each period that something lasts."""
    both = np.minimum(one.end, start + period) - np.maximum(one.start, start)
    return np.asarray(np.clip(both, 0, period) / period)
