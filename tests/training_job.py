"""A real training job on the real Slurm cluster: JAX ranks, an agent per node, and a way to slow one for real."""

import contextlib
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import yaml

from tests.slurm_cluster import SlurmCluster
from tools.kafka import ports

ROOT = Path(__file__).parents[1]

BATCH = """\
#!/bin/bash
#SBATCH --ntasks-per-node=1 --requeue --open-mode=append
cd {root}
export JAX_COORDINATOR_ADDRESS=127.0.0.1:{port}
export GUARD_CHECKPOINT_FILE={directory}/$SLURM_JOB_ID.json
# A rank computes on one core, as a node of its own would give it; threads would make it a race between ranks.
export XLA_FLAGS=--xla_cpu_multi_thread_eigen=false OMP_NUM_THREADS=1
exec srun --kill-on-bad-exit=1 --unbuffered sh -c '
  export GUARD_RING_DIR={directory}/rings/$SLURMD_NODENAME
  exec taskset -c $((SLURM_PROCID % $(nproc))) {python} examples/jax_training.py --directory {directory} "$@"
' rank "$@"
"""

AGENT = {"period": 2, "metrics": None, "disabled": ["neuron_monitor"]}
"""Two seconds, so that a test sees a slow node after ten or so."""


class TrainingJob:
    """One job in a directory of its own, which holds rings, checkpoints and what the ranks print."""

    def __init__(
        self,
        cluster: SlurmCluster,
        directory: Path,
        *,
        nodes: int,
        steps: int,
        every: int = 100,
        exchange: float = 0.0,
    ) -> None:
        self._cluster = cluster
        self._directory = directory
        self._nodes = nodes
        self._arguments = ["--steps", str(steps), "--checkpoint-every", str(every), "--exchange", str(exchange)]
        self.number = ""

    @property
    def checkpoint_request(self) -> Path:
        """Where the ranks of the job that was handed in look for a request."""
        return self._directory / f"{self.number}.json"

    def submit(self) -> str:
        """Hand it in, and return its id."""
        for node in self._cluster.nodes:
            (self._directory / "rings" / node).mkdir(parents=True, exist_ok=True)
        script = self._directory / "job.sh"
        script.write_text(
            BATCH.format(root=ROOT, directory=self._directory, python=sys.executable, port=ports.free(1)[0])
        )
        options = [f"--nodes={self._nodes}", "--job-name=jax-training", f"--output={self._directory}/out"]
        self.number = self._cluster.submit(script, options, self._arguments)
        return self.number

    def printed(self) -> str:
        """What the ranks wrote, all attempts together."""
        out = self._directory / "out"
        return out.read_text(errors="replace") if out.exists() else ""

    def checkpoints(self) -> list[int]:
        """Steps of the checkpoints on disk, the newest last."""
        return sorted(int(path.stem.rpartition("-")[2]) for path in self._directory.glob("checkpoint-*.npz"))

    def parameters(self) -> set[str]:
        """Digests of the parameters that the ranks ended with, once all did: one, or lockstep is broken."""
        # Not line by line: ranks that end at once may share one.
        ends = re.findall(r'"parameters": "([0-9a-f]+)"', self.printed())
        return set(ends) if len(ends) == self._nodes else set()

    @contextlib.contextmanager
    def slowed(self, node: str) -> Iterator[None]:
        """Stop the rank on a node for most of the time, from outside: its own work takes several times as long."""
        (rank,) = self._cluster.ranks(node)
        command = [sys.executable, "-m", "guard.demo.fault", "--pid", str(rank.pid)]
        fault = subprocess.Popen(command, cwd=ROOT)
        try:
            yield
        finally:
            fault.terminate()
            fault.wait(10)


class NodeAgents:
    """`guard agent` for every node of the cluster, as on nodes of their own: name, rings and spool each."""

    def __init__(self, cluster: SlurmCluster, directory: Path, bus: str, name: str = "slurm") -> None:
        self.configurations = {node: directory / f"agent-{node}.yaml" for node in cluster.nodes}
        self._directory = directory
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        for node, path in self.configurations.items():
            places = {"rings": f"{directory}/rings/{node}", "spool": f"{directory}/spool-{node}.sqlite"}
            identity = {"name": node, "instance": f"machine-{node}", "labels": {"rack": f"r-{node}"}}
            settings = {"cluster": name, "bus": bus, "node": identity, "agent": AGENT | places}
            path.write_text(yaml.safe_dump(settings))

    def __enter__(self) -> Self:
        for node, path in self.configurations.items():
            (self._directory / "rings" / node).mkdir(parents=True, exist_ok=True)
            with (self._directory / f"agent-{node}.log").open("ab") as log:
                self._processes[node] = subprocess.Popen(
                    [sys.executable, "-m", "guard.commands", "--config", path, "agent"], stdout=log, stderr=log
                )
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self._processes.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)


def ask_for_checkpoint(path: Path, at_step: int) -> None:
    """Write a request whole, as guard does."""
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps({"at_step": at_step}))
    partial.replace(path)
