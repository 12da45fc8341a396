"""The whole loop: a node is found, taken out, and its job goes on without it, on Slurm, Kafka and JAX as they are.

Nothing is spoken for: ranks are slowed and stopped by signals, agents read them, and guard's services do the rest.
"""

import hashlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from guard.remediate.words import kind
from remediation.ledger import Act, Checkpointed, Intent, Moved, Opened, Verified
from remediation.states import NodeState
from tests.closed_loop import RANKS, ClosedLoop, Timeline
from tests.slurm_cluster import SlurmCluster
from tests.training_job import TrainingJob

pytestmark = [pytest.mark.needs("slurm"), pytest.mark.needs("kafka"), pytest.mark.timeout(1500)]

LONG, SHORT = 2000, 600
"""Steps of a run that loses two nodes, and of one that loses one."""
EVERY = 100
"""Steps from one checkpoint of a short run to the next; a long one makes only those that it is asked for."""
WITHIN = 120.0
"""Seconds from the onset until the job has resumed."""
PATIENCE = 400.0
"""Seconds: for a machine with much else to do. What is claimed is `WITHIN`."""


@pytest.fixture(scope="module")
def six_nodes() -> Iterator[SlurmCluster]:
    """Four for the job, and two to spare."""
    with (
        tempfile.TemporaryDirectory(prefix="guard-slurm-") as directory,
        SlurmCluster(Path(directory), nodes=6) as cluster,
    ):
        # What a restart is worth depends on the time that a job has left.
        cluster.environment["SBATCH_TIMELIMIT"] = "60"
        yield cluster


@pytest.fixture(scope="module")
def undisturbed(six_nodes, tmp_path_factory) -> dict[int, str]:
    """Digests of the parameters after so many steps of a run that nothing befell."""
    directory = tmp_path_factory.mktemp("undisturbed")
    job = TrainingJob(six_nodes, directory, nodes=RANKS, steps=LONG, every=SHORT)
    job.submit()
    short = directory / f"checkpoint-{SHORT - 1:08}.npz"
    six_nodes.until(short.exists, PATIENCE)
    with np.load(short) as saved:
        digest = hashlib.blake2b(saved["parameters"].tobytes(), digest_size=16).hexdigest()
    six_nodes.until(lambda: bool(job.parameters()), PATIENCE)
    (end,) = job.parameters()
    return {SHORT: digest, LONG: end}


@pytest.fixture
def loop(request, six_nodes, kafka, tmp_path, prefix) -> Iterator[ClosedLoop]:
    """Guard, and a job under way."""
    steps, every = request.param
    six_nodes.clear()
    with ClosedLoop(six_nodes, kafka, tmp_path, prefix, steps=steps, every=every) as loop:
        loop.job.submit()
        loop.until(lambda: loop.steps_made(0, 100), PATIENCE)
        yield loop
        print(loop.told())
    six_nodes.clear()


def see_restart(loop, timeline, node, restarts) -> Verified:
    """See one node taken out and the job go on elsewhere; note when."""
    deadline = time.monotonic() + PATIENCE

    def until(condition):
        return loop.until(condition, max(deadline - time.monotonic(), 1.0))

    try:
        opened = until(lambda: loop.of(Opened, node))[0]
        timeline.note(f"{node} accused: {opened.cause}", opened.time)
        timeline.note(f"{node} drained", until(lambda: loop.done(Act.CORDON, node)).time)
        until(lambda: loop.running(restarts))
        timeline.note("job runs again", time.time())
        timeline.note("restart done", until(lambda: loop.done(Act.RESTART, node)).time)
        until(lambda: len(loop.resumed(restarts)) == RANKS)
        timeline.note("every rank resumed", max(when for _, when in loop.resumed(restarts).values()))
        until(lambda: NodeState.HELD in loop.states(node))
        return until(lambda: loop.of(Verified, node))[0]
    finally:
        for moved in loop.of(Moved, node):
            timeline.note(f"{node} {moved.after}", moved.time)
        for intent in loop.of(Intent, node):
            step = "" if intent.at_step is None else f" at step {intent.at_step}"
            timeline.note(f"intent: {intent.act}{step}", intent.time)
        for record in (*loop.of(Checkpointed, node), *loop.of(Verified, node)):
            timeline.note(f"{kind(record)}: {record.reason}", record.time)
        print(timeline)


