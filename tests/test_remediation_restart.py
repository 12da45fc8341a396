"""From an accusation to a job that runs again: checkpoint, cordon, restart, and what was seen of it."""

from dataclasses import replace
from itertools import pairwise

import pytest

from detectors.verdict import JobStatus, JobVerdict, Severity, Status
from remediation.clusters.fake import Trouble, no_trouble
from remediation.ledger import (
    Act,
    Alert,
    Checkpointed,
    Denied,
    Intent,
    Moved,
    Outcome,
    Proposed,
    Verified,
    Weighed,
)
from remediation.orders import Command
from remediation.policy import Checkpoint, Economy, Mode, Modes, Otherwise, RepairChoice
from remediation.rail_policy import Attempts
from remediation.views import Repair
from tests.remediation_stage import AUTO, MANY, POLICY, replace_struct, staged

SLOW = "n00003"
GO_ON = replace_struct(POLICY.checkpoint, otherwise=Otherwise.GO_ON)


def day(stage, seconds, *, writes=True, faster=True, resumed=None, **how):
    """The job goes on, a step a second; ranks write what they are asked for."""
    for second in range(seconds):
        stage.accuse(SLOW, since=stage.now - 60, **how)
        job = stage.cluster.observe(1).jobs["j"]
        asked, step = stage.asked.get("j"), 1000 + second
        more = {"checkpoints": asked if asked is not None and step >= asked and writes else 950}
        if job.restarts:
            more |= {"resumed": resumed or asked or 950, "step_time": 0.8 if faster else 1.0}
        if job.nodes:
            stage.progressed(step, **more)
        stage.step()


def acts(stage):
    return [intent.act for intent in stage.acts()]


def test_a_slow_node_is_checkpointed_cordoned_and_its_job_restarted_in_this_order():
    stage = staged()
    day(stage, 120)
    assert acts(stage) == [Act.CHECKPOINT, Act.CORDON, Act.RESTART]
    assert stage.cluster.acts == [("cordon", SLOW), ("restart", "j")]
    (checkpointed,), (verified,) = stage.kinds(Checkpointed), stage.kinds(Verified)
    assert checkpointed.complete
    assert verified.fine
    assert verified.resumed == checkpointed.at_step
    assert stage.state_of(SLOW) == "held"
    assert [str(r.after) for r in stage.kinds(Moved)] == ["suspect", "confirmed", "cordoned", "draining", "held"]


def test_the_checkpoint_is_asked_for_at_a_step_that_nobody_reaches_before_all_have_seen_it():
    stage = staged()
    day(stage, 60)
    (intent,) = stage.acts(Act.CHECKPOINT)
    newest = 1000 + int(intent.time - stage.ledger[0].time) - 1
    assert intent.at_step - newest >= (intent.expires - intent.time) + POLICY.checkpoint.margin


def test_long_steps_still_leave_three_between():
    stage = staged()
    stage.accuse(SLOW)
    for _ in range(40):
        stage.step()
        stage.progressed(7, step_time=300.0)
    (intent,) = stage.acts(Act.CHECKPOINT)
    assert intent.at_step == 10


def test_one_rank_that_did_not_write_it_is_waited_for_and_then_the_jobs_next_break():
    stage = staged(checkpoint=Checkpoint(path="/s/{job}", within=60.0))
    day(stage, 200, writes=False)
    (checkpointed,) = stage.kinds(Checkpointed)
    assert not checkpointed.complete
    assert stage.cluster.acts == [("cordon", SLOW)]
    assert stage.state_of(SLOW) == "draining"
    assert "checkpoint-age" in {record.rail for record in stage.kinds(Denied)}
    stage.cluster.stop("j")
    stage.run(3)
    assert stage.state_of(SLOW) == "held"


def test_where_the_policy_says_so_it_goes_on_from_the_checkpoint_there_is():
    stage = staged(checkpoint=replace_struct(GO_ON, within=60.0))
    day(stage, 200, writes=False, resumed=950)
    assert stage.cluster.acts == [("cordon", SLOW), ("restart", "j")]


@pytest.mark.parametrize("status", [Status.STRAGGLER, Status.FAULT])
def test_what_is_critical_waits_for_no_checkpoint(status):
    stage = staged()
    day(stage, 30, severity=Severity.CRITICAL, status=status)
    assert acts(stage) == [Act.CORDON, Act.RESTART]
    assert stage.kinds(Outcome)[-1].time - stage.ledger[0].time < 15


