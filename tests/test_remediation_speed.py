"""The largest cluster: 62,500 nodes, decided on within a second's tick."""

import time

import pytest

from detectors.verdict import Status
from remediation.clusters.fake import FakeCluster
from remediation.events import Observed, Said
from remediation.ledger import Breaker, Leader
from tests.remediation_stage import CLUSTER, POLICY, Stage, nodes, verdict

COUNT = 62_500


def took(what) -> float:
    begun = time.process_time()
    what()
    return time.process_time() - begun


@pytest.mark.alone
def test_the_largest_cluster_is_looked_at_and_decided_on_in_a_fraction_of_a_second():
    every = nodes(COUNT)
    fake = FakeCluster(every)
    fake.run("j", [node.name for node in every[:60_000]])
    view = fake.observe(10)
    stage = Stage(fake, POLICY)
    stage.append(Leader(id="l", cluster=CLUSTER, time=stage.now, process="p", deadline=60.0))
    stage.epoch = 0
    stage.read_back()
    assert took(lambda: stage.tell(Observed(view))) < 0.3
    said = [Said(verdict(node.name, stage.now, status=Status.OK)) for node in every]
    assert took(lambda: [stage.tell(one) for one in said]) < 20.0
    names = [node.name for node in every[:4000:100]]
    stage.accuse(*names)
    stage.now += 1
    stage.tick()
    stage.now += 40
    stage.tell(Observed(view))
    stage.accuse(*names, since=stage.now - 50)
    assert took(stage.tick) < 0.3
    for node in every:
        stage.accuse(node.name)
    stage.now += 1
    assert took(stage.tick) < 0.5
    assert len(stage.kinds(Breaker)) == 1
