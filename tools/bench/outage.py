"""An agent on Kafka through thirty minutes without a broker, compressed: what it holds, and how it catches up."""

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import psutil

from collectors.telemetry import Telemetry, decode, encode
from guard import steps
from guard.bus import Topic
from guard.bus.kafka import KafkaBus
from tools.bench.page import Figure, Section
from tools.kafka import KafkaCluster
from tools.kafka.ports import free
from tools.kafka.topics import make_topics

MOST_MEMORY = 45
"""Megabytes resident, connected or not."""
MISSED = 180
"""Records of thirty minutes at one every ten seconds."""
CATCH_UP = 20.0
"""Times real time: 180 records of ten seconds each in 90 s."""
PERIOD = 0.2
_REAL_PERIOD = 10.0
_RECORDS = int(os.environ.get("GUARD_BENCH_OUTAGE", "720"))
_RANKS = 64
_CONNECTED = 40
"""Records before the outage."""
_PATIENCE = 120.0
_LOOK = 1.0
_NAP = 0.1

_CONFIG = """
cluster: bench
bus: {bus}
node: {{name: bench, instance: i-0}}
agent:
  period: {period}
  rings: {directory}/rings
  spool: {directory}/spool.sqlite
  metrics: 127.0.0.1:{port}
  neuron_monitor: {{command: [{python}, -m, simulation.neuron_monitor], period: 1}}
"""
# Attempts must be as many as in real time, not only records: each leaves its mark in sockets, threads and memory.
_AGENT = """
import functools, sys
from guard.agent.outbox import Outbox
from guard.commands import agent, main

agent.Outbox = functools.partial(Outbox, publish_within=0.5, retry_first=0.1, retry_most=0.3)
main()
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the agent's process holds at a moment. Bytes."""

    memory: int
    threads: int
    descriptors: int
    disk: int


@dataclass(slots=True)
class Life:
    """One run, as seen from outside.

    Attributes:
        before: while it was connected.
        during: once a second while no broker was there.
        after: once a second while it caught up, and at its end.
        waiting: records in the spool when the brokers came back.
        seconds: from the moment that a broker was started until the spool was empty: its start, the agent's next
            attempt, and the sending.
        records: what came on the bus, in order.
        code: what the agent ended with.
    """

    before: list[Standing] = field(default_factory=list)
    during: list[Standing] = field(default_factory=list)
    after: list[Standing] = field(default_factory=list)
    waiting: int = 0
    seconds: float = 0.0
    records: list[Telemetry] = field(default_factory=list)
    code: int | None = None

    @property
    def all(self) -> list[Standing]:
        """Every look."""
        return self.before + self.during + self.after

    @property
    def times_real(self) -> float:
        """How much faster than it was made the missed telemetry was sent, at a record every ten seconds."""
        return self.waiting * _REAL_PERIOD / self.seconds


def measure() -> Section:
    """As in the test, and longer."""
    with tempfile.TemporaryDirectory() as name:
        life = live(Path(name), _RECORDS)
    return _figures(life)


def live(directory: Path, missed: int) -> Life:
    """Run an agent at its largest load; kill the only broker until so many records wait; bring it back."""
    life = Life()
    with KafkaCluster(directory / "kafka") as cluster:
        make_topics(cluster.bootstrap)
        with _Agent(directory, cluster.url) as agent:
            agent.until(lambda: agent.metric("records_sent_total") >= _CONNECTED, life.before)
            cluster.kill(1)
            agent.until(lambda: agent.metric("records_pending") >= missed, life.during, 2 * missed * PERIOD)
            life.waiting, start = int(agent.metric("records_pending")), time.monotonic()
            cluster.restart(1)
            agent.until(lambda: agent.metric("records_pending") <= 1, life.after)
            life.seconds = time.monotonic() - start
            life.code = agent.end()
        with KafkaBus(cluster.bootstrap) as bus:
            life.records = [decode(message.value or b"") for message in bus.scan(Topic.TELEMETRY)]
    return life


