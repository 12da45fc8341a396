"""The real Slurm that tests of acting stand on: it runs jobs, and its controller can hang, go and come back."""

import subprocess

import pytest

from tests.slurm_cluster import SlurmCluster

pytestmark = pytest.mark.needs("slurm")

BATCH = "#!/bin/sh\nsrun sh -c 'echo $SLURMD_NODENAME; sleep 300'\n"


@pytest.fixture
def job(slurm, tmp_path):
    script = tmp_path / "job.sh"
    script.write_text(BATCH)
    number = slurm.submit(script, ["--nodes=3", f"--output={tmp_path}/out"])
    slurm.until(lambda: slurm.job(number)[0] == "RUNNING", 10)
    return number


def test_a_job_runs_on_as_many_nodes_as_it_asked_for(slurm, job, tmp_path):
    out = tmp_path / "out"
    slurm.until(lambda: out.exists() and len(out.read_text().split()) == 3, 10)
    nodes = set(out.read_text().split())
    assert nodes < set(slurm.nodes)
    for node in nodes:
        assert [process.name() for process in slurm.ranks(node)]


def test_a_controller_that_hangs_or_is_gone_takes_nothing_down_with_it(slurm, job):
    slurm.pause_controller()
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            subprocess.run(["scontrol", "ping"], env=slurm.environment, timeout=1, check=False)
    finally:
        slurm.resume_controller()
    # The controller writes its jobs down some seconds later: one killed before forgets them.
    slurm.until(lambda: slurm.written_down(job), 20)
    slurm.kill_controller()
    assert "DOWN" in slurm.call("scontrol", "ping", check=False)
    slurm.start_controller()
    assert slurm.job(job)[0] == "RUNNING"


def test_nothing_of_a_cluster_is_left_after_its_end(tmp_path_factory, slurm):
    directory = tmp_path_factory.mktemp("s")
    with SlurmCluster(directory, nodes=1) as cluster:
        script = directory / "job.sh"
        script.write_text(BATCH)
        number = cluster.submit(script, [f"--output={directory}/out"])
        cluster.until(lambda: cluster.job(number)[0] == "RUNNING" and bool(cluster.ranks("n1")), 10)
        names = {process.name() for process in cluster._processes()}
        assert {"slurmctld", "slurmd", "munged", "slurmstepd", "srun"} <= names
    assert cluster._processes() == []
