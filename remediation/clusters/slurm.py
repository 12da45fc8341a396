"""Slurm: nodes are drained under a reason that begins with our name, and batch jobs are requeued.

Slurm changes a node without asking whether it is still as we saw it. What is read just before a change decides;
an administrator who drains the same node in the few milliseconds between has their reason overwritten.
"""

import time
from pathlib import Path

from remediation.clusters.protocol import ClusterUnavailableError, GoneError, NotOursError, RefusedError, Stamp
from remediation.clusters.slurm_commands import Deadline, SlurmCommands
from remediation.clusters.slurm_records import OPT_OUT, SlurmJob, SlurmNode, stamp_of
from remediation.views import ClusterView, JobState, JobView, NodeView, Repair

_POLL = 0.2
_DELAYED = {"BeginTime", "None"}
"""Why a job waits that was requeued, and one that is about to start."""
_REVOKED = 2.5
"""Seconds between a job's leaving its nodes and its start. Nodes refuse a start of the second in which the job was
ended, or before, and then it fails for good ("Job credential revoked"): this is what the delay is for.
"""
_MARGIN = 1.0
"""Seconds that the last commands of a call get."""
_REQUEUE_DELAY = 900.0
"""Seconds. Slurm holds a requeued job back for `cred_expire` (two minutes); a later start is a person's wish."""


class SlurmCluster:
    """Implements `remediation.clusters.protocol.Cluster` with `scontrol` and `squeue`."""

    def __init__(self, configuration: Path | None = None) -> None:
        """`configuration`: of Slurm, where it is not in its usual place."""
        self._slurm = SlurmCommands(configuration)

    @property
    def repairs(self) -> frozenset[Repair]:
        """None: a scheduler does not repair."""
        return frozenset()

    def observe(self, timeout: float) -> ClusterView:
        """See the protocol."""
        try:
            return self._observe(Deadline(timeout))
        except (GoneError, RefusedError) as error:
            raise ClusterUnavailableError(str(error)) from error

    def cordon(self, node: NodeView, stamp: Stamp, timeout: float) -> None:
        """See the protocol. The reason that a node is down for is somebody's, too, and is not written over."""
        deadline = Deadline(timeout)
        there = self._same(node, deadline)
        incident = self._incident(there)
        if there.cordoned and incident == stamp.incident:
            return
        if there.cordoned or (there.reason and stamp_of(there.reason) is None):
            raise NotOursError(f"{there.name} is not ours to drain: {there.reason or 'no reason given'}")
        reason = f"guard: {stamp.incident} {stamp.cause}"
        self._slurm.update_node(there.name, deadline, State="DRAIN", Reason=reason)

    def uncordon(self, node: NodeView, incident: str, timeout: float) -> None:
        """See the protocol. Only the drain is undone: a node that is down stays down."""
        deadline = Deadline(timeout)
        there = self._same(node, deadline)
        if not there.cordoned:
            return
        if self._incident(there) != incident:
            raise NotOursError(f"{there.name} is not drained by {incident}: {there.reason}")
        self._slurm.update_node(there.name, deadline, State="UNDRAIN")

    def restart(self, job: JobView, node: NodeView, timeout: float) -> None:
        """See the protocol. The nodes of the job must be given back before Slurm lets it start again."""
        deadline = Deadline(timeout)
        there = self._slurm.job(job.name, deadline)
        if there.state is JobState.ENDED:
            raise GoneError(f"job {job.name} has ended")
        view = self._job_view(there, deadline)
        if view.restarted_by is not None:
            raise NotOursError(f"job {job.name} is restarted by {view.restarted_by}")
        if there.restarts <= job.restarts:
            if there.state is not JobState.RUNNING:
                return
            if not self._same(node, deadline).cordoned:
                raise RefusedError(f"{node.name} is not drained: job {job.name} could come back to it")
            self._slurm.requeue(job.name, deadline)
        self._hasten(job.name, deadline)

    def repair(self, node: NodeView, stamp: Stamp, kind: Repair, timeout: float) -> None:
        """See the protocol.

        Raises:
            RefusedError: always.
        """
        del stamp, timeout
        raise RefusedError(f"Slurm cannot {kind} {node.name}")

    def _observe(self, deadline: Deadline) -> ClusterView:
        nodes, jobs = self._slurm.nodes(deadline), self._slurm.jobs(deadline)
        work: dict[str, set[str]] = {}
        for job in jobs.values():
            if job.state is not JobState.ENDED:
                for name in job.nodes:
                    work.setdefault(name, set()).add(job.name)
        return ClusterView(
            {name: self._node_view(node, frozenset(work.get(name, ()))) for name, node in nodes.items()},
            {name: self._job_view(job, deadline) for name, job in jobs.items()},
        )

    def _hasten(self, job: str, deadline: Deadline) -> None:
        """Lift Slurm's delay of a requeued job, until it runs or waits for something else.

        Where its nodes take longer to be free than the call may, the delay stays, unless the call is made again.
        """
        left_at: float | None = None
        while deadline.left() > _MARGIN:
            there = self._slurm.job(job, deadline)
            delay = (there.start or 0.0) - time.time()
            if there.state is JobState.ENDED:
                raise GoneError(f"job {job} has ended")
            if there.completing:
                left_at = None
            elif there.state is JobState.RUNNING or there.held not in _DELAYED or delay > _REQUEUE_DELAY:
                return
            elif left_at is None:
                left_at = time.monotonic()
            elif delay > 1.0 and time.monotonic() - left_at > _REVOKED:
                self._slurm.start_now(job, deadline)
            time.sleep(_POLL)

    def _same(self, node: NodeView, deadline: Deadline) -> SlurmNode:
        there = self._slurm.node(node.name, deadline)
        if there.identity != node.identity:
            raise GoneError(f"{node.name} is another machine now")
        return there

    def _incident(self, node: SlurmNode) -> str | None:
        """Whose cordon it is."""
        return stamp_of(node.reason) if node.cordoned else None

    def _owner(self, job: SlurmJob, deadline: Deadline) -> str | None:
        """Who else restarts a job."""
        del deadline
        return job.restarted_by

    def _node_view(self, node: SlurmNode, jobs: frozenset[str]) -> NodeView:
        return NodeView(
            name=node.name,
            instance=node.instance,
            identity=node.identity,
            ready=node.ready,
            cordoned=node.cordoned,
            incident=self._incident(node),
            reason=node.reason,
            opted_out=OPT_OUT in node.features,
            domains=dict(feature.split("=", 1) for feature in sorted(node.features) if "=" in feature),
            jobs=jobs,
        )

    def _job_view(self, job: SlurmJob, deadline: Deadline) -> JobView:
        # Slurm counts a restart when it requeues. While the job waits it was not started anew: whoever asked for
        # that asks again, and a delay that was left is lifted.
        coming = job.state is JobState.WAITING and job.restarts > 0
        return JobView(
            name=job.name,
            state=job.state,
            nodes=job.nodes if job.state is JobState.RUNNING else frozenset(),
            restarts=job.restarts - coming,
            restarted_by=self._owner(job, deadline) if job.state is not JobState.ENDED else None,
            ends=job.end if job.state is JobState.RUNNING else None,
            halted=coming and job.held == "BeginTime",
        )
