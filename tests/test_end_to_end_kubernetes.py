"""The whole loop on a real API server, with everything in the way that Kubernetes has to offer.

A node is accused; it is cordoned, its Job runs again elsewhere, it is held, and a person gives it back. Whatever
happens in between: nothing is done twice, nobody else is touched, and the ledger tells all of it.
"""

import contextlib
import re
import ssl
import threading
import time
import urllib.request

import pytest
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from remediation.ledger import Act, Alert, Intent, Leader, Opened, Outcome, Result, Verified
from remediation.states import NodeState
from tests.kube_loop import BLIND, DEADLINE, KubeLoop
from tests.kube_road import LongRoad

pytestmark = pytest.mark.needs("kubernetes")

COURSE = [NodeState.SUSPECT, NodeState.CONFIRMED, NodeState.CORDONED, NodeState.DRAINING]
GONE_FOR = 25.0
"""Seconds without an API server, which stand for a minute: three times what a look may be old to act on."""
WRITERS, ON_THE_ROAD = 4, 0.1
"""How many write to the node as fast as they can, and how many seconds a request of guard's is under way."""


@pytest.fixture
def loop(kube_world, tmp_path):
    with KubeLoop(kube_world, tmp_path) as loop:
        yield loop
        print(loop.story())


@pytest.fixture
def far(kube_world, tmp_path):
    """The same over a long road, on which another one's write comes before nearly each of guard's."""
    with (
        LongRoad(kube_world.server, tmp_path, ON_THE_ROAD) as road,
        KubeLoop(kube_world, tmp_path, road.kubeconfig) as loop,
    ):
        yield loop
        print(loop.story())


def held(loop):
    """The node is held, and its Job runs again without it."""
    loop.until(lambda: NodeState.HELD in loop.states())
    assert loop.states() == [*COURSE, NodeState.HELD]
    loop.until(lambda: len(loop.where()) == 2)
    assert loop.bad not in loop.where().values()
    node = loop.node()
    (opened,) = loop.of(Opened)
    assert node.spec.unschedulable
    assert node.metadata.annotations["trn-guard.io/incident"] == opened.incident
    assert opened.node == loop.bad


def given_back(loop):
    """Held, given back, and all as it was: each act took once, nobody else was touched, and the ledger says so."""
    held(loop)
    loop.release()
    assert loop.states() == [*COURSE, NodeState.HELD, NodeState.HEALTHY]
    assert {act: count for act, count in loop.done().items() if count} == {
        Act.CORDON: 1,
        Act.RESTART: 1,
        Act.RELEASE: 1,
    }
    node = loop.node()
    assert not node.spec.unschedulable
    assert not node.metadata.annotations
    assert (loop.events("Cordoned"), loop.events("Uncordoned")) == (1, 1)
    restarted_once(loop)
    assert loop.of(Verified)[-1].fine
    told_whole(loop)


def restarted_once(loop):
    """What is asked of a Job changed when it was suspended and when it was resumed, and never again."""
    job, mark = loop.job(), loop.mark()
    assert job.metadata.generation == 3
    assert not job.spec.suspend
    assert not job.status.failed
    assert mark.count == 1


def told_whole(loop):
    """Each act has one end in the ledger, there was one incident, and nobody else was touched."""
    ended = [outcome.intent for outcome in loop.of(Outcome)]
    assert sorted(ended) == sorted(intent.id for intent in loop.of(Intent))
    assert [opened.node for opened in loop.of(Opened)] == [loop.bad]
    assert not loop.others_changed()


def test_an_accused_node_is_drained_its_job_runs_elsewhere_and_a_person_gives_it_back(loop):
    loop.accuse()
    given_back(loop)
    assert all(outcome.result is Result.DONE for outcome in loop.of(Outcome))


def test_a_disruption_budget_holds_the_restart_back_until_it_is_lifted(loop):
    loop.world.budget("none", available=3, allowed=0)
    before = loop.where()
    loop.accuse()
    loop.until(lambda: len(loop.outcomes(Act.RESTART)) == 2)
    assert loop.where() == before
    assert loop.job().metadata.generation == 1
    for outcome in loop.outcomes(Act.RESTART):
        assert outcome.result is Result.FAILED
        assert re.match("held back: .*budget", outcome.detail)
    loop.world.policy.delete_namespaced_pod_disruption_budget("none", loop.world.namespace)
    given_back(loop)