def only_touched(loop, *nodes) -> None:
    """Nobody but these, and the job, was acted on; the others are as they were."""
    assert {intent.subject for intent in loop.ledger() if isinstance(intent, Intent)} == {*nodes, loop.job.number}
    for node in set(loop.slurm.nodes) - set(nodes):
        assert "DRAIN" not in loop.slurm.state(node)
        assert loop.slurm.reason(node) == ""


def drained_by_us(loop, node) -> None:
    """The node is drained, with our reason: whose incident, and why."""
    opened = loop.of(Opened, node)[0]
    assert "DRAIN" in loop.slurm.state(node)
    assert loop.slurm.reason(node) == f"guard: {opened.incident} {opened.cause}"
    assert loop.states(node)[-1] is NodeState.HELD


def ends_as(loop, digest) -> None:
    """The job comes to its end, with these very parameters on every rank."""
    loop.until(loop.job.parameters, PATIENCE)
    assert loop.job.parameters() == {digest}


def went_on_elsewhere(loop, node, timeline) -> None:
    """Without asking for a checkpoint the job goes on elsewhere, from the last one that it made by itself."""
    assert {intent.act for intent in loop.of(Intent, node)} == {Act.CORDON, Act.RESTART}
    (step,) = {step for step, _ in loop.resumed(1).values()}
    assert step > 0
    assert step % EVERY == 0
    assert node not in loop.nodes()
    drained_by_us(loop, node)
    only_touched(loop, node)
    assert timeline.phases["every rank resumed"] <= WITHIN


def taken_out_for_slowness(loop, node, restarts, title) -> None:
    """Slow a node until its job has gone on without it; each thing that was to happen did."""
    with loop.job.slowed(node):
        timeline = Timeline(title, time.time())
        verified = see_restart(loop, timeline, node, restarts)
    (written,) = loop.of(Checkpointed, node)
    assert written.complete
    assert f"every rank of {RANKS}" in written.reason
    assert {step for step, _ in loop.resumed(restarts).values()} == {written.at_step + 1}
    assert verified.fine
    assert node not in loop.nodes()
    drained_by_us(loop, node)
    assert timeline.phases["every rank resumed"] <= WITHIN


@pytest.mark.parametrize("loop", [(LONG, LONG)], indirect=True)
def test_a_slow_node_is_taken_out_its_job_goes_on_from_a_checkpoint_and_so_with_the_spare(loop, undisturbed):
    first = loop.nodes()
    bad = sorted(first)[1]
    taken_out_for_slowness(loop, bad, 1, "a node is slowed")
    only_touched(loop, bad)

    spare = max(loop.nodes() - first)
    loop.until(lambda: loop.steps_made(1, 100), PATIENCE)
    taken_out_for_slowness(loop, spare, 2, "the spare that took over is slowed")
    only_touched(loop, bad, spare)
    ends_as(loop, undisturbed[LONG])

    loop.guard("release", bad, "--by", "ann", "--reason", "a new fan")
    assert "DRAIN" not in loop.slurm.state(bad)
    loop.until(lambda: loop.slurm.state(bad) == "IDLE", 60)  # Slurm asks the node first whether it is there
    assert "DRAIN" in loop.slurm.state(spare)


@pytest.mark.parametrize("loop", [(SHORT, EVERY)], indirect=True)
def test_a_hard_fault_waits_for_no_checkpoint(loop, undisturbed):
    bad = sorted(loop.nodes())[2]
    timeline = Timeline("a hard fault is reported", time.time())
    loop.hard_fault(bad)
    see_restart(loop, timeline, bad, 1)
    assert loop.of(Opened, bad)[0].cause == "device"
    went_on_elsewhere(loop, bad, timeline)
    ends_as(loop, undisturbed[SHORT])


@pytest.mark.parametrize("loop", [(SHORT, EVERY)], indirect=True)
def test_a_rank_that_stops_hangs_its_job_until_the_node_is_taken_out(loop, undisturbed):
    bad = sorted(loop.nodes())[1]
    loop.stop_rank(bad)
    timeline = Timeline("a rank stops", time.time())
    see_restart(loop, timeline, bad, 1)
    went_on_elsewhere(loop, bad, timeline)
    ends_as(loop, undisturbed[SHORT])
