"""Restarts of Jobs and JobSets on a real API server with its Job and disruption controllers."""

import pytest

from remediation.clusters import kubernetes_restart
from remediation.clusters.protocol import GoneError, HeldBackError, NotOursError, Stamp
from remediation.views import JobState
from tests.kube_jobset import JobSets
from tests.kube_world import until

pytestmark = pytest.mark.needs("kubernetes")
STAMP = Stamp("inc-0a1b2c", "compute")


def look(world):
    return world.cluster.observe(world.timeout)


def cordoned(world, index=0):
    node = look(world).nodes[world.nodes[index]]
    world.cluster.cordon(node, STAMP, world.timeout)
    return node


def uids(pods):
    return {pod.metadata.uid for pod in pods}


def read(world, name="train"):
    return world.batch.read_namespaced_job(name, world.namespace)


def test_a_restart_costs_a_job_no_failure_and_no_waiting(kube_world):
    """Evicted, its pods would count as failed, and this job would fail at the first."""
    job = kube_world.start_job("train", kube_world.nodes[:2], backoffLimit=0)
    node, before = cordoned(kube_world), uids(kube_world.running("train"))
    kube_world.cluster.restart(look(kube_world).jobs[job], node, kube_world.timeout)
    until(lambda: len(kube_world.running("train")) == 2, "it runs again", seconds=15)  # evicted: 20 s
    assert not uids(kube_world.running("train")) & before
    assert kube_world.nodes[0] not in {pod.spec.node_name for pod in kube_world.running("train")}
    assert not read(kube_world).status.failed
    until(lambda: look(kube_world).jobs[job].restarts == 1, "the restart is seen")


def test_a_disruption_budget_holds_a_restart_back_and_nothing_is_touched(kube_world):
    job = kube_world.start_job("train", kube_world.nodes[:2])
    node, before = cordoned(kube_world), uids(kube_world.running("train"))
    kube_world.budget("none", available=2, allowed=0)
    asked = look(kube_world).jobs[job]
    with pytest.raises(HeldBackError, match="budget"):
        kube_world.cluster.restart(asked, node, kube_world.timeout)
    assert uids(kube_world.running("train")) == before
    assert not read(kube_world).spec.suspend
    assert look(kube_world).jobs[job] == asked
    kube_world.policy.delete_namespaced_pod_disruption_budget("none", kube_world.namespace)
    kube_world.cluster.restart(asked, node, kube_world.timeout)
    until(lambda: look(kube_world).jobs[job].restarts == 1, "it was restarted")


def test_a_budget_with_room_is_no_hindrance(kube_world):
    job = kube_world.start_job("train", kube_world.nodes[:2])
    node = cordoned(kube_world)
    kube_world.budget("one", available=1, allowed=1)
    kube_world.cluster.restart(look(kube_world).jobs[job], node, kube_world.timeout)
    until(lambda: look(kube_world).jobs[job].restarts == 1, "it was restarted")


def test_two_budgets_over_one_pod_hold_it_back(kube_world):
    """The API server answers these with 500, which is no trouble of its own."""
    job = kube_world.start_job("train", kube_world.nodes[:2])
    node = cordoned(kube_world)
    kube_world.budget("one", available=1, allowed=1)
    kube_world.budget("another", available=1, allowed=1)
    with pytest.raises(HeldBackError, match="PodDisruptionBudget"):
        kube_world.cluster.restart(look(kube_world).jobs[job], node, kube_world.timeout)


def test_a_restart_that_was_cut_off_is_taken_up_and_happens_once(kube_world, monkeypatch):
    job = kube_world.start_job("train", kube_world.nodes[:2])
    node, asked = cordoned(kube_world), look(kube_world).jobs[job]
    with monkeypatch.context() as cut:
        cut.setattr(kubernetes_restart, "_POLLS", 0)
        with pytest.raises(HeldBackError, match="suspended"):
            kube_world.cluster.restart(asked, node, kube_world.timeout)
    until(lambda: not kube_world.pods("train"), "its pods are gone")
    waiting = look(kube_world).jobs[job]
    assert (waiting.state, waiting.restarts, waiting.halted) == (JobState.WAITING, asked.restarts, True)
    kube_world.cluster.restart(asked, node, kube_world.timeout)
    until(lambda: len(kube_world.running("train")) == 2, "it runs again")
    again = look(kube_world).jobs[job]
    assert (again.restarts, again.halted) == (1, False)
    after = uids(kube_world.running("train"))
    kube_world.cluster.restart(asked, node, kube_world.timeout)
    assert not read(kube_world).spec.suspend
    assert uids(kube_world.running("train")) == after


