"""The fake cluster passes the contract of the real ones, and fails as it is told to."""

from contextlib import contextmanager

import pytest

from remediation.clusters.fake import FakeCluster, Trouble, no_trouble
from remediation.clusters.protocol import Cluster, ClusterUnavailableError, HeldBackError, RefusedError
from remediation.views import JobState, NodeView, Repair
from tests.cluster_contract import STAMP, ClusterContract, World


class FakeWorld(World):
    def __init__(self):
        self.nodes = ("n1", "n2", "n3", "n4")
        self.fake = FakeCluster(NodeView(n, instance=f"i-{n}", identity=f"uid-{n}") for n in self.nodes)
        self.cluster: Cluster = self.fake
        self.patience = 1.0
        self.jobs = 0

    def run(self, nodes):
        self.jobs += 1
        self.fake.run(f"job-{self.jobs}", nodes)
        return f"job-{self.jobs}"

    def stop(self, job):
        self.fake.stop(job)

    def cordon(self, node, reason):
        self.fake.cordon_as_person(node, reason)

    def uncordon(self, node):
        self.fake.uncordon_as_person(node)

    def recreate(self, node):
        self.fake.recreate(node)

    def own_restarts(self, job):
        self.fake.own_restarts(job, "auto-resume")

    def opt_out(self, node):
        there = self.fake.observe(1).nodes[node]
        self.fake.change(NodeView(node, there.instance, there.identity, opted_out=True))

    @contextmanager
    def silence(self):
        self.fake.trouble = lambda call, subject: Trouble.UNAVAILABLE
        yield
        self.fake.trouble = no_trouble


class TestFakeCluster(ClusterContract):
    @pytest.fixture
    def world(self):
        return FakeWorld()


@pytest.fixture
def fake():
    return FakeWorld().fake


def failing_once(trouble):
    told = []
    return lambda call, subject: None if told or call == "observe" else told.append(call) or trouble


@pytest.mark.parametrize(
    ("trouble", "error", "taken"),
    [
        (Trouble.UNAVAILABLE, ClusterUnavailableError, False),
        (Trouble.HELD_BACK, HeldBackError, False),
        (Trouble.REFUSED, RefusedError, False),
        (Trouble.ANSWER_LOST, ClusterUnavailableError, True),
    ],
)
def test_a_call_fails_as_told_before_or_after_it_took(fake, trouble, error, taken):
    fake.trouble = failing_once(trouble)
    node = fake.observe(1).nodes["n1"]
    with pytest.raises(error):
        fake.cordon(node, STAMP, 1)
    assert fake.observe(1).nodes["n1"].cordoned is taken
    fake.cordon(node, STAMP, 1)
    assert fake.acts == [("cordon", "n1")]


def test_a_job_without_room_waits(fake):
    fake.run("j", ("n1", "n2", "n3", "n4"))
    node = fake.observe(1).nodes["n1"]
    fake.cordon(node, STAMP, 1)
    fake.restart(fake.observe(1).jobs["j"], node, 1)
    assert fake.observe(1).jobs["j"].state is JobState.WAITING
    fake.uncordon(node, STAMP.incident, 1)
    assert fake.observe(1).jobs["j"].nodes == {"n1", "n2", "n3", "n4"}


def test_no_job_is_restarted_off_a_node_that_it_could_come_back_to(fake):
    fake.run("j", ("n1", "n2"))
    view = fake.observe(1)
    with pytest.raises(RefusedError):
        fake.restart(view.jobs["j"], view.nodes["n1"], 1)


def test_a_repair_needs_our_cordon_and_no_work_and_makes_another_node_of_it():
    fake = FakeCluster([NodeView("n1", "i-1", "uid-1")], frozenset(Repair))
    fake.run("j", ("n1",))
    node = fake.observe(1).nodes["n1"]
    fake.cordon(node, STAMP, 1)
    with pytest.raises(HeldBackError):
        fake.repair(node, STAMP, Repair.REBOOT, 1)
    fake.stop("j")
    fake.repair(node, STAMP, Repair.REBOOT, 1)
    rebooted = fake.observe(1).nodes["n1"]
    assert rebooted.identity != node.identity
    assert rebooted.incident == STAMP.incident
    fake.repair(rebooted, STAMP, Repair.REPLACE, 1)
    replaced = fake.observe(1).nodes["n1"]
    assert replaced.instance != node.instance
    assert not replaced.cordoned
