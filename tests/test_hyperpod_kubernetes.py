"""HyperPod's labels on a real API server. HyperPod itself was never there: a person's hand stands in for it."""

import pytest

from remediation.clusters.hyperpod_kubernetes import HyperPodKubernetesCluster
from remediation.clusters.protocol import HeldBackError, NotOursError, Stamp
from remediation.views import Repair

pytestmark = pytest.mark.needs("kubernetes")

HEALTH = "sagemaker.amazonaws.com/node-health-status"
CHECK = "sagemaker.amazonaws.com/deep-health-check-status"
STAMP = Stamp("inc-0a1b2c", "compute")
TIMEOUT = 10.0


@pytest.fixture
def world(kube_world):
    cluster = HyperPodKubernetesCluster(kube_world.server.configuration(), kube_world.settings)
    kube_world.cluster.close()
    kube_world.cluster = cluster
    return kube_world


def label(world, node, **labels):
    names = {"health": HEALTH, "check": CHECK}
    world.core.patch_node(node, {"metadata": {"labels": {names[name]: value for name, value in labels.items()}}})


def health(world, node):
    return world.core.read_node(node).metadata.labels.get(HEALTH)


def seen(world, index=0):
    return world.cluster.observe(TIMEOUT).nodes[world.nodes[index]]


@pytest.mark.parametrize(
    ("kind", "said"),
    [(Repair.REBOOT, "UnschedulablePendingReboot"), (Repair.REPLACE, "UnschedulablePendingReplacement")],
)
def test_a_repair_is_asked_for_by_a_label_and_the_node_stays_ours(world, kind, said):
    world.cluster.cordon(seen(world), STAMP, TIMEOUT)
    for _ in range(2):
        world.cluster.repair(seen(world), STAMP, kind, TIMEOUT)
    assert health(world, world.nodes[0]) == said
    assert (seen(world).cordoned, seen(world).incident) == (True, STAMP.incident)
    with pytest.raises(HeldBackError):
        world.cluster.uncordon(seen(world), STAMP.incident, TIMEOUT)
    label(world, world.nodes[0], health="Schedulable")
    world.cluster.uncordon(seen(world), STAMP.incident, TIMEOUT)
    assert not seen(world).cordoned


def test_no_node_is_repaired_that_is_not_ours_has_work_or_is_being_checked(world):
    with pytest.raises(NotOursError):
        world.cluster.repair(seen(world), STAMP, Repair.REBOOT, TIMEOUT)
    world.run(world.nodes[:1])
    world.cluster.cordon(seen(world), STAMP, TIMEOUT)
    with pytest.raises(HeldBackError, match="work"):
        world.cluster.repair(seen(world), STAMP, Repair.REBOOT, TIMEOUT)
    world.cluster.cordon(seen(world, 1), STAMP, TIMEOUT)
    label(world, world.nodes[1], check="InProgress")
    with pytest.raises(HeldBackError, match="checks"):
        world.cluster.repair(seen(world, 1), STAMP, Repair.REBOOT, TIMEOUT)
    assert [health(world, node) for node in world.nodes[:2]] == [None, None]
