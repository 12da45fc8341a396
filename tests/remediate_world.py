"""A cluster in a file: the strict fake, shared by processes that are killed, with every effect counted."""

import fcntl
import os
import pickle
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from guard.remediate import errands
from guard.remediate.request_file import write_request
from remediation.clusters.fake import FakeCluster
from remediation.clusters.protocol import Cluster, ClusterUnavailableError, Stamp
from remediation.views import ClusterView, JobView, NodeView, Repair

JOB = "train"
HANGS, KILLS_BEFORE, KILLS_AFTER = "hangs", "kills before", "kills after"
"""What a call meets that a file of that name names: no answer; its remediator killed before or after it took."""


class FileCluster:
    """Implements `remediation.clusters.protocol.Cluster` on a `FakeCluster` that lies in ``directory``."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @property
    def repairs(self) -> frozenset[Repair]:
        return frozenset(Repair)

    def observe(self, timeout: float) -> ClusterView:
        self.meet(HANGS, "observe", timeout)
        with world(self._directory) as cluster:
            return cluster.observe(timeout)

    def cordon(self, node: NodeView, stamp: Stamp, timeout: float) -> None:
        self._act("cordon", timeout, lambda cluster: cluster.cordon(node, stamp, timeout))

    def uncordon(self, node: NodeView, incident: str, timeout: float) -> None:
        self._act("release", timeout, lambda cluster: cluster.uncordon(node, incident, timeout))

    def restart(self, job: JobView, node: NodeView, timeout: float) -> None:
        self._act("restart", timeout, lambda cluster: cluster.restart(job, node, timeout))

    def repair(self, node: NodeView, stamp: Stamp, kind: Repair, timeout: float) -> None:
        self._act("repair", timeout, lambda cluster: cluster.repair(node, stamp, kind, timeout))

    def _act(self, call: str, timeout: float, effect: Callable[[FakeCluster], None]) -> None:
        self.meet(HANGS, call, timeout)
        self.meet(KILLS_BEFORE, call, timeout)
        with world(self._directory) as cluster:
            effect(cluster)
        self.meet(KILLS_AFTER, call, timeout)

    def meet(self, what: str, call: str, timeout: float) -> None:
        path = self._directory / what
        try:
            named = path.read_text()
        except OSError:
            return
        if named != call:
            return
        if what == HANGS:
            time.sleep(timeout * 100)  # deaf to its deadline, as a call in the kernel is
            raise ClusterUnavailableError("no answer")
        path.unlink()
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)  # it dies with its parent before this is over


@contextmanager
def world(directory: Path) -> Iterator[FakeCluster]:
    """The cluster, to look at or to change: one process at a time."""
    with (directory / "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        path = directory / "world"
        cluster: FakeCluster = pickle.loads(path.read_bytes())  # noqa: S301  (of this test)
        try:
            yield cluster
        finally:
            beside = directory / "world.new"
            beside.write_bytes(pickle.dumps(cluster))
            beside.replace(path)


def make_world(directory: Path, nodes: Iterable[str], busy: Iterable[str]) -> None:
    """Idle nodes, and one job on some of them."""
    cluster = FakeCluster(
        [NodeView(name, instance=f"i-{name}", identity=f"id-{name}") for name in nodes], frozenset(Repair)
    )
    cluster.run(JOB, busy)
    (directory / "world").write_bytes(pickle.dumps(cluster))


def opener(directory: Path) -> Callable[[], Cluster]:
    return partial(_open, directory)


def _open(directory: Path) -> Cluster:
    """The cluster, in the child; the one act that is not the cluster's meets the same trouble there."""
    cluster = FileCluster(directory)

    def write(path: Path, at_step: int) -> None:
        cluster.meet(KILLS_BEFORE, "checkpoint", 0)
        write_request(path, at_step)
        cluster.meet(KILLS_AFTER, "checkpoint", 0)

    errands.write_request = write
    return cluster
