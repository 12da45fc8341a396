"""An alert that is over is said to be over, when a look at the cluster shows it, and never before."""

from remediation.clusters.fake import Trouble
from remediation.clusters.protocol import Stamp
from remediation.ledger import Alert, Cleared
from tests.remediation_stage import staged
from tests.test_remediation_halted import cut_off, live

NODE = "n00003"


def alerts(stage):
    return [alert.about for alert in stage.kinds(Alert)]


def blinded(seconds=300):
    stage = staged()
    stage.cluster.trouble = lambda call, subject: Trouble.UNAVAILABLE
    stage.run(seconds)
    assert alerts(stage) == ["blind"]
    return stage


def test_while_the_cluster_cannot_be_seen_nothing_is_over():
    stage = blinded(1200)
    assert stage.kinds(Cleared) == []


def test_blindness_is_over_once_the_cluster_is_seen_and_a_second_one_alerts_again():
    stage = blinded()
    stage.cluster.trouble = lambda call, subject: None
    stage.run(60)
    (cleared,) = stage.kinds(Cleared)
    assert cleared.alert == stage.kinds(Alert)[0].id
    assert stage.state.durable.standing == {}
    stage.cluster.trouble = lambda call, subject: Trouble.UNAVAILABLE
    stage.run(300)
    assert alerts(stage) == ["blind", "blind"]
    assert len(stage.kinds(Cleared)) == 1


def test_a_job_that_stood_still_is_over_once_it_runs():
    stage = cut_off(times=8)
    live(stage, 3600)
    (alert,) = (alert for alert in stage.kinds(Alert) if alert.about == "halted")
    assert [cleared.alert for cleared in stage.kinds(Cleared)] == [alert.id]


def leftover():
    stage = staged()
    node = stage.cluster.observe(1).nodes[NODE]
    stage.cluster.cordon(node, Stamp("inc-of-old", "compute"), 1.0)
    stage.run(60)
    assert alerts(stage) == ["leftover"]
    assert stage.kinds(Alert)[0].subject == NODE
    return stage


def test_a_cordon_of_no_incident_stands_until_a_person_takes_it_off():
    stage = leftover()
    stage.run(600)
    assert stage.kinds(Cleared) == []
    stage.cluster.uncordon_as_person(NODE)
    stage.run(60)
    assert [cleared.incident for cleared in stage.kinds(Cleared)] == ["inc-of-old"]


def test_a_successor_goes_on_from_what_the_ledger_says():
    stage = leftover()
    heir = stage.successor()
    heir.run(60)
    assert alerts(heir) == ["leftover"]
    heir.cluster.uncordon_as_person(NODE)
    heir.run(60)
    assert len(heir.kinds(Cleared)) == 1
