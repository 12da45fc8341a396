"""A cluster in memory, as strict as the real ones, for tests and for the simulated loop.

What people and hardware do to it are methods too. `trouble` is asked before each call and may make it fail,
refuse, or act and then lose the answer.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from enum import StrEnum

from remediation.clusters.protocol import (
    ClusterUnavailableError,
    GoneError,
    HeldBackError,
    NotOursError,
    RefusedError,
    Stamp,
)
from remediation.views import ClusterView, JobState, JobView, NodeView, Repair


class Trouble(StrEnum):
    """What may go wrong with a call."""

    UNAVAILABLE = "unavailable"
    HELD_BACK = "held back"
    REFUSED = "refused"
    ANSWER_LOST = "answer lost"
    CUT_OFF = "cut off"
    """A restart ends after the job was stopped, and before it was started again."""


def no_trouble(call: str, subject: str) -> Trouble | None:
    """All is well, whatever is asked."""
    del call, subject
    return None


class FakeCluster:
    """Implements `remediation.clusters.protocol.Cluster`.

    Attributes:
        trouble: called with the name of the call and its subject ("" for observe) before each call.
        acts: what took effect, in order: the call and its subject. What changed nothing is not there.
    """

    def __init__(self, nodes: Iterable[NodeView], repairs: frozenset[Repair] = frozenset()) -> None:
        self._nodes = {node.name: node for node in nodes}
        self._jobs: dict[str, JobView] = {}
        self._wanted: dict[str, int] = {}
        self._repairs = repairs
        self._made = 0
        self.trouble: Callable[[str, str], Trouble | None] = no_trouble
        self.acts: list[tuple[str, str]] = []

    @property
    def repairs(self) -> frozenset[Repair]:
        """What it was made to be able to do."""
        return self._repairs

    def observe(self, timeout: float) -> ClusterView:
        """All nodes and jobs; jobs that wait are placed first, where there is room."""
        trouble = self._begin("observe", "", timeout)
        self._place()
        self._end(trouble)
        return ClusterView(dict(self._nodes), dict(self._jobs))

    def cordon(self, node: NodeView, stamp: Stamp, timeout: float) -> None:
        """See the protocol."""
        trouble = self._begin("cordon", node.name, timeout)
        there = self._same(node)
        if there.cordoned and there.incident != stamp.incident:
            raise NotOursError(f"{node.name} is cordoned already: {there.reason}")
        if not there.cordoned:
            reason = f"guard: {stamp.incident} {stamp.cause}"
            self._put(replace(there, cordoned=True, incident=stamp.incident, reason=reason))
            self.acts.append(("cordon", node.name))
        self._end(trouble)

    def uncordon(self, node: NodeView, incident: str, timeout: float) -> None:
        """See the protocol."""
        trouble = self._begin("uncordon", node.name, timeout)
        there = self._same(node)
        if there.cordoned and there.incident != incident:
            raise NotOursError(f"{node.name} is cordoned, and not by {incident}: {there.reason}")
        if there.cordoned:
            self._put(replace(there, cordoned=False, incident=None, reason=""))
            self.acts.append(("uncordon", node.name))
        self._end(trouble)

    def restart(self, job: JobView, node: NodeView, timeout: float) -> None:
        """See the protocol."""
        trouble = self._begin("restart", job.name, timeout)
        there = self._jobs.get(job.name)
        if there is None or there.state is JobState.ENDED:
            raise GoneError(f"job {job.name} has ended")
        if there.restarted_by is not None:
            raise NotOursError(f"job {job.name} is restarted by {there.restarted_by}")
        if there.restarts <= job.restarts and there.state is JobState.RUNNING:
            if not self._same(node).cordoned:
                raise RefusedError(f"{node.name} is not cordoned: job {job.name} could come back to it")
            self._leave(there.name, there.nodes)
            there = replace(there, state=JobState.WAITING, nodes=frozenset(), halted=True)
            self.acts.append(("restart", job.name))
        if there.halted and trouble is not Trouble.CUT_OFF:
            there = replace(there, restarts=there.restarts + 1, halted=False)
        self._jobs[job.name] = there
        self._end(trouble)

    def repair(self, node: NodeView, stamp: Stamp, kind: Repair, timeout: float) -> None:
        """See the protocol. The node is another at once: a reboot changes its identity, a replacement all."""
        trouble = self._begin("repair", node.name, timeout)
        if kind not in self._repairs:
            raise RefusedError(f"this cluster cannot {kind} a node")
        there = self._same(node)
        if there.incident != stamp.incident:
            raise NotOursError(f"{node.name} does not carry the cordon of {stamp.incident}")
        if there.jobs:
            raise HeldBackError(f"{node.name} has work on it")
        self._made += 1
        fresh = replace(there, identity=f"made-{self._made}")
        if kind is Repair.REPLACE:
            fresh = replace(fresh, instance=f"i-{self._made}", cordoned=False, incident=None, reason="")
        self._put(fresh)
        self.acts.append((str(kind), node.name))
        self._end(trouble)

    def run(self, job: str, nodes: Iterable[str], ends: float | None = None) -> None:
        """Somebody starts a job on `nodes`, which are free."""
        names = frozenset(nodes)
        for name in names:
            node = self._nodes[name]
            self._put(replace(node, jobs=node.jobs | {job}))
        self._jobs[job] = JobView(job, JobState.RUNNING, names, ends=ends)
        self._wanted[job] = len(names)

    def stop(self, job: str) -> None:
        """The job ends."""
        there = self._jobs[job]
        self._leave(job, there.nodes)
        self._jobs[job] = replace(there, state=JobState.ENDED, nodes=frozenset())

    def own_restarts(self, job: str, owner: str) -> None:
        """Somebody else restarts `job`."""
        self._jobs[job] = replace(self._jobs[job], restarted_by=owner)

    def cordon_as_person(self, node: str, reason: str) -> None:
        """A person cordons, over whatever is there."""
        self._put(replace(self._nodes[node], cordoned=True, incident=None, reason=reason))

    def uncordon_as_person(self, node: str) -> None:
        """A person uncordons."""
        self._put(replace(self._nodes[node], cordoned=False, incident=None, reason=""))

    def change(self, node: NodeView) -> None:
        """Anything else that happens to a node, or a new one."""
        self._put(node)

    def recreate(self, node: str) -> None:
        """The node is deleted, and another one of its name is made."""
        there = self._nodes[node]
        for job in there.jobs:
            self.stop(job)
        self._made += 1
        self._put(NodeView(node, instance=f"i-{self._made}", identity=f"made-{self._made}", domains=there.domains))

    def remove(self, node: str) -> None:
        """The node is deleted."""
        for job in self._nodes[node].jobs:
            self.stop(job)
        del self._nodes[node]

    def _begin(self, call: str, subject: str, timeout: float) -> Trouble | None:
        trouble = self.trouble(call, subject)
        if trouble is Trouble.UNAVAILABLE or timeout <= 0:
            raise ClusterUnavailableError(f"no answer to {call} {subject} within {timeout:g} s")
        if trouble is Trouble.HELD_BACK:
            raise HeldBackError(f"{call} {subject}: a budget is in the way", after=None)
        if trouble is Trouble.REFUSED:
            raise RefusedError(f"{call} {subject}: no permission")
        return trouble

    @staticmethod
    def _end(trouble: Trouble | None) -> None:
        if trouble is not None:
            raise ClusterUnavailableError("the answer was lost")

    def _same(self, node: NodeView) -> NodeView:
        there = self._nodes.get(node.name)
        if there is None or there.identity != node.identity:
            raise GoneError(f"{node.name} is not there any more, or is another one of the name")
        return there

    def _put(self, node: NodeView) -> None:
        self._nodes[node.name] = node

    def _leave(self, job: str, nodes: frozenset[str]) -> None:
        for name in nodes:
            node = self._nodes[name]
            self._put(replace(node, jobs=node.jobs - {job}))

    def _place(self) -> None:
        for job in [job for job in self._jobs.values() if job.state is JobState.WAITING and not job.halted]:
            free = [n.name for n in self._nodes.values() if n.ready and not n.cordoned and not n.jobs]
            if len(free) >= self._wanted[job.name]:
                nodes = frozenset(sorted(free)[: self._wanted[job.name]])
                for name in nodes:
                    self._put(replace(self._nodes[name], jobs=frozenset({job.name})))
                self._jobs[job.name] = replace(job, state=JobState.RUNNING, nodes=nodes)
