"""Guard's hand on a real Slurm, beside those of people and of HyperPod."""

import time

import pytest

from remediation.clusters.hyperpod import HyperPodSlurmCluster
from remediation.clusters.protocol import (
    ClusterUnavailableError,
    GoneError,
    HeldBackError,
    NotOursError,
    RefusedError,
    Stamp,
)
from remediation.clusters.slurm import SlurmCluster
from remediation.clusters.slurm_commands import Deadline, SlurmCommands
from remediation.views import JobState, NodeView, Repair
from tests.slurm_world import SlurmWorld

pytestmark = pytest.mark.needs("slurm")

STAMP = Stamp("inc-0a1b2c", "compute")
TIMEOUT = 10.0


@pytest.fixture
def world(slurm, tmp_path):
    world = SlurmWorld(slurm, tmp_path)
    yield world
    world.restore()


def seen(world, node="n1") -> NodeView:
    return world.cluster.observe(TIMEOUT).nodes[node]


def test_a_drain_says_who_why_and_for_which_incident(world):
    world.cluster.cordon(seen(world), STAMP, TIMEOUT)
    assert world.slurm.state("n1") == "IDLE+DRAIN"
    assert world.slurm.reason("n1") == "guard: inc-0a1b2c compute"


def test_the_reason_that_a_node_is_down_for_is_not_overwritten(world):
    world.update("n1", "State=DOWN", "Reason=bad fan, Ines")
    with pytest.raises(NotOursError, match="bad fan"):
        world.cluster.cordon(seen(world), STAMP, TIMEOUT)
    assert world.slurm.reason("n1") == "bad fan, Ines"


def test_a_reason_that_a_person_wrote_over_ours_is_theirs(world):
    world.cluster.cordon(seen(world), STAMP, TIMEOUT)
    world.update("n1", "Reason=mine now, Ines")
    with pytest.raises(NotOursError, match="Ines"):
        world.cluster.uncordon(seen(world), STAMP.incident, TIMEOUT)
    assert (world.slurm.state("n1"), world.slurm.reason("n1")) == ("IDLE+DRAIN", "mine now, Ines")


def test_undoing_a_drain_does_not_bring_back_a_node_that_is_down(world):
    world.cluster.cordon(seen(world), STAMP, TIMEOUT)
    world.update("n1", "State=DOWN", "Reason=guard: inc-0a1b2c compute")
    world.update("n1", "State=DRAIN", "Reason=guard: inc-0a1b2c compute")
    world.cluster.uncordon(seen(world), STAMP.incident, TIMEOUT)
    after = seen(world)
    assert (after.cordoned, after.ready) == (False, False)


def test_a_name_that_is_a_list_of_nodes_touches_none(world):
    for name in ("n[1-4]", "n1,n2", "ALL", ""):
        with pytest.raises(GoneError):
            world.cluster.cordon(NodeView(name, identity=seen(world).identity), STAMP, TIMEOUT)
    assert [world.slurm.state(node) for node in world.nodes] == ["IDLE"] * 4


def test_a_requeued_job_is_back_in_seconds_where_slurm_alone_waits_two_minutes(world):
    job = world.run(("n1", "n2"))
    world.cluster.cordon(seen(world), STAMP, TIMEOUT)
    view = world.cluster.observe(TIMEOUT)
    begun = time.monotonic()
    world.cluster.restart(view.jobs[job], view.nodes["n1"], 60)
    world.slurm.until(lambda: world.slurm.job(job)[0] == "RUNNING", 60)
    assert time.monotonic() - begun < 60
    # Started too early, it would be seen to run, and then fail: "Job credential revoked".
    world.slurm.until(lambda: bool(world.slurm.ranks("n3")), 30)
    assert world.slurm.job(job)[1:] == (1, "n[2-3]")


def test_a_job_that_ended_between_the_look_and_the_act_is_not_run_again(world):
    job = world.run(("n1",))
    world.stop(job)
    world.slurm.until(lambda: world.slurm.job(job)[0] == "CANCELLED", 30)
    SlurmCommands(world.slurm.configuration).requeue(job, Deadline(TIMEOUT))
    assert world.slurm.job(job)[:2] == ("CANCELLED", 0)
    world.slurm.call("scontrol", "requeue", job)  # Slurm itself would
    assert world.slurm.job(job)[0] == "PENDING"


