"""A restart that was cut off after it stopped the job: it is ended, whatever else has happened since."""

import pytest

from detectors.verdict import Severity, Status
from remediation.clusters.fake import Trouble
from remediation.ledger import Act, Alert, Outcome, Result
from remediation.orders import Command
from remediation.policy import Modes
from remediation.views import JobState
from tests.remediation_stage import replace_struct, staged

SLOW = "n00003"


def live(stage, seconds):
    for _ in range(seconds):
        stage.accuse(SLOW, since=stage.now - 60, severity=Severity.CRITICAL, status=Status.FAULT)
        stage.step()


def cut_off(times=1):
    """The job has just been stopped, and the call that stopped it was lost."""
    stage = staged()
    left = [times]

    def trouble(call, subject):
        if call == "restart" and left[0]:
            left[0] -= 1
            return Trouble.CUT_OFF
        return None

    stage.cluster.trouble = trouble
    while not stage.kinds(Outcome) or stage.kinds(Outcome)[-1].result is Result.DONE:
        live(stage, 1)
    assert job_of(stage).halted
    return stage


def job_of(stage):
    return stage.cluster.observe(1).jobs["j"]


def runs_again(stage):
    job = job_of(stage)
    assert (job.state, job.restarts, job.halted) == (JobState.RUNNING, 1, False)
    assert stage.cluster.acts.count(("restart", "j")) == 1
    assert stage.acts(Act.RESTART)[-1].attempt == len(stage.acts(Act.RESTART)) == 2
    return True


def test_its_job_is_started_again_and_the_node_held():
    stage = cut_off()
    live(stage, 30)
    assert runs_again(stage)
    assert stage.state_of(SLOW) == "held"


@pytest.mark.parametrize("order", [Command.PAUSE, Command.HOLD, Command.UNCORDON])
def test_no_order_leaves_the_job_stopped(order):
    stage = cut_off()
    stage.order(order, "" if order is Command.PAUSE else SLOW)
    live(stage, 30)
    assert runs_again(stage)


def test_the_storm_breaker_does_not_leave_it_stopped():
    stage = cut_off()
    stage.accuse(*(f"n{number:05}" for number in range(6)))
    live(stage, 30)
    assert stage.state.durable.tripped
    assert runs_again(stage)


def test_nor_does_a_node_that_is_made_anew():
    stage = cut_off()
    stage.cluster.recreate(SLOW)
    stage.run(30)
    assert stage.state_of(SLOW) is None
    assert runs_again(stage)


def test_nor_a_verdict_that_is_taken_back():
    stage = cut_off()
    stage.accuse(SLOW, status=Status.OK)
    stage.run(30)
    assert runs_again(stage)


def test_nor_a_successor_that_may_restart_nothing():
    stage = cut_off()
    stage.policy = replace_struct(stage.policy, modes=Modes())
    heir = stage.successor()
    heir.run(30)
    assert runs_again(heir)


def test_it_is_not_left_after_many_tries_but_tried_more_and_more_seldom():
    stage = cut_off(times=8)
    live(stage, 3600)
    assert not job_of(stage).halted
    assert stage.cluster.acts.count(("restart", "j")) == 1
    assert len(stage.acts(Act.RESTART)) == 9
    assert [alert.about for alert in stage.kinds(Alert)].count("halted") == 1
