"""`guard detect` as processes on a Kafka cluster: started, killed with SIGKILL, started again."""

import os
import signal
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
import yaml

from detectors.policy import Policy
from tools.kafka import KafkaCluster
from tools.kafka.ports import free

_END = 10.0


class DetectorProcesses:
    """Some detectors that share the partitions. A context manager; none outlives it."""

    def __init__(self, cluster: KafkaCluster, directory: Path, policy: Policy, *, count: int) -> None:
        self.count = count
        self._directory = directory
        self._lock = threading.Lock()
        self._closed = False
        self._ports = free(count)
        self._processes: list[subprocess.Popen[bytes] | None] = [None] * count
        for number, port in enumerate(self._ports):
            content = {
                "bus": cluster.url,
                "detect": msgspec.to_builtins(policy),
                "detector": {"metrics": f"127.0.0.1:{port}"},
                "kafka": {"session_timeout": 6},
            }
            self._configuration(number).write_text(yaml.safe_dump(content))

    def start(self, number: int) -> None:
        """Start one."""
        with self._lock, (self._directory / f"detect-{number}.log").open("ab") as log:
            if self._closed:
                return
            self._processes[number] = subprocess.Popen(
                [sys.executable, "-m", "guard.commands", "--config", self._configuration(number), "detect"],
                stdout=log,
                stderr=log,
            )

    def kill(self, number: int, *, again: bool = True) -> int:
        """Kill one with SIGKILL, and start it again."""
        self._end(number, signal.SIGKILL)
        if again:
            self.start(number)
        return number

    def end(self, number: int) -> None:
        """End one in good order."""
        self._end(number, signal.SIGTERM)

    def metric(self, number: int, name: str) -> dict[str, float]:
        """The values of a metric by its labels, empty where the process does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._ports[number]}/metrics", timeout=2) as page:
                lines = page.read().decode().splitlines()
        except OSError:
            return {}
        found = [line.rpartition(" ") for line in lines if line.partition("{")[0].partition(" ")[0] == name]
        return {labels.removeprefix(name): float(value) for labels, _, value in found}

    def log(self, number: int) -> str:
        """What one wrote."""
        return (self._directory / f"detect-{number}.log").read_text()

    def _configuration(self, number: int) -> Path:
        return self._directory / f"detect-{number}.yaml"

    def _end(self, number: int, how: signal.Signals) -> None:
        with self._lock:
            process, self._processes[number] = self._processes[number], None
        if process is None:
            return
        os.kill(process.pid, how)
        try:
            process.wait(_END)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_END)

    def __enter__(self) -> Self:
        for number in range(self.count):
            self.start(number)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        with self._lock:
            self._closed = True
        for number in range(self.count):
            self._end(number, signal.SIGTERM)
