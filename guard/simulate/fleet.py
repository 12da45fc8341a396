"""The cluster of the month: remediation's fake one, and a scheduler that requeues jobs by itself."""

from dataclasses import replace

from guard.simulate.assumptions import Assumptions
from remediation.clusters.fake import FakeCluster
from remediation.views import JobState, JobView, NodeView

JOB = "pretraining"
_TIMEOUT = 10.0


def name_of(number: int) -> str:
    """A node's name: in order of numbers, as the scheduler places by name."""
    return f"n{number:05}"


class Fleet(FakeCluster):
    """The job's nodes and spares, with the job on the first of them."""

    def __init__(self, given: Assumptions) -> None:
        super().__init__(
            NodeView(name_of(i), f"i-{i:05}", f"uid-{i}", domains={"rack": f"r{i // given.rack}"})
            for i in range(given.nodes + given.spares)
        )
        self.run(JOB, [name_of(i) for i in range(given.nodes)], ends=given.seconds)

    @property
    def job(self) -> JobView:
        """The job as it is now."""
        return self._jobs[JOB]

    def node(self, number: int) -> NodeView:
        """A node as it is now."""
        return self._nodes[name_of(number)]

    def requeue(self) -> None:
        """The scheduler starts the job anew, by itself: on nodes that are ready and not cordoned."""
        job = self.job
        self._leave(job.name, job.nodes)
        self._jobs[JOB] = replace(job, state=JobState.WAITING, nodes=frozenset(), restarts=job.restarts + 1)

    def place(self) -> bool:
        """Place the job if it waits and there is room. Whether it is placed."""
        if self.job.state is JobState.WAITING:
            self.observe(_TIMEOUT)
        return self.job.state is JobState.RUNNING