def test_a_restart_that_costs_more_than_it_saves_is_left_and_the_sum_is_in_the_ledger():
    stage = staged(economy=Economy(remaining=3000.0))
    day(stage, 120)
    weighed = stage.kinds(Weighed)[0]
    assert not weighed.worth
    assert weighed.saved == pytest.approx(3000 * 0.2 * 0.99 - 660 - 0)
    assert stage.cluster.acts == [("cordon", SLOW)]
    assert {record.rail for record in stage.kinds(Denied)} == {"economy"}


def test_a_restart_of_somebody_else_is_left_to_them():
    stage = staged()
    stage.cluster.own_restarts("j", "auto-resume")
    stage.observe()
    day(stage, 120)
    assert stage.cluster.acts == [("cordon", SLOW)]
    assert stage.kinds(Denied)[-1].rail == "restart-owner"


def test_a_job_that_is_not_faster_is_told_to_a_person():
    stage = staged(verify=100.0)
    day(stage, 220, faster=False)
    (verified,) = stage.kinds(Verified)
    assert (verified.fine, verified.running, verified.faster) == (False, True, False)
    assert [alert.about for alert in stage.kinds(Alert)] == ["held", "unverified"]


def test_a_job_that_went_on_from_before_its_checkpoint_is_told_to_a_person():
    stage = staged(verify=100.0)
    day(stage, 220, resumed=3)
    (verified,) = stage.kinds(Verified)
    assert (verified.fine, verified.resumed) == (False, 3)


def test_a_detectors_word_that_the_job_is_well_is_enough():
    stage = staged()
    day(stage, 40)
    for _ in range(60):
        now = stage.now
        stage.say_of_job(
            JobVerdict("guard.job/1", "x", "c", "j", now, now, JobStatus.NORMAL, None, None, None, 8, [])
        )
        day(stage, 1, faster=False)
        if stage.kinds(Verified):
            break
        stage.progressed(2000, checkpoints=2000, resumed=2000, step_time=1.0)
    assert [verified.faster for verified in stage.kinds(Verified)] in ([], [True])


def test_a_budget_in_the_way_is_tried_again_more_and_more_seldom_and_then_a_person_is_told():
    stage = staged(attempts=Attempts(act=4, again=10.0))
    stage.cluster.trouble = lambda call, subject: Trouble.HELD_BACK if call == "restart" else None
    day(stage, 300, severity=Severity.CRITICAL)
    times = [intent.time for intent in stage.acts(Act.RESTART)]
    assert [round(b - a) for a, b in pairwise(times)] == [10, 20, 40]
    assert [alert.about for alert in stage.kinds(Alert)] == ["refused"]
    assert stage.state_of(SLOW) == "draining"


def test_an_answer_that_was_lost_is_no_second_act():
    stage = staged()
    lost = set()

    def once(call, subject):
        if call == "observe" or call in lost:
            return None
        lost.add(call)
        return Trouble.ANSWER_LOST

    stage.cluster.trouble = once
    day(stage, 60, severity=Severity.CRITICAL)
    stage.cluster.trouble = no_trouble
    assert stage.cluster.acts == [("cordon", SLOW), ("restart", "j")]
    assert stage.state_of(SLOW) == "held"


def test_a_person_who_uncordons_wins_and_is_not_overruled():
    stage = staged()
    day(stage, 60)
    stage.cluster.uncordon_as_person(SLOW)
    day(stage, 600)
    assert stage.state_of(SLOW) is None
    assert stage.cluster.acts.count(("cordon", SLOW)) == 1


def test_a_node_made_anew_ends_the_incident():
    stage = staged()
    day(stage, 60)
    stage.cluster.recreate(SLOW)
    stage.run(3)
    assert stage.state_of(SLOW) is None
    assert stage.kinds(Moved)[-1].after == "gone"


def test_a_cordon_that_took_after_all_is_taken_off_when_nobody_needs_it():
    stage = staged(checkpoint=Checkpoint())
    stage.accuse("n00010", job=None)
    stage.run(29)
    stage.cluster.trouble = lambda call, subject: Trouble.UNAVAILABLE if call == "cordon" else None
    stage.run(5)
    incident = stage.state.durable.of_node("n00010")
    stage.accuse("n00010", status=Status.OK)
    stage.run(5)
    assert stage.state_of("n00010") is None
    stage.cluster.trouble = no_trouble
    node = stage.cluster.observe(1).nodes["n00010"]
    stage.cluster.change(replace(node, cordoned=True, incident=incident.id))
    stage.run(3)
    assert stage.cluster.acts == [("uncordon", "n00010")]