def test_a_node_that_others_write_to_all_the_time_is_tried_again_within_bounds(far):
    loop, before = far, conflicts(far.world)
    with writers(loop) as written:
        loop.accuse()
        loop.until(lambda: loop.outcomes(Act.CORDON))
    held(loop)
    tries, met = len([one for one in loop.of(Intent) if one.act is Act.CORDON]), conflicts(loop.world) - before
    assert 1 <= met <= 5 * tries
    failed = [one.detail for one in loop.outcomes(Act.CORDON) if one.result is not Result.DONE]
    assert all("others write to node" in detail for detail in failed)
    assert {name: int(loop.node().metadata.labels[name]) for name in written} == written
    given_back(loop)


def test_a_node_made_anew_in_the_middle_ends_the_incident_and_is_not_touched(loop):
    loop.world.budget("none", available=3, allowed=0)
    before = loop.where()
    loop.accuse()
    loop.until(lambda: loop.outcomes(Act.RESTART))
    loop.world.recreate(loop.bad)
    version = loop.node().metadata.resource_version
    loop.until(lambda: NodeState.GONE in loop.states())
    loop.world.policy.delete_namespaced_pod_disruption_budget("none", loop.world.namespace)
    loop.looked(5)
    assert loop.states() == [*COURSE, NodeState.GONE]
    assert loop.node().metadata.resource_version == version
    assert loop.where() == before
    assert loop.job().metadata.generation == 1
    assert (loop.done()[Act.CORDON], loop.done()[Act.RESTART], loop.done()[Act.RELEASE]) == (1, 0, 0)
    loop.until(lambda: not loop.open())
    told_whole(loop)


def test_an_api_server_that_hangs_in_the_middle_of_a_restart_is_no_nodes_fault(loop):
    loop.accuse()
    loop.until(lambda: loop.job().spec.suspend)
    with loop.world.server.paused():
        since = time.monotonic()
        loop.until(lambda: loop.outcomes(Act.RESTART) and time.monotonic() - since > 2 * DEADLINE)
        assert loop.outcomes(Act.RESTART)[0].result is Result.UNKNOWN
    given_back(loop)
    assert len(loop.outcomes(Act.RESTART)) == 2


def test_an_api_server_that_is_gone_for_long_is_told_and_then_gone_on_with(loop):
    loop.accuse()
    loop.until(lambda: loop.outcomes(Act.CORDON))
    with loop.world.server.gone():
        since = time.monotonic()
        loop.until(lambda: time.monotonic() - since > GONE_FOR)
        alerts = [alert for alert in loop.of(Alert) if alert.about == "blind"]
        assert [alert.severity for alert in alerts] == ["critical"]
        assert alerts[0].time - loop.accused < 2 * BLIND + DEADLINE
        assert set(loop.states()) <= set(COURSE)
    given_back(loop)


def test_a_remediator_that_dies_while_the_job_stands_still_is_followed_by_one_that_starts_it_again(loop):
    loop.accuse()
    loop.until(lambda: loop.job().spec.suspend)
    loop.crash()
    given_back(loop)
    assert [one.result for one in loop.outcomes(Act.RESTART)] == [Result.SUPERSEDED, Result.DONE]
    assert len(loop.of(Leader)) == 2


@contextlib.contextmanager
def writers(loop):
    """Some that write to the node as fast as they can; what each of them wrote last."""
    written, end = {}, threading.Event()

    def write(name):
        api = loop.world.server.client()
        core, number = client.CoreV1Api(api), 0
        while not end.is_set():
            with contextlib.suppress(ApiException):
                core.patch_node(loop.bad, {"metadata": {"labels": {name: str(number + 1)}}})
                written[name] = number = number + 1
        api.close()

    threads = [
        threading.Thread(target=write, args=(f"writer-{number}",), daemon=True) for number in range(WRITERS)
    ]
    for thread in threads:
        thread.start()
    loop.until(lambda: len(written) == WRITERS)
    try:
        yield written
    finally:
        end.set()
        for thread in threads:
            thread.join(30)


def conflicts(world):
    """Writes to nodes that the API server has refused because somebody else had written before."""
    token = {"Authorization": world.server.configuration().api_key["BearerToken"]}
    request = urllib.request.Request(f"{world.server.url}/metrics", headers=token)  # noqa: S310
    trust = ssl.create_default_context(cafile=world.server.authority)
    with urllib.request.urlopen(request, timeout=30, context=trust) as answer:  # noqa: S310
        lines = answer.read().decode().splitlines()
    wanted = ("apiserver_request_total{", 'code="409"', 'resource="nodes"', 'verb="PATCH"')
    return sum(float(line.rpartition(" ")[2]) for line in lines if all(word in line for word in wanted))
