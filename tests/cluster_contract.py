"""What every cluster's adapter does, the fake's included.

A test module subclasses `ClusterContract` and gives a fixture `world`, a `World` made anew for each test. A real
cluster may take its time: conditions are waited for, for at most `World.patience` seconds.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import pytest

from remediation.clusters.protocol import (
    Cluster,
    ClusterUnavailableError,
    GoneError,
    NotOursError,
    RefusedError,
    Stamp,
)
from remediation.views import ClusterView, JobState, JobView, NodeView, Repair

STAMP = Stamp("inc-0a1b2c", "compute")
OTHER = Stamp("inc-ffffff", "memory")


class World(ABC):
    """A cluster with four idle nodes or more, and the hands of others in it.

    Attributes:
        cluster: the adapter.
        nodes: names of its nodes: ready, not cordoned, idle.
        timeout: seconds for each call.
        patience: seconds that the cluster may take to show an effect.
    """

    cluster: Cluster
    nodes: tuple[str, ...]
    timeout: float = 10.0
    patience: float = 60.0

    @abstractmethod
    def run(self, nodes: tuple[str, ...]) -> str:
        """Start a job that may be restarted on just these nodes; its name in views. It is running on return."""

    @abstractmethod
    def stop(self, job: str) -> None:
        """End the job."""

    @abstractmethod
    def cordon(self, node: str, reason: str) -> None:
        """Cordon as a person does, over whatever is there."""

    @abstractmethod
    def uncordon(self, node: str) -> None:
        """Uncordon as a person does."""

    @abstractmethod
    def silence(self) -> AbstractContextManager[Any]:
        """While entered, the control plane does not answer."""

    def recreate(self, node: str) -> None:
        """Delete the node and make another of its name."""
        pytest.skip("a node cannot be made anew here")

    def own_restarts(self, job: str) -> None:
        """Let somebody else own the restarts of the job."""
        pytest.skip("no other owner of restarts here")

    def opt_out(self, node: str) -> None:
        """Mark the node as one that guard leaves alone."""
        pytest.skip("nodes cannot opt out here")


class ClusterContract:
    """The tests."""

    @pytest.fixture
    def world(self):
        raise NotImplementedError("the subclass gives it")

    def test_observing_shows_all_nodes_idle_and_ready(self, world):
        view = look(world)
        assert set(world.nodes) <= set(view.nodes)
        for name in world.nodes:
            node = view.nodes[name]
            assert (node.name, node.ready, node.cordoned, node.incident) == (name, True, False, None)
            assert not node.jobs

    def test_a_job_is_seen_with_its_nodes_until_it_ends(self, world):
        job = world.run(world.nodes[:2])
        view = look(world)
        assert view.jobs[job].state is JobState.RUNNING
        assert view.jobs[job].nodes == set(world.nodes[:2])
        assert job in view.nodes[world.nodes[0]].jobs
        assert job not in view.nodes[world.nodes[2]].jobs
        world.stop(job)
        until(world, lambda view: not view.nodes[world.nodes[0]].jobs)
        ended = look(world).jobs.get(job)
        assert ended is None or ended.state is JobState.ENDED

    def test_a_cordon_carries_our_stamp_and_touches_one_node(self, world):
        world.cluster.cordon(node_of(world, 0), STAMP, world.timeout)
        view = until(world, lambda view: view.nodes[world.nodes[0]].cordoned)
        node = view.nodes[world.nodes[0]]
        assert node.incident == STAMP.incident
        assert STAMP.incident in node.reason or STAMP.cause in node.reason
        assert [n.name for n in view.nodes.values() if n.cordoned] == [node.name]

    def test_a_cordon_lets_running_work_go_on(self, world):
        job = world.run(world.nodes[:2])
        world.cluster.cordon(node_of(world, 0), STAMP, world.timeout)
        view = until(world, lambda view: view.nodes[world.nodes[0]].cordoned)
        assert view.jobs[job].state is JobState.RUNNING
        assert (view.jobs[job].nodes, view.jobs[job].restarts) == (set(world.nodes[:2]), 0)

    def test_cordoning_twice_is_cordoning_once_and_so_is_undoing(self, world):
        for _ in range(2):
            world.cluster.cordon(node_of(world, 0), STAMP, world.timeout)
        until(world, lambda view: view.nodes[world.nodes[0]].incident == STAMP.incident)
        for _ in range(2):
            world.cluster.uncordon(node_of(world, 0), STAMP.incident, world.timeout)
        view = until(world, lambda view: not view.nodes[world.nodes[0]].cordoned)
        assert view.nodes[world.nodes[0]].incident is None

    def test_an_act_decided_on_an_older_look_takes_while_the_node_is_the_same(self, world):
        before = node_of(world, 0)
        world.cluster.cordon(before, STAMP, world.timeout)
        world.cluster.cordon(before, STAMP, world.timeout)
        world.cluster.uncordon(before, STAMP.incident, world.timeout)
        until(world, lambda view: not view.nodes[world.nodes[0]].cordoned)

    def test_a_foreign_cordon_is_neither_taken_over_nor_undone(self, world):
        world.cordon(world.nodes[0], "bad fan, Ines")
        view = until(world, lambda view: view.nodes[world.nodes[0]].cordoned)
        before = view.nodes[world.nodes[0]]
        assert before.incident is None
        with pytest.raises(NotOursError):
            world.cluster.cordon(before, STAMP, world.timeout)
        with pytest.raises(NotOursError):
            world.cluster.uncordon(before, STAMP.incident, world.timeout)
        after = node_of(world, 0)
        assert (after.cordoned, after.incident, after.reason) == (True, None, before.reason)

    def test_the_cordon_of_one_incident_is_not_undone_for_another(self, world):
        world.cluster.cordon(node_of(world, 0), STAMP, world.timeout)
        with pytest.raises(NotOursError):
            world.cluster.uncordon(node_of(world, 0), OTHER.incident, world.timeout)
        with pytest.raises(NotOursError):
            world.cluster.cordon(node_of(world, 0), OTHER, world.timeout)
        assert node_of(world, 0).incident == STAMP.incident

    def test_a_persons_uncordon_is_seen_and_stands(self, world):
        world.cluster.cordon(node_of(world, 0), STAMP, world.timeout)
        until(world, lambda view: view.nodes[world.nodes[0]].cordoned)
        world.uncordon(world.nodes[0])
        view = until(world, lambda view: not view.nodes[world.nodes[0]].cordoned)
        assert view.nodes[world.nodes[0]].incident is None
        world.cluster.uncordon(node_of(world, 0), STAMP.incident, world.timeout)
        assert not node_of(world, 0).cordoned

    def test_a_restarted_job_runs_again_without_the_node(self, world):
        job = world.run(world.nodes[:2])
        cordoned(world, 0)
        before = look(world).jobs[job]
        restarted(world, before)
        view = look(world)
        assert view.jobs[job].restarts > before.restarts
        assert world.nodes[0] not in view.jobs[job].nodes
        assert len(view.jobs[job].nodes) == 2
        assert not view.nodes[world.nodes[0]].jobs

    def test_a_restart_asked_for_twice_happens_once(self, world):
        job = world.run(world.nodes[:2])
        cordoned(world, 0)
        before = look(world).jobs[job]
        restarted(world, before)
        after = look(world).jobs[job]
        world.cluster.restart(before, node_of(world, 0), world.timeout)
        assert look(world).jobs[job].restarts == after.restarts

    def test_a_job_that_has_ended_is_not_restarted(self, world):
        job = world.run(world.nodes[:2])
        cordoned(world, 0)
        before = look(world).jobs[job]
        world.stop(job)
        until(world, lambda view: not view.nodes[world.nodes[0]].jobs)
        with pytest.raises(GoneError):
            world.cluster.restart(before, node_of(world, 0), world.timeout)

    def test_a_job_unknown_to_the_cluster_is_not_restarted(self, world):
        cordoned(world, 0)
        nobody = JobView("4294900", JobState.RUNNING, frozenset(world.nodes[:2]))
        with pytest.raises(GoneError):
            world.cluster.restart(nobody, node_of(world, 0), world.timeout)

    def test_restarts_of_another_owner_are_left_to_it(self, world):
        job = world.run(world.nodes[:2])
        world.own_restarts(job)
        cordoned(world, 0)
        view = until(world, lambda view: view.jobs[job].restarted_by is not None)
        with pytest.raises(NotOursError):
            world.cluster.restart(view.jobs[job], node_of(world, 0), world.timeout)
        assert look(world).jobs[job].restarts == view.jobs[job].restarts

    def test_a_node_that_is_not_there_is_gone(self, world):
        nobody = NodeView("no-such-node", identity="none")
        with pytest.raises(GoneError):
            world.cluster.cordon(nobody, STAMP, world.timeout)
        with pytest.raises(GoneError):
            world.cluster.uncordon(nobody, STAMP.incident, world.timeout)

    def test_an_act_bound_to_another_identity_is_not_done(self, world):
        node = node_of(world, 0)
        if not node.identity:
            pytest.skip("this cluster knows no identity")
        another = replace(node, identity=f"{node.identity}-of-before")
        with pytest.raises(GoneError):
            world.cluster.cordon(another, STAMP, world.timeout)
        assert not node_of(world, 0).cordoned

    def test_a_node_made_anew_is_another_one(self, world):
        before = cordoned(world, 0)
        world.recreate(world.nodes[0])
        view = until(
            world,
            lambda view: world.nodes[0] in view.nodes and view.nodes[world.nodes[0]].identity != before.identity,
        )
        assert view.nodes[world.nodes[0]].incident is None
        with pytest.raises(GoneError):
            world.cluster.cordon(before, STAMP, world.timeout)

    def test_a_node_can_opt_out(self, world):
        world.opt_out(world.nodes[0])
        view = until(world, lambda view: view.nodes[world.nodes[0]].opted_out)
        assert not view.nodes[world.nodes[1]].opted_out

    def test_what_a_cluster_cannot_repair_it_refuses(self, world):
        missing = [kind for kind in Repair if kind not in world.cluster.repairs]
        if not missing:
            pytest.skip("this cluster can do all repairs")
        node = cordoned(world, 0)
        with pytest.raises(RefusedError):
            world.cluster.repair(node, STAMP, missing[0], world.timeout)

    def test_a_silent_control_plane_is_unavailable_in_time_and_nothing_else(self, world):
        job = world.run(world.nodes[:2])
        node = cordoned(world, 0)
        before = look(world).jobs[job]
        with world.silence():
            calls: tuple[Callable[[float], object], ...] = (
                world.cluster.observe,
                lambda timeout: world.cluster.cordon(replace(node), STAMP, timeout),
                lambda timeout: world.cluster.uncordon(node, STAMP.incident, timeout),
                lambda timeout: world.cluster.restart(before, node, timeout),
            )
            for call in calls:
                begun = time.monotonic()
                with pytest.raises(ClusterUnavailableError):
                    call(2.0)
                assert time.monotonic() - begun < 4.0


def look(world: World) -> ClusterView:
    return world.cluster.observe(world.timeout)


def node_of(world: World, index: int) -> NodeView:
    return look(world).nodes[world.nodes[index]]


def cordoned(world: World, index: int) -> NodeView:
    world.cluster.cordon(node_of(world, index), STAMP, world.timeout)
    name = world.nodes[index]
    return until(world, lambda view: view.nodes[name].cordoned).nodes[name]


def restarted(world: World, job: JobView) -> None:
    """Ask for the restart until the job has left the node, then wait until it runs."""

    def asked(view: ClusterView) -> bool:
        if view.jobs[job.name].restarts <= job.restarts:
            world.cluster.restart(job, view.nodes[world.nodes[0]], world.timeout)
            return False
        return view.jobs[job.name].state is JobState.RUNNING and not view.nodes[world.nodes[0]].jobs

    until(world, asked)


def until(world: World, condition: Callable[[ClusterView], bool]) -> ClusterView:
    """The first look at which `condition` holds."""
    deadline = time.monotonic() + world.patience
    while time.monotonic() < deadline:
        view = look(world)
        if condition(view):
            return view
        time.sleep(0.05)
    raise AssertionError(f"not within {world.patience:g} s")
