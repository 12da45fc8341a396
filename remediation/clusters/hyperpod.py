"""SageMaker HyperPod under Slurm: a service beside the scheduler reboots and replaces nodes when it is told to.

It is told by a node's state and reason. That reason takes the place of ours, so the incident is kept in the node's
comment meanwhile: the node stays ours, for a remediator after us too.
"""

from pathlib import Path

from remediation.clusters.protocol import GoneError, HeldBackError, NotOursError, RefusedError, Stamp
from remediation.clusters.slurm import SlurmCluster
from remediation.clusters.slurm_commands import Deadline
from remediation.clusters.slurm_records import SlurmJob, SlurmNode, stamp_of
from remediation.views import ClusterView, JobState, NodeView, Repair

REASONS = {Repair.REBOOT: "Action:Reboot", Repair.REPLACE: "Action:Replace"}
"""Exact and case-sensitive."""

_AUTO_RESUME = ("--auto-resume=1", "--auto-resume 1")
"""How a batch script says that HyperPod restarts the job. What a script calls is not seen."""


class HyperPodSlurmCluster(SlurmCluster):
    """Implements `remediation.clusters.protocol.Cluster`."""

    def __init__(self, configuration: Path | None = None) -> None:
        """`configuration`: of Slurm, where it is not in its usual place."""
        super().__init__(configuration)
        self._owners: dict[str, str | None] = {}

    @property
    def repairs(self) -> frozenset[Repair]:
        """Both."""
        return frozenset(REASONS)

    def observe(self, timeout: float) -> ClusterView:
        """See the protocol. The first look at a job reads its batch script."""
        view = super().observe(timeout)
        self._owners = {name: owner for name, owner in self._owners.items() if name in view.jobs}
        return view

    def uncordon(self, node: NodeView, incident: str, timeout: float) -> None:
        """See the protocol. HyperPod brings back what it repairs; until then nobody does.

        Raises:
            HeldBackError: HyperPod is still at it.
        """
        deadline = Deadline(timeout)
        there = self._same(node, deadline)
        if there.cordoned and there.reason in REASONS.values() and self._incident(there) == incident:
            raise HeldBackError(f"HyperPod repairs {there.name}: {there.reason}")
        super().uncordon(node, incident, deadline.left())

    def repair(self, node: NodeView, stamp: Stamp, kind: Repair, timeout: float) -> None:
        """See the protocol.

        Raises:
            HeldBackError: there is work on the node still.
            NotOursError: it does not carry our cordon, or a comment of somebody else where ours belongs.
        """
        deadline = Deadline(timeout)
        there = self._same(node, deadline)
        if self._incident(there) != stamp.incident:
            raise NotOursError(f"{there.name} is not drained by {stamp.incident}: {there.reason}")
        if there.reason == REASONS[kind]:
            return
        if there.comment and stamp_of(there.comment) is None:
            raise NotOursError(f"{there.name} has a comment of somebody else: {there.comment}")
        if any(there.name in job.nodes and job.state is not JobState.ENDED for job in self._jobs(deadline)):
            raise HeldBackError(f"{there.name} has work on it")
        self._slurm.update_node(there.name, deadline, Comment=f"guard: {stamp.incident} {stamp.cause}")
        self._slurm.update_node(there.name, deadline, State="FAIL", Reason=REASONS[kind])

    def _jobs(self, deadline: Deadline) -> list[SlurmJob]:
        return list(self._slurm.jobs(deadline).values())

    def _incident(self, node: SlurmNode) -> str | None:
        if node.cordoned and node.reason in REASONS.values():
            return stamp_of(node.comment)
        return super()._incident(node)

    def _owner(self, job: SlurmJob, deadline: Deadline) -> str | None:
        if job.restarted_by is not None:
            return job.restarted_by
        if job.name not in self._owners:
            self._owners[job.name] = self._read_owner(job.name, deadline)
        return self._owners[job.name]

    def _read_owner(self, job: str, deadline: Deadline) -> str | None:
        try:
            script = self._slurm.script(job, deadline)
        except (GoneError, RefusedError) as error:
            return f"nobody knows: its batch script cannot be read ({error})"
        return "HyperPod (auto-resume)" if any(option in script for option in _AUTO_RESUME) else None
