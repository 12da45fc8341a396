"""The life of remediators as real processes: one leads, a standby takes over, and a control plane may hang."""

import os
import signal
import time
from collections import Counter

import pytest

from detectors.verdict import Status
from guard.bus import Outgoing, Topic
from remediation.ledger import Act, Applied, Intent, Leader, Moved, Opened, Outcome, Result, encode
from remediation.orders import Command
from remediation.states import NodeState
from tests.remediate_fleet import BAD, scene
from tests.remediate_world import HANGS
from tests.remediator import CLUSTER
from tools.kafka.topics import make_topics

ONCE = Counter({("cordon", BAD): 1, ("restart", "train"): 1})
LONG = 4.0
"""Seconds that an act may take which the test says was begun."""
AFTER_AN_ACT = 15 + 2
"""Seconds: the issue's bound, with the test's deadline of an act."""


@pytest.fixture
def it(tmp_path):
    with scene(tmp_path) as made:
        yield made


def test_of_two_one_acts_and_the_other_takes_over_when_it_is_killed(it):
    taken_over(it)


@pytest.mark.needs("kafka")
@pytest.mark.timeout(240)
def test_the_same_on_real_brokers(tmp_path, kafka, prefix):
    make_topics(kafka.bootstrap, prefix)
    (tmp_path / "kafka").write_text(f"{kafka.bootstrap} {prefix}")
    with scene(tmp_path) as it:
        taken_over(it)


def taken_over(it):
    it.start()
    it.until(lambda: len(it.of(Leader)) == 1)
    it.start()
    it.training.accused[BAD] = Status.STRAGGLER
    it.until(lambda: any(outcome.result is Result.DONE for outcome in it.of(Outcome)))
    assert len(it.of(Leader)) == 1
    leader = it.remediators[0]
    os.kill(leader.pid, signal.SIGKILL)
    killed = time.monotonic()
    it.until(lambda: len(it.of(Leader)) == 2)
    assert time.monotonic() - killed < AFTER_AN_ACT
    it.until(lambda: NodeState.HELD in it.states())
    assert Counter(it.effects()) == ONCE
    assert {one.process.rpartition(":")[2] for one in it.of(Leader)} == {str(one.pid) for one in it.remediators}


def test_a_leader_that_was_stopped_for_a_while_does_not_act_when_it_comes_back(it):
    it.start()
    it.until(lambda: len(it.of(Leader)) == 1)
    it.start()
    it.training.accused[BAD] = Status.STRAGGLER
    it.until(lambda: it.of(Intent) != [])
    os.kill(it.remediators[0].pid, signal.SIGSTOP)
    it.until(lambda: len(it.of(Leader)) == 2)
    os.kill(it.remediators[0].pid, signal.SIGCONT)
    it.until(lambda: NodeState.HELD in it.states())
    assert Counter(it.effects()) == ONCE
    newest = it.of(Leader)[-1]
    assert newest.process.endswith(f":{it.remediators[1].pid}")
    first = [record.epoch for record in it.ledger() if not isinstance(record, Leader)]
    assert first == sorted(first)  # nothing was written under the old epoch after the new one


def test_a_control_plane_that_does_not_answer_stops_neither_the_loop_nor_a_node(it):
    (it.directory / HANGS).write_text("observe")
    it.training.accused[BAD] = Status.FAULT
    it.start()
    it.order(Command.PAUSE, reason="a test")
    it.until(lambda: it.of(Applied) != [])
    assert it.of(Applied)[0].accepted
    assert it.of(Opened) == it.of(Intent) == it.effects() == []
    it.order(Command.RESUME)
    it.until(lambda: len(it.of(Applied)) == 2)
    (it.directory / HANGS).unlink()
    it.until(lambda: NodeState.HELD in it.states() or NodeState.REPAIRING in it.states())


def test_an_act_that_hangs_is_stopped_at_its_deadline_and_done_once_when_the_cluster_answers_again(it):
    (it.directory / HANGS).write_text("cordon")
    it.training.accused[BAD] = Status.STRAGGLER
    it.start()
    it.until(lambda: any(outcome.result is Result.UNKNOWN for outcome in it.of(Outcome)))
    assert it.effects() == []
    (it.directory / HANGS).unlink()
    it.until(lambda: NodeState.HELD in it.states())
    assert Counter(it.effects()) == ONCE


def test_the_end_of_a_remediator_in_good_order_gives_the_lead_to_the_other_at_once(it):
    first = it.start()
    it.until(lambda: len(it.of(Leader)) == 1)
    it.start()
    os.kill(first.pid, signal.SIGTERM)
    first.join(10)
    assert first.exitcode == 0
    it.until(lambda: len(it.of(Leader)) == 2)


def test_an_act_that_the_one_before_may_have_begun_is_waited_out_before_anything_is_done(it):
    (place,) = enter(it, Leader(id="before", cluster=CLUSTER, time=time.time(), process="p", deadline=LONG))
    common = {"cluster": CLUSTER, "time": time.time(), "incident": "inc-1", "epoch": place.offset}
    healthy, confirmed = NodeState.HEALTHY, NodeState.CONFIRMED
    enter(
        it,
        Opened(
            id="o", node=BAD, instance=f"i-{BAD}", identity=f"id-{BAD}", job="train", verdict="v", cause="compute",
            severity="warning", slowdown=0.3, since=0.0, **common,
        ),
        Moved(id="m", before=healthy, after=confirmed, reason="", **common),
        Intent(
            id="begun", act=Act.CORDON, subject=BAD, identity=f"id-{BAD}", expires=time.time() + 60, deadline=LONG,
            **common,
        ),
    )  # fmt: skip
    it.training.accused[BAD] = Status.STRAGGLER
    it.start()
    it.until(lambda: NodeState.HELD in it.states())
    leads = next(at for at, record in enumerate(it.ledger()) if record.epoch is None and record.id != "before")
    leader, first = it.ledger()[leads : leads + 2]
    assert first.time - leader.time >= LONG
    assert (first.intent, first.result) == ("begun", Result.SUPERSEDED)
    assert Counter(it.effects()) == ONCE


def enter(it, *records):
    return it.bus.publish([Outgoing(Topic.LEDGER, CLUSTER, encode(record)) for record in records], 5.0)