def test_a_start_that_a_person_put_off_stays_put_off(world):
    job = world.run(("n1",))
    world.cluster.cordon(seen(world), STAMP, TIMEOUT)
    before = world.cluster.observe(TIMEOUT)
    world.slurm.call("scontrol", "requeue", job)
    world.slurm.until(lambda: world.slurm.call("squeue", "-h", "-j", job, "-o", "%T").strip() == "PENDING", 30)
    world.slurm.call("scontrol", "update", f"JobId={job}", "StartTime=now+2hours")
    world.cluster.restart(before.jobs[job], before.nodes["n1"], TIMEOUT)
    assert world.cluster.observe(TIMEOUT).jobs[job].state is JobState.WAITING
    start = SlurmCommands(world.slurm.configuration).job(job, Deadline(TIMEOUT)).start
    assert start > time.time() + 3600


def test_a_job_does_not_restart_onto_a_node_that_a_person_resumed(world):
    job = world.run(("n1",))
    world.cluster.cordon(seen(world), STAMP, TIMEOUT)
    view = world.cluster.observe(TIMEOUT)
    world.uncordon("n1")
    with pytest.raises(RefusedError, match="not drained"):
        world.cluster.restart(view.jobs[job], view.nodes["n1"], TIMEOUT)
    assert world.slurm.job(job)[:2] == ("RUNNING", 0)


def test_a_controller_that_is_gone_is_unavailable_and_no_node_is_bad(world):
    world.slurm.kill_controller()
    try:
        with pytest.raises(ClusterUnavailableError):
            world.cluster.observe(TIMEOUT)
    finally:
        world.slurm.start_controller()
    world.slurm.until(lambda: all(node.ready for node in world.cluster.observe(TIMEOUT).nodes.values()), 60)


def test_without_slurms_commands_the_cluster_is_unavailable(world, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClusterUnavailableError, match="scontrol"):
        SlurmCluster(world.slurm.configuration).observe(TIMEOUT)


class TestHyperPod:
    @pytest.fixture
    def world(self, world):
        world.cluster = HyperPodSlurmCluster(world.slurm.configuration)
        return world

    @pytest.mark.parametrize(
        ("kind", "reason"), [(Repair.REBOOT, "Action:Reboot"), (Repair.REPLACE, "Action:Replace")]
    )
    def test_a_repair_is_asked_for_in_its_words_and_the_node_stays_ours(self, world, kind, reason):
        world.cluster.cordon(seen(world), STAMP, TIMEOUT)
        for _ in range(2):
            world.cluster.repair(seen(world), STAMP, kind, TIMEOUT)
        assert "FAIL" in world.slurm.state("n1").split("+")
        assert world.slurm.reason("n1") == reason
        again = HyperPodSlurmCluster(world.slurm.configuration).observe(TIMEOUT).nodes["n1"]
        assert (again.cordoned, again.incident, again.reason) == (True, STAMP.incident, reason)
        with pytest.raises(HeldBackError):
            world.cluster.uncordon(again, STAMP.incident, TIMEOUT)
        world.uncordon("n1")  # as HyperPod does when it is done
        assert (seen(world).cordoned, seen(world).incident) == (False, None)

    def test_no_node_is_repaired_that_is_not_ours_or_has_work(self, world):
        world.cordon("n2", "Action:Replace")
        with pytest.raises(NotOursError):
            world.cluster.repair(seen(world, "n2"), STAMP, Repair.REPLACE, TIMEOUT)
        world.run(("n1",))
        world.cluster.cordon(seen(world), STAMP, TIMEOUT)
        with pytest.raises(HeldBackError):
            world.cluster.repair(seen(world), STAMP, Repair.REBOOT, TIMEOUT)
        world.update("n1", "Comment=spare part ordered")
        assert world.slurm.reason("n1") == "guard: inc-0a1b2c compute"

    def test_restarts_of_a_job_with_auto_resume_are_left_to_hyperpod(self, slurm, tmp_path):
        theirs = SlurmWorld(slurm, tmp_path, command=": srun --auto-resume=1 train\nexec srun sleep 300")
        theirs.cluster = HyperPodSlurmCluster(slurm.configuration)
        job = theirs.run(("n1",))
        theirs.cluster.cordon(seen(theirs), STAMP, TIMEOUT)
        view = theirs.cluster.observe(TIMEOUT)
        assert view.jobs[job].restarted_by == "HyperPod (auto-resume)"
        with pytest.raises(NotOursError):
            theirs.cluster.restart(view.jobs[job], view.nodes["n1"], TIMEOUT)
        assert slurm.job(job)[:2] == ("RUNNING", 0)