class _Agent:
    """The process beside 64 rings that are written to, and how to look at it. A context manager."""

    def __init__(self, directory: Path, bus: str) -> None:
        rings, config, port = directory / "rings", directory / "guard.yaml", free(1)[0]
        rings.mkdir()
        config.write_text(
            _CONFIG.format(bus=bus, directory=directory, period=PERIOD, port=port, python=sys.executable)
        )
        self._directory, self._page = directory, f"http://127.0.0.1:{port}/metrics"
        self._exit = ExitStack()
        self._recorders = [
            steps.open(directory=rings, job="bench", rank=rank, synced=True) for rank in range(_RANKS)
        ]
        for recorder in self._recorders:
            self._exit.callback(recorder.close)
        self._process = subprocess.Popen(
            [sys.executable, "-c", _AGENT, "--quiet", "--config", config, "agent"],
            # As in guard-agent.service: one heap for all threads.
            env=os.environ | {"GUARD_EMULATE_RUNTIMES": "32", "MALLOC_ARENA_MAX": "1"},
        )
        self._exit.callback(self._process.wait)
        self._exit.callback(self._process.kill)
        self._seen = psutil.Process(self._process.pid)

    def until(self, true: Callable[[], bool], looks: list[Standing], seconds: float = 0.0) -> None:
        """Train and look, once a second, until it holds.

        Raises:
            TimeoutError: it does not within the patience, and ``seconds`` more.
        """
        deadline, look = time.monotonic() + _PATIENCE + seconds, 0.0
        while True:
            if (now := time.monotonic()) >= look:
                look = now + _LOOK
                for recorder in self._recorders:
                    with recorder.step(), recorder.section("compute"):
                        pass
                looks.append(self._standing())
            if true():
                looks.append(self._standing())
                return
            if now > deadline:
                raise TimeoutError(f"the agent does not get there; it holds {looks[-1]}")
            time.sleep(_NAP)

    def metric(self, name: str) -> float:
        """A gauge, 0 where the agent does not answer yet."""
        with suppress(OSError), urllib.request.urlopen(self._page, timeout=2) as page:  # noqa: S310  (ours)
            for line in page.read().decode().splitlines():
                if line.startswith(f"guard_agent_{name} "):
                    return float(line.rpartition(" ")[2])
        return 0.0

    def end(self) -> int:
        """SIGTERM, and its exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(10)

    def _standing(self) -> Standing:
        with self._seen.oneshot():
            memory, threads, files = self._seen.memory_info().rss, self._seen.num_threads(), self._seen.num_fds()
        disk = sum(file.stat().st_size for file in self._directory.glob("spool.sqlite*"))
        return Standing(memory, threads, files, disk)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()


def _figures(life: Life) -> Section:
    memory = [look.memory / 2**20 for look in life.during]
    third = max(1, len(memory) // 3)
    grown = statistics.mean(memory[-third:]) - statistics.mean(memory[:third])
    connected, most = (
        max(look.memory for look in life.before) / 2**20,
        max(look.memory for look in life.all) / 2**20,
    )
    threads, files = (
        f"{max(getattr(look, name) for look in life.before)}, {max(getattr(look, name) for look in life.during)}, "
        f"{life.after[-1].threads if name == 'threads' else life.after[-1].descriptors}"
        for name in ("threads", "descriptors")
    )
    numbers = [record.seq for record in life.records]
    whole = numbers == list(range(len(numbers)))
    size = statistics.mean(len(encode(record)) for record in life.records)
    figures = [
        Figure("resident, connected", f"{connected:.1f} MB", f"≤ {MOST_MEMORY} MB", connected <= MOST_MEMORY),
        Figure(
            "resident, most, catching up included", f"{most:.1f} MB", f"≤ {MOST_MEMORY} MB", most <= MOST_MEMORY
        ),
        Figure("resident, last third of the outage less first", f"{grown:+.2f} MB", "no growth", grown < 1),
        Figure("threads before, most during, after", threads),
        Figure("descriptors before, most during, after", files),
        Figure("spool on disk, most", f"{max(look.disk for look in life.all) / 2**20:.1f} MB"),
        Figure(
            "catching up, the broker's start included",
            f"{life.waiting} records in {life.seconds:.1f} s, {life.times_real:.0f} times real time",
            f"≥ {CATCH_UP:g} times",
            life.times_real >= CATCH_UP,
        ),
        Figure("records on the bus, each once and in order", f"{len(numbers)}", "all", whole),
    ]
    how = (
        f"`guard agent`, {_RANKS} ranks, neuron-monitor (emulated) of 32 runtimes, the heap as its unit sets it; "
        f"records of {size:,.0f} bytes, one every {PERIOD:g} s. The only broker is killed until "
        f"{life.waiting} wait; attempts to connect are as much more frequent. Real time: a record every 10 s."
    )
    return Section("An agent without its brokers", how, figures)
