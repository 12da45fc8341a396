"""What the agent costs: a neuron-monitor of 32 runtimes, 64 ranks, 720 periods of one second."""

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from collectors.telemetry import Telemetry, decode
from guard import steps
from guard.bus import Topic, open_bus
from tools.bench.page import Figure, Section

_RANKS = 64
_PERIODS = int(os.environ.get("GUARD_BENCH_PERIODS", "720"))
_WARM = 20
"""Periods before the first figure: the first reports and the first search of all paths."""

MOST_MEMORY = 40
"""Megabytes resident on the embedded bus; with the Kafka client 45, see `tools.bench.outage`."""

_CONFIG = """
cluster: bench
bus: file:{directory}/bus.sqlite
node: {{name: bench, instance: i-0}}
agent:
  period: 1
  rings: {directory}/rings
  spool: {directory}/spool.sqlite
  metrics: 127.0.0.1:0
  neuron_monitor: {{command: [{python}, -m, simulation.neuron_monitor], period: 1}}
"""


@dataclass(frozen=True, slots=True)
class Life:
    """One run of the agent, as seen from outside. ``cpu`` and ``memory`` have a value per period.

    Attributes:
        cpu: seconds of processor time of the agent's process alone.
        memory: resident bytes of it, at the end of the period.
        ended: seconds from SIGTERM to the end.
        code: what it ended with.
        records: what arrived on the bus, in order.
    """

    cpu: list[float]
    memory: list[float]
    ended: float
    code: int
    records: list[Telemetry]


def measure() -> Section:
    """Run the agent beside 64 rings that are written to once a second."""
    return _figures(live(_PERIODS))


def live(periods: int) -> Life:
    """Run an agent for so many seconds, a period each, then end it."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        directory = Path(name)
        (directory / "rings").mkdir()
        config = directory / "guard.yaml"
        config.write_text(_CONFIG.format(directory=directory, python=sys.executable))
        recorders = [
            steps.open(directory=directory / "rings", job="bench", rank=rank, synced=True)
            for rank in range(_RANKS)
        ]
        environment = os.environ | {"GUARD_EMULATE_RUNTIMES": "32"}
        agent = subprocess.Popen(
            [sys.executable, "-m", "guard.commands", "--quiet", "--config", config, "agent"], env=environment
        )
        try:
            cpu, memory = _watch(psutil.Process(agent.pid), recorders, periods)
        finally:
            agent.send_signal(signal.SIGTERM)
            start = time.monotonic()
            code = agent.wait(10)
            ended = time.monotonic() - start
            for recorder in recorders:
                recorder.close()
        with open_bus(f"file:{directory}/bus.sqlite") as bus:
            records = [decode(message.value) for message in bus.scan(Topic.TELEMETRY) if message.value]
    return Life(cpu, memory, ended, code, records)


def _watch(
    agent: psutil.Process, recorders: list[steps.StepRecorder], periods: int
) -> tuple[list[float], list[float]]:
    """CPU seconds and resident bytes of the agent alone, a value per period."""
    cpu, memory = [], []
    before = 0.0
    due = time.monotonic()
    for _ in range(periods):
        for recorder in recorders:
            with recorder.step(), recorder.section("compute"):
                pass
        due += 1.0
        time.sleep(max(0.0, due - time.monotonic()))
        times = agent.cpu_times()
        used = times.user + times.system
        cpu.append(used - before)
        memory.append(float(agent.memory_info().rss))
        before = used
    return cpu, memory


def _figures(life: Life) -> Section:
    cpu, memory, ended = life.cpu[_WARM:], life.memory[_WARM:], life.ended
    numbers = [record.seq for record in life.records]
    tenth = max(1, len(cpu) // 10)
    mean, first, last = statistics.mean(cpu), statistics.mean(cpu[:tenth]), statistics.mean(cpu[-tenth:])
    most, grown = max(memory) / 2**20, (statistics.mean(memory[-tenth:]) - statistics.mean(memory[:tenth])) / 2**20
    figures = [
        Figure("CPU a period, mean", f"{mean * 1000:.0f} ms", "≤ 50 ms", mean <= 0.05),
        Figure("CPU a period, first and last tenth", f"{first * 1000:.0f} and {last * 1000:.0f} ms", "no growth"),
        Figure("resident, most", f"{most:.1f} MB", f"≤ {MOST_MEMORY} MB", most <= MOST_MEMORY),
        Figure("resident, last tenth less first", f"{grown:+.2f} MB", "no growth", grown < 1),
        Figure("records on the bus, none missing", f"{len(numbers)}", "", numbers == list(range(len(numbers)))),
        Figure("from SIGTERM to the end", f"{ended:.2f} s", "≤ 2 s", ended <= 2),
    ]
    how = (
        f"{_PERIODS} periods of 1 s, the first {_WARM} left out; {_RANKS} ranks, neuron-monitor (emulated) "
        "of 32 runtimes once a second. CPU and memory of the agent's process alone."
    )
    return Section("The agent", how, figures)
