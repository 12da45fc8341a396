"""The real training job on the real Slurm: the same bits although interrupted, truly slow when slowed."""

import time

import pytest

from collectors.telemetry import Telemetry, decode
from guard.bus import Topic, open_bus
from remediation.clusters.protocol import Stamp
from remediation.clusters.slurm import SlurmCluster
from tests.training_job import NodeAgents, TrainingJob, ask_for_checkpoint

pytestmark = [pytest.mark.needs("slurm"), pytest.mark.timeout(600)]

STEPS = 400
PATIENCE = 180.0
"""Two cores, perhaps busy: four times the start of JAX, and the steps."""


@pytest.fixture
def job(slurm, tmp_path):
    job = TrainingJob(slurm, tmp_path, nodes=3, steps=STEPS, every=50)
    job.submit()
    return job


def test_a_requeued_job_ends_on_other_nodes_with_the_bits_of_an_undisturbed_one(slurm, job, tmp_path):
    slurm.until(lambda: len(job.parameters()) > 0, PATIENCE)
    undisturbed = job.parameters()

    (tmp_path / "again").mkdir()
    again = TrainingJob(slurm, tmp_path / "again", nodes=3, steps=STEPS, every=50)
    number = again.submit()
    slurm.until(lambda: bool(again.checkpoints()), PATIENCE)
    cluster = SlurmCluster(slurm.configuration)
    cluster.cordon(cluster.observe(30).nodes["n2"], Stamp("inc-1", "compute"), 30)
    view = cluster.observe(30)
    cluster.restart(view.jobs[number], view.nodes["n2"], 60)
    slurm.until(lambda: len(again.parameters()) > 0, PATIENCE)

    assert slurm.job(number)[1:] == (1, "n[1,3-4]")
    assert again.parameters() == undisturbed
    assert len(undisturbed) == 1


def own_work(records: list[Telemetry], node: str, start: float, end: float) -> float:
    """Seconds of compute in a step of the node's rank, between two times."""
    steps = [
        record.steps for record in records if record.node == node and start <= record.time < end and record.steps
    ]
    return sum(part.sections["compute"][0] or 0 for part in steps) / sum(part.count[0] for part in steps)


def test_a_slowed_rank_shows_it_in_its_own_work_and_a_requested_checkpoint_is_written(slurm, job, tmp_path):
    bus = f"file:{tmp_path}/bus.sqlite"
    with NodeAgents(slurm, tmp_path, bus):
        slurm.until(lambda: bool(job.checkpoints()), PATIENCE)
        ask_for_checkpoint(job.checkpoint_request, 333)
        with job.slowed("n2"):
            start = time.time()
            slurm.until(lambda: 333 in job.checkpoints(), PATIENCE)
            end = time.time()
    with open_bus(bus) as opened:
        records = [decode(message.value) for message in opened.scan(Topic.TELEMETRY)]
    assert {record.node for record in records} == set(slurm.nodes)
    slowed = own_work(records, "n2", start + 2, end)  # the first record may hold steps of before
    peers = [own_work(records, node, start + 2, end) for node in ("n1", "n3")]
    assert slowed > 1.5 * max(peers)
