"""Cordons of a real API server: other writers, other nodes of the same name, and a control plane in trouble."""

import time

import pytest

from remediation.clusters.kubernetes import KubernetesCluster
from remediation.clusters.protocol import ClusterUnavailableError, GoneError, HeldBackError, NotOursError, Stamp

pytestmark = pytest.mark.needs("kubernetes")
STAMP = Stamp("inc-0a1b2c", "compute")


def look(world):
    return world.cluster.observe(world.timeout)


def node_of(world, index=0):
    return look(world).nodes[world.nodes[index]]


@pytest.fixture
def between(kube_world, monkeypatch):
    """Something that happens to node 0 after the adapter read it, before each of its first ``times`` writes."""

    def arrange(happens, times=1):
        core, left = kube_world.cluster._api.core, [times]
        read = core.read_node

        def reading(*arguments, **options):
            answer = read(*arguments, **options)
            if left[0] > 0:
                left[0] -= 1
                happens()
            return answer

        monkeypatch.setattr(core, "read_node", reading)
        return left

    return arrange


def test_a_writer_between_reading_and_writing_loses_nothing(kube_world, between):
    taint = {"key": "example.com/maintenance", "value": "x", "effect": "NoSchedule"}
    node = node_of(kube_world)
    left = between(lambda: kube_world.core.patch_node(kube_world.nodes[0], {"spec": {"taints": [taint]}}))
    kube_world.cluster.cordon(node, STAMP, kube_world.timeout)
    assert left == [0]
    found = kube_world.node(0)
    assert [taint.key for taint in found.spec.taints] == ["example.com/maintenance"]
    assert found.spec.unschedulable
    assert node_of(kube_world).incident == STAMP.incident


def test_a_person_who_cordons_in_between_was_first(kube_world, between):
    node = node_of(kube_world)
    between(lambda: kube_world.cordon(kube_world.nodes[0], ""))
    with pytest.raises(NotOursError):
        kube_world.cluster.cordon(node, STAMP, kube_world.timeout)
    assert node_of(kube_world).incident is None


def test_a_node_that_others_write_to_all_the_time_is_held_back_in_the_end(kube_world, between):
    counter = iter(range(100))
    node = node_of(kube_world)

    def write():
        note = {"metadata": {"annotations": {"counter": str(next(counter))}}}
        kube_world.core.patch_node(kube_world.nodes[0], note)

    between(write, times=50)
    with pytest.raises(HeldBackError):
        kube_world.cluster.cordon(node, STAMP, kube_world.timeout)
    assert not node_of(kube_world).cordoned


def test_a_node_made_anew_in_the_middle_of_a_cordon_is_left_alone(kube_world, between):
    node = node_of(kube_world)
    between(lambda: kube_world.recreate(kube_world.nodes[0]))
    with pytest.raises(GoneError):
        kube_world.cluster.cordon(node, STAMP, kube_world.timeout)
    after = node_of(kube_world)
    assert (after.cordoned, after.incident, after.instance) == (False, None, "i-99999999")


def test_a_node_deleted_in_the_middle_is_gone(kube_world, between):
    node = node_of(kube_world)
    between(lambda: kube_world.core.delete_node(kube_world.nodes[0]))
    with pytest.raises(GoneError):
        kube_world.cluster.cordon(node, STAMP, kube_world.timeout)


def test_a_cordon_that_replaced_ours_is_not_ours_though_our_annotations_are_there(kube_world):
    kube_world.cluster.cordon(node_of(kube_world), STAMP, kube_world.timeout)
    kube_world.uncordon(kube_world.nodes[0])
    kube_world.cordon(kube_world.nodes[0], "")
    assert kube_world.node(0).metadata.annotations["trn-guard.io/incident"] == STAMP.incident
    node = node_of(kube_world)
    assert (node.cordoned, node.incident) == (True, None)
    with pytest.raises(NotOursError):
        kube_world.cluster.uncordon(node, STAMP.incident, kube_world.timeout)
    assert kube_world.node(0).spec.unschedulable


def test_an_uncordon_leaves_nothing_of_ours_behind(kube_world):
    kube_world.cluster.cordon(node_of(kube_world), STAMP, kube_world.timeout)
    kube_world.cluster.uncordon(node_of(kube_world), STAMP.incident, kube_world.timeout)
    found = kube_world.node(0)
    assert not [note for note in found.metadata.annotations or {} if note.startswith("trn-guard")]
    assert not found.spec.unschedulable


def test_stale_annotations_go_when_a_person_uncordoned(kube_world):
    kube_world.cluster.cordon(node_of(kube_world), STAMP, kube_world.timeout)
    kube_world.uncordon(kube_world.nodes[0])
    kube_world.cluster.uncordon(node_of(kube_world), STAMP.incident, kube_world.timeout)
    assert not [note for note in kube_world.node(0).metadata.annotations or {} if note.startswith("trn-guard")]


def test_events_tell_who_describes_the_node(kube_world):
    kube_world.cluster.cordon(node_of(kube_world), STAMP, kube_world.timeout)
    kube_world.cluster.uncordon(node_of(kube_world), STAMP.incident, kube_world.timeout)
    selector = f"involvedObject.name={kube_world.nodes[0]}"
    events = kube_world.core.list_namespaced_event("default", field_selector=selector).items
    assert {(event.reason, event.message) for event in events} == {
        ("Cordoned", "guard: inc-0a1b2c compute"),
        ("Uncordoned", "guard: inc-0a1b2c"),
    }


def test_a_node_says_where_it_sits_and_what_hardware_it_is(kube_world):
    node = node_of(kube_world)
    assert (node.instance, dict(node.domains)) == ("i-00000000", {"zone": "west-a"})
    assert node.identity == kube_world.node(0).metadata.uid


def test_a_hung_server_costs_the_timeout_and_a_cordon_asked_for_again_takes(kube_world):
    node = node_of(kube_world)
    with kube_world.server.paused():
        begun = time.monotonic()
        with pytest.raises(ClusterUnavailableError):
            kube_world.cluster.cordon(node, STAMP, 1.0)
        assert time.monotonic() - begun < 3.0
    kube_world.cluster.cordon(node, STAMP, kube_world.timeout)
    assert node_of(kube_world).incident == STAMP.incident


def test_a_server_that_comes_back_is_the_same_cluster(kube_world):
    kube_world.cluster.cordon(node_of(kube_world), STAMP, kube_world.timeout)
    before = node_of(kube_world)
    with kube_world.server.gone(), pytest.raises(ClusterUnavailableError):
        look(kube_world)
    assert node_of(kube_world) == before
    kube_world.cluster.uncordon(before, STAMP.incident, kube_world.timeout)
    assert not node_of(kube_world).cordoned


def test_a_token_that_is_not_known_says_nothing_about_nodes(kube_world):
    node = node_of(kube_world)
    stranger = KubernetesCluster(kube_world.server.configuration("no-such-token"), kube_world.settings)
    try:
        with pytest.raises(ClusterUnavailableError, match="401"):
            stranger.observe(kube_world.timeout)
        with pytest.raises(ClusterUnavailableError, match="401"):
            stranger.cordon(node, STAMP, kube_world.timeout)
    finally:
        stranger.close()
