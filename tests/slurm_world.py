"""The real Slurm as the contract of clusters wants it."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from remediation.clusters.slurm import SlurmCluster as Adapter
from tests.cluster_contract import World
from tests.slurm_cluster import SlurmCluster

SLEEP = "#!/bin/sh\n{command}\n"


class SlurmWorld(World):
    """Four nodes, jobs that sleep, and `scontrol` in the hands of a person."""

    def __init__(self, slurm: SlurmCluster, directory: Path, command: str = "exec srun sleep 300") -> None:
        self.cluster = Adapter(slurm.configuration)
        self.nodes = slurm.nodes
        self.slurm = slurm
        self._script = directory / "sleep.sh"
        self._script.write_text(SLEEP.format(command=command))

    def run(self, nodes):
        # Slurm takes light nodes first, and may take any when the job is requeued.
        for node in self.nodes:
            self.update(node, f"Weight={1 if node in nodes else 100}")
        job = self.slurm.submit(
            self._script, [f"--output={self._script.parent}/out", f"--nodes={len(nodes)}", "--requeue"]
        )
        self.slurm.until(lambda: self.slurm.job(job)[0] == "RUNNING", 20)
        return job

    def stop(self, job):
        self.slurm.call("scancel", job)

    def cordon(self, node, reason):
        self.update(node, "State=DRAIN", f"Reason={reason}")

    def uncordon(self, node):
        self.update(node, "State=RESUME")

    @contextlib.contextmanager
    def silence(self) -> Iterator[None]:
        self.slurm.pause_controller()
        try:
            yield
        finally:
            self.slurm.resume_controller()

    def recreate(self, node):
        """Another machine takes the name, and is resumed as whoever replaces machines does."""
        self.update(node, "NodeAddr=127.0.0.2", "State=RESUME")

    def own_restarts(self, job):
        self.slurm.call("scontrol", "update", f"JobId={job}", "Requeue=0")

    def opt_out(self, node):
        self.update(node, "AvailableFeatures=guard-opt-out", "ActiveFeatures=guard-opt-out")

    def update(self, node, *values):
        self.slurm.call("scontrol", "update", f"NodeName={node}", *values)

    def restore(self):
        for node in self.nodes:
            self.update(node, "NodeAddr=127.0.0.1", "AvailableFeatures=", "ActiveFeatures=")