@pytest.mark.parametrize("mode", [Mode.OBSERVE, Mode.RECOMMEND])
def test_who_only_watches_writes_what_would_be_done_once_and_touches_nothing(mode):
    stage = staged(modes=Modes(mode, mode, mode, mode, mode))
    day(stage, 300)
    assert stage.cluster.acts == []
    assert stage.kinds(Intent) == []
    (proposed,) = stage.kinds(Proposed)
    assert (proposed.act, proposed.subject, proposed.mode) == (Act.CORDON, SLOW, mode)
    assert len(stage.kinds(Alert)) == (0 if mode is Mode.OBSERVE else 1)
    assert len(stage.kinds(Weighed)) == 1


def test_an_approval_lets_one_act_through_and_ends():
    stage = staged(modes=replace_struct(AUTO, cordon=Mode.APPROVE), approval=50.0)
    day(stage, 60)
    (proposed,) = stage.kinds(Proposed)
    assert stage.acts() == []
    stage.order(Command.APPROVE, proposed.intent)
    day(stage, 60)
    (cordon,) = stage.acts(Act.CORDON)
    assert (cordon.id, cordon.approved_by) == (proposed.intent, "ines")


def test_a_rejected_proposal_is_not_made_again():
    stage = staged(modes=replace_struct(AUTO, cordon=Mode.APPROVE))
    day(stage, 40)
    stage.order(Command.REJECT, stage.kinds(Proposed)[0].intent)
    day(stage, 200)
    assert len(stage.kinds(Proposed)) == 1
    assert stage.acts() == []


def test_a_broken_node_is_repaired_once_drained_and_then_held():
    stage = staged(repair=RepairChoice.REBOOT, repairs=frozenset(Repair))
    day(stage, 60, severity=Severity.CRITICAL, status=Status.FAULT)
    assert stage.cluster.acts == [("cordon", SLOW), ("restart", "j"), ("reboot", SLOW)]
    assert stage.state_of(SLOW) == "held"


def test_a_replaced_machine_is_another_one_and_its_incident_is_over():
    stage = staged(repair=RepairChoice.REPLACE, repairs=frozenset(Repair))
    day(stage, 60, severity=Severity.CRITICAL, status=Status.FAULT)
    assert stage.cluster.acts[-1] == ("replace", SLOW)
    assert stage.kinds(Moved)[-1].after == "gone"
    assert stage.state_of(SLOW) is None


def test_two_nodes_of_one_job_share_a_request_and_no_rank_sees_two():
    stage = staged(14, 8, out=MANY)
    for second in range(150):
        stage.accuse(SLOW, "n00005", since=stage.now - 60)
        asked, step = stage.asked.get("j"), 1000 + second
        job = stage.cluster.observe(1).jobs["j"]
        more = {"checkpoints": asked if asked is not None and step >= asked else 950}
        if job.restarts:
            more |= {"resumed": asked, "step_time": 0.6}
        stage.progressed(step, **more)
        stage.step()
    assert len(stage.acts(Act.CHECKPOINT)) == 1
    assert sorted(stage.cluster.acts) == [("cordon", SLOW), ("cordon", "n00005"), ("restart", "j")]
    assert stage.cluster.acts[-1] == ("restart", "j")


def test_a_request_whose_answer_was_lost_is_made_again_only_while_no_rank_can_be_there():
    stage = staged()
    stage.accuse(SLOW)
    stage.run(30)
    stage.progressed(1000, checkpoints=950)
    stage.now += 1
    stage.tick()
    (intent,) = stage.due()
    heir = stage.successor()
    for second in range(200):
        heir.accuse(SLOW, since=heir.now - 60)
        heir.progressed(1001 + second, checkpoints=950)
        heir.step()
    asked = [i.at_step for i in heir.acts(Act.CHECKPOINT)]
    assert asked[0] == intent.at_step
    for before, after in pairwise(heir.acts(Act.CHECKPOINT)):
        newest = 1001 + int(after.time - intent.time) - 1
        assert after.at_step == before.at_step or newest > before.at_step
