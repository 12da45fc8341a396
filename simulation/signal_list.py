"""Which signals a simulated node has, and how healthy ones behave.

Assumptions: no Trainium hardware was at hand. Levels are those of a busy trn2.48xlarge by its data sheet and by
the usual load of training hosts; how much nodes differ and how fast values wander is a guess on the noisy side.
"""

import math
from dataclasses import dataclass
from enum import StrEnum


class Size(StrEnum):
    """How many values a source gives per node."""

    ONE = "one"
    RANKS = "ranks"
    DEVICES = "devices"


@dataclass(frozen=True, slots=True)
class Wave:
    """A gauge, or a counter of frequent things.

    Attributes:
        name: by the contract.
        level: typical value; of counters: per second.
        spread: standard deviation of lasting differences between nodes, as a share of the level.
        noise: of what wanders within a node, likewise.
        keep: correlation of that between periods of ten seconds.
        phase: how far the job moves all nodes together, likewise.
        busy: share of the value that falls and rises with the share of time that the job computes.
        size: how many values.
        top: highest possible value.
        counter: whether it is a counter.
    """

    name: str
    level: float
    spread: float
    noise: float
    keep: float = 0.6
    phase: float = 0.0
    busy: float = 0.0
    size: Size = Size.ONE
    top: float = float("inf")
    counter: bool = False

    @property
    def deviation(self) -> float:
        """Standard deviation among healthy peers, in units of the signal."""
        return self.level * math.hypot(self.spread, self.noise)


@dataclass(frozen=True, slots=True)
class Rare:
    """A counter of rare things.

    Attributes:
        name: by the contract.
        rate: per second, of a healthy node (of each entry, where there are several).
        size: how many values.
    """

    name: str
    rate: float
    size: Size = Size.ONE


GIB = 2.0**30

WAVES = (
    Wave("host.context_switches", 6e4, 0.05, 0.06, phase=0.05, counter=True),
    Wave("host.cpu.frequency", 2.9e9, 0.004, 0.006),
    Wave("host.cpu.iowait", 0.004, 0.3, 0.5, top=1),
    Wave("host.cpu.steal", 0.0005, 0.3, 0.5, top=1),
    Wave("host.cpu.utilization", 0.14, 0.05, 0.06, phase=0.05, top=1),
    Wave("host.disk.busy_seconds", 0.02, 0.2, 0.4, counter=True),
    Wave("host.disk.read_bytes", 6e6, 0.2, 0.5, counter=True),
    Wave("host.disk.write_bytes", 3e6, 0.2, 0.5, counter=True),
    Wave("host.load1", 26, 0.05, 0.08, keep=0.85, phase=0.05),
    Wave("host.memory.available", 1500 * GIB, 0.01, 0.004, keep=0.95),
    Wave("host.pressure.cpu", 0.01, 0.3, 0.4, top=1),
    Wave("host.pressure.io", 0.004, 0.3, 0.5, top=1),
    Wave("host.pressure.memory", 0.0004, 0.3, 0.5, top=1),
    Wave("host.temperature.max", 58, 0.04, 0.01, keep=0.95),
    Wave("net.rx_bytes", 2e6, 0.1, 0.2, phase=0.1, counter=True),
    Wave("net.tx_bytes", 2e6, 0.1, 0.2, phase=0.1, counter=True),
    Wave("efa.rx_bytes", 9e9, 0.003, 0.004, phase=0.02, busy=0.8, counter=True),
    Wave("efa.tx_bytes", 9e9, 0.003, 0.004, phase=0.02, busy=0.8, counter=True),
    Wave("neuron.core.utilization", 0.86, 0.01, 0.012, phase=0.01, busy=0.8, size=Size.RANKS, top=1),
    Wave("neuron.device.memory.used", 70 * GIB, 0.002, 0.001, keep=0.95),
    Wave("neuron.device.power", 0.66, 0.015, 0.01, phase=0.01, busy=0.5, size=Size.DEVICES, top=1),
    Wave("neuron.exec.latency.p50", 0.021, 0.012, 0.01, phase=0.01),
    Wave("neuron.exec.latency.p99", 0.026, 0.02, 0.05, phase=0.02),
    Wave("neuron.host.memory.used", 90 * GIB, 0.01, 0.004, keep=0.95),
)

RARES = (
    Rare("efa.retrans_pkts", 0.05),
    Rare("efa.retrans_timeout_events", 0.002),
    Rare("efa.rx_drops", 0.002),
    Rare("net.rx_drops", 0.01),
    Rare("net.rx_errors", 0.0005),
    Rare("neuron.ecc.mem.corrected", 0.0005, Size.DEVICES),
    Rare("neuron.ecc.sram.corrected", 0.0002, Size.DEVICES),
    Rare("neuron.exec.errors", 0.00002),
    Rare("neuron.exec.timeouts", 0.00002),
)

TAIL, TAIL_SIZE = 0.003, 4.0
"""This share of values strays by an exponential number of `noise` of this mean: signals have heavy tails."""
