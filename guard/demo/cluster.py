"""The demo's cluster: for each node a directory, a configuration, an agent and a worker; and guard's services."""

import json
import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from guard.demo.pager import Pager
from guard.demo.processes import Child, Processes

PERIOD = 1
"""Seconds of a record: a demo is short."""

_WINDOW = 2
_LATENESS = 2
_CLEAR = 5
"""Good windows until the slowed worker is well again: ten minutes of them, as by default, nobody would watch."""
_TOLERANCE = 0.15
"""Workers that share cores with each other and with whatever else runs here differ by more than nodes do."""
_ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_CONFIRM = 2.0
_OBSERVE = 3.0
_GATHER = 5.0
"""Seconds until a page is sent: so that it tells what guard would do, too."""
_NICENESS = 5
"""Of the workers: agents keep their rhythm on a machine whose every core trains."""


@dataclass(frozen=True, slots=True)
class Node:
    """One node of the demo: its name, and where its files are."""

    index: int
    name: str
    directory: Path

    @property
    def configuration(self) -> Path:
        """Its configuration file."""
        return self.directory / "guard.yaml"

    @property
    def instance(self) -> str:
        """Its hardware, as it were."""
        return f"i-demo{self.index:08d}"

    @property
    def rings(self) -> Path:
        """Where its worker's step ring is."""
        return self.directory / "rings"


class Cluster:
    """Lays out the files of all nodes in ``directory``, and starts their processes.

    Args:
        name: of the cluster.
        directory: where the files go.
        count: of nodes.
        seed: of the training data.
        bus: its part of the configuration.
        pager: who is told.
    """

    def __init__(
        self, name: str, directory: Path, count: int, seed: int, *, bus: Mapping[str, Any], pager: Pager
    ) -> None:
        self.name = name
        self.nodes = [Node(index, f"demo-node-{index}", directory / f"node-{index}") for index in range(count)]
        self.services = directory / "services.yaml"
        self.checkpoint = directory / "checkpoint.npz"
        self._seed = seed
        base: dict[str, Any] = {"cluster": name, **bus}
        for node in self.nodes:
            node.rings.mkdir(parents=True)
            _write(node.configuration, base | _node_settings(node))
        policy = {"window": _WINDOW, "lateness": _LATENESS, "clear": _CLEAR, "tolerance": _TOLERANCE}
        settings = {
            "detect": policy,
            "detector": {"metrics": None},
            "remediation": _remediation(self.nodes),
            "page": _paging(directory, pager),
        }
        _write(self.services, base | settings)

    def start_services(self, processes: Processes) -> None:
        """Start detector, remediator and pager, and all agents."""
        for service in ("detect", "remediate", "page"):
            processes.start(service, guard(self.services, service))
        for node in self.nodes:
            processes.start(f"agent-{node.index}", guard(node.configuration, "agent"))

    def start_workers(self, processes: Processes) -> list[Child]:
        """Start the training job, its ranks joined to a ring. A rank's place in the list is its node's."""
        world = len(self.nodes)
        pairs = [socket.socketpair() for _ in self.nodes]
        cores = assign_cores(world, available_cores())
        try:
            return [
                self._start_worker(processes, node, pairs[node.index][0], pairs[node.index - 1][1], core)
                for node, core in zip(self.nodes, cores, strict=True)
            ]
        finally:
            # A peer's end shows only when no copy of its socket is left here.
            for pair in pairs:
                for end in pair:
                    end.close()

    def _start_worker(
        self,
        processes: Processes,
        node: Node,
        to_next: socket.socket,
        from_previous: socket.socket,
        core: int | None,
    ) -> Child:
        files = (to_next.fileno(), from_previous.fileno())
        return processes.start(
            f"worker-{node.index}",
            [
                *(sys.executable, "-m", "guard.demo.worker"),
                *("--rank", str(node.index), "--world", str(len(self.nodes)), "--seed", str(self._seed)),
                *("--to-next", str(files[0]), "--from-previous", str(files[1])),
                *("--checkpoint", str(self.checkpoint)),
            ],
            environment=_ONE_THREAD | {"GUARD_RING_DIR": str(node.rings)},
            files=files,
            niceness=_NICENESS,
            core=core,
        )


def guard(configuration: Path, *command: str) -> list[str]:
    """The command line of a guard process."""
    return [sys.executable, "-m", "guard.commands", "--config", str(configuration), *command]


def available_cores() -> list[int]:
    """The cores that this process may use; empty where the system does not say."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def assign_cores(world: int, available: list[int]) -> list[int | None]:
    """A core for each rank, with equally many ranks on each core that is used.

    Three ranks on one core and one on another would make real stragglers of the three.
    """
    used = max((count for count in range(1, len(available) + 1) if world % count == 0), default=0)
    return [available[rank % used] if used else None for rank in range(world)]


def outcomes(workers: list[Child]) -> list[dict[str, Any]]:
    """Where each rank says that training ended; those that could not say are left out."""
    found = []
    for worker in workers:
        try:
            found.append(json.loads(worker.log.read_text().splitlines()[-1]))
        except (OSError, ValueError, IndexError):
            continue
    return found


def _remediation(nodes: list[Node]) -> dict[str, Any]:
    """A remediator that would cordon, and asks before it does."""
    scheduler = [sys.executable, "-m", "guard.demo.scheduler", "--nodes", *(node.name for node in nodes)]
    return {
        "cluster": {"kind": "command", "command": [*scheduler, "--instances", *(node.instance for node in nodes)]},
        "metrics": None,
        "policy": {"modes": {"cordon": "approve"}, "confirm": {"warning": _CONFIRM}, "observe": _OBSERVE},
    }


def _paging(directory: Path, pager: Pager) -> dict[str, Any]:
    return {
        "channels": {"oncall": {"kind": "webhook", "url": pager.url, "secret_file": str(pager.secret)}},
        "outbox": str(directory / "page.sqlite"),
        "metrics": None,
        "policy": {"gather": _GATHER},
    }


def _node_settings(node: Node) -> dict[str, Any]:
    return {
        "node": {"name": node.name, "instance": node.instance, "labels": {"rack": "demo"}},
        "agent": {
            "period": PERIOD,
            "rings": str(node.rings),
            "spool": str(node.directory / "spool"),
            "metrics": None,
            "neuron_monitor": {
                "command": [sys.executable, "-m", "simulation.neuron_monitor"],
                "period": PERIOD,
            },
        },
    }


def _write(path: Path, settings: dict[str, Any]) -> None:
    path.write_text(yaml.safe_dump(settings, sort_keys=False))
