"""docs/metrics.md as data, the code's registries in the same shape, and all four processes with their pages."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import yaml
from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from guard.agent.metrics import Metrics as AgentMetrics
from guard.detect.metrics import Metrics as DetectMetrics
from guard.page.metrics import Metrics as PageMetrics
from guard.remediate.metrics import Metrics as RemediateMetrics
from tools.kafka.ports import free

ROOT = Path(__file__).parents[1]
COLLECTORS = ("steps", "neuron_monitor", "neuron_sysfs", "kernel_log", "efa", "ena", "host")
PROCESSES = ("agent", "detect", "remediate", "page")
_ROW = re.compile(r"^\| `([a-z_]+)` \| ([a-z]+) \| (.*?) \| (.*?) \| (.*?) \| (.+?) \|$", re.MULTILINE)
_SUFFIX = {"counter": "_total", "info": "_info"}


class Contract(NamedTuple):
    """A metric, as it is promised."""

    type: str
    labels: frozenset[str]
    meaning: str


class Row(NamedTuple):
    """A row of the document: the contract, and what else it says. `values` are of each label, as words."""

    contract: Contract
    values: dict[str, str]
    unit: str
    moves: str


def documented() -> dict[str, Row]:
    """The rows of the document by metric."""
    rows = {}
    for name, kind, labels, unit, meaning, moves in _ROW.findall((ROOT / "docs/metrics.md").read_text()):
        assert name not in rows, f"{name} stands there twice"
        values = dict(re.findall(r"`([a-z]+)`: (.*?)(?:<br>|$)", labels))
        rows[name] = Row(Contract(kind, frozenset(values), meaning), values, unit, moves)
    return rows


def registries() -> dict[str, CollectorRegistry]:
    """What each process shows before anything has happened."""
    return {
        "agent": AgentMetrics(COLLECTORS, 1).registry,
        "detect": DetectMetrics().registry,
        "remediate": RemediateMetrics().registry,
        "page": PageMetrics(["oncall"]).registry,
    }


def promised(registry: CollectorRegistry) -> dict[str, Contract]:
    """The metrics of a registry, those too of which there is no sample yet."""
    found = {}
    for collector in registry._collector_to_names:
        if isinstance(collector, MetricWrapperBase):
            kind, labels = collector._type, frozenset(collector._labelnames)
            name = collector._name + _SUFFIX.get(kind, "")
            if kind == "info":  # which is a gauge to Prometheus, and has its labels in its samples
                ((labelled,),) = (family.samples for family in collector.collect())
                kind, labels = "gauge", frozenset(labelled.labels)
            found[name] = Contract(kind, labels, collector._documentation)
        else:
            for family in collector.collect():
                name = family.name + _SUFFIX.get(family.type, "")
                found[name] = Contract(family.type, frozenset(), family.documentation)
    return found


class Processes:
    """All four, on a bus in one file."""

    def __init__(self, directory: Path) -> None:
        self._ports = dict(zip(PROCESSES, free(len(PROCESSES)), strict=True))
        self._directory = directory
        (directory / "rings").mkdir()
        (directory / "secret").write_text("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz\n")
        address = {name: f"127.0.0.1:{port}" for name, port in self._ports.items()}
        nowhere = {"kind": "webhook", "url": "http://127.0.0.1:9/", "secret_file": f"{directory}/secret"}
        content = {
            "bus": f"file:{directory}/bus.sqlite",
            "agent": {
                "period": 1,
                "rings": f"{directory}/rings",
                "spool": f"{directory}/spool.sqlite",
                "metrics": address["agent"],
                "disabled": ["neuron_monitor", "kernel_log"],
            },
            "detector": {"metrics": address["detect"]},
            "remediation": {"metrics": address["remediate"]},
            "page": {
                "outbox": f"{directory}/page.sqlite",
                "metrics": address["page"],
                "channels": {"oncall": nowhere},
            },
        }
        self.configuration = directory / "guard.yaml"
        self.configuration.write_text(yaml.safe_dump(content))

    def address(self, process: str) -> str:
        """Where a process shows its metrics."""
        return f"127.0.0.1:{self._ports[process]}"

    def page(self, process: str) -> str:
        """What it shows; empty where it does not answer."""
        with (
            suppress(OSError),
            urllib.request.urlopen(f"http://{self.address(process)}/metrics", timeout=5) as page,
        ):
            return page.read().decode()
        return ""

    def until(self, process: str, pattern: str, seconds: float = 60.0) -> str:
        """Its page, once this pattern is in it."""
        deadline = time.monotonic() + seconds
        while not re.search(pattern, page := self.page(process)):
            assert time.monotonic() < deadline, (
                f"{pattern} is not in the page of {process}:\n{page}\n{self.log(process)}"
            )
            time.sleep(0.1)
        return page

    def log(self, process: str) -> str:
        """What it wrote."""
        return (self._directory / f"{process}.log").read_text()

    def start(self, process: str) -> subprocess.Popen[bytes]:
        """Start one."""
        with (self._directory / f"{process}.log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "guard.commands", "--config", self.configuration, process],
                stdout=log, stderr=log, env=os.environ | {"MALLOC_ARENA_MAX": "1"},
            )  # fmt: skip


@contextmanager
def running(directory: Path, *names: str) -> Iterator[Processes]:
    """These processes, until they are ended."""
    processes = Processes(directory)
    started = [processes.start(name) for name in names]
    try:
        yield processes
    finally:
        for process in started:
            process.send_signal(signal.SIGTERM)
        for process in started:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(15)