def test_pods_that_take_long_to_end_count_as_old_until_they_are_gone(kube_world):
    job = kube_world.start_job("train", kube_world.nodes[:2])
    node, asked = cordoned(kube_world), look(kube_world).jobs[job]
    kube_world.kubelets.linger.set()
    kube_world.cluster.restart(asked, node, kube_world.timeout)
    until(lambda: len(kube_world.pods("train")) > 2, "new pods are made beside the old ones")
    made = uids(pod for pod in kube_world.pods("train") if pod.metadata.deletion_timestamp is None)
    view = look(kube_world)
    assert (view.jobs[job].restarts, job in view.nodes[node.name].jobs) == (asked.restarts, True)
    kube_world.cluster.restart(asked, node, kube_world.timeout)
    kube_world.kubelets.linger.clear()
    until(lambda: look(kube_world).jobs[job].restarts == 1, "it was restarted")
    assert made <= uids(kube_world.pods("train"))


def test_a_second_restart_is_another_one(kube_world):
    job = kube_world.start_job("train", kube_world.nodes[:2])
    for index, count in ((0, 1), (1, 2)):
        node, asked = cordoned(kube_world, index), look(kube_world).jobs[job]
        kube_world.cluster.restart(asked, node, kube_world.timeout)
        until(lambda count=count: look(kube_world).jobs[job].restarts == count, f"restart {count} is seen")
    assert look(kube_world).jobs[job].nodes == set(kube_world.nodes[2:])


def test_a_job_that_somebody_suspended_stays_so(kube_world):
    job = kube_world.start_job("train", kube_world.nodes[:2])
    node, asked = cordoned(kube_world), look(kube_world).jobs[job]
    kube_world.batch.patch_namespaced_job("train", kube_world.namespace, {"spec": {"suspend": True}})
    with pytest.raises(HeldBackError, match="not by guard"):
        kube_world.cluster.restart(asked, node, kube_world.timeout)
    assert read(kube_world).spec.suspend


def test_a_job_that_a_person_suspends_after_a_restart_of_ours_stays_so(kube_world):
    job = kube_world.start_job("train", kube_world.nodes[:2])
    node, asked = cordoned(kube_world), look(kube_world).jobs[job]
    kube_world.cluster.restart(asked, node, kube_world.timeout)
    until(lambda: look(kube_world).jobs[job].restarts == 1, "it was restarted")
    suspend = {"spec": {"suspend": True}}
    kube_world.batch.patch_namespaced_job("train", kube_world.namespace, suspend, field_manager="kubectl-patch")
    until(lambda: not kube_world.pods("train"), "its pods are gone")
    assert not look(kube_world).jobs[job].halted
    with pytest.raises(HeldBackError, match="not by guard"):
        kube_world.cluster.restart(asked, node, kube_world.timeout)
    assert read(kube_world).spec.suspend


def test_the_jobs_of_a_jobset_are_made_anew_and_only_once(kube_world):
    jobsets = JobSets(kube_world)
    job = jobsets.make("big", kube_world.nodes[:2])
    node, asked, before = cordoned(kube_world), look(kube_world).jobs[job], jobsets.children("big")
    assert asked.nodes == set(kube_world.nodes[:2])
    kube_world.cluster.restart(asked, node, kube_world.timeout)
    until(lambda: not jobsets.children("big"), "its Jobs are deleted")
    jobsets.reconcile("big")
    until(lambda: look(kube_world).jobs[job].restarts == 1, "it was restarted")
    after = jobsets.children("big")
    assert after.keys() == before.keys()
    kube_world.cluster.restart(asked, node, kube_world.timeout)
    assert jobsets.children("big") == after
    assert node.name not in look(kube_world).jobs[job].nodes


def test_a_budget_over_a_jobset_keeps_its_jobs(kube_world):
    jobsets = JobSets(kube_world)
    job = jobsets.make("big", kube_world.nodes[:2])
    kube_world.budget("none", available=2, allowed=0)
    node, before = cordoned(kube_world), jobsets.children("big")
    with pytest.raises(HeldBackError):
        kube_world.cluster.restart(look(kube_world).jobs[job], node, kube_world.timeout)
    assert jobsets.children("big") == before


def test_a_jobs_owner_that_guard_does_not_know_restarts_it(kube_world):
    owner = {"apiVersion": "kubeflow.org/v1", "kind": "PyTorchJob", "name": "mine", "uid": "1", "controller": True}
    pod = {
        "metadata": {"name": "mine-0", "ownerReferences": [owner]},
        "spec": {"nodeName": kube_world.nodes[0], "containers": [{"name": "train", "image": "none"}]},
    }
    kube_world.core.create_namespaced_pod(kube_world.namespace, pod)
    node, view = cordoned(kube_world), look(kube_world)
    job = view.jobs[f"{kube_world.namespace}/mine"]
    assert (job.restarted_by, job.nodes) == ("PyTorchJob", {node.name})
    with pytest.raises(NotOursError):
        kube_world.cluster.restart(job, node, kube_world.timeout)


def test_a_job_that_is_deleted_is_gone(kube_world):
    job = kube_world.start_job("train", kube_world.nodes[:2])
    node, asked = cordoned(kube_world), look(kube_world).jobs[job]
    kube_world.stop(job)
    with pytest.raises(GoneError):
        kube_world.cluster.restart(asked, node, kube_world.timeout)
