"""Acts and the child that performs them: it is up before an act, and what was not begun is told at once."""

import contextlib
import time

import pytest

from detectors.verdict import Status
from guard.remediate.acting import Acting, begin_by
from guard.remediate.errands import Errand
from guard.remediate.hand import Hand
from remediation.clusters.fake import FakeCluster
from remediation.clusters.protocol import RefusedError
from remediation.ledger import Act, Intent, Outcome, Result
from remediation.policy import Lead
from tests.remediate_fleet import BAD, scene

SLOWLY = 4.0
"""Seconds: longer than a leader may wait from asking who leads until an act begins."""


def slowly():
    time.sleep(SLOWLY)
    return FakeCluster([])


def never():
    raise RefusedError("no kubeconfig")


def ended(acting):
    return waited_for(acting.poll)


def waited_for(condition, patience=60.0):
    deadline = time.monotonic() + patience
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


def prepared(acting):
    """As the leader's loop does it."""
    acting.prepare()
    acting.poll()
    return acting.free


def errand():
    now = time.time()
    intent = Intent(
        id="i", cluster="c", time=now, incident="inc-1", act=Act.CORDON, subject="n", expires=now + 60, deadline=10
    )
    return Errand(intent, begin_by())


@pytest.mark.parametrize(("opener", "word"), [(slowly, "refused: cordon of n"), (never, "refused: no kubeconfig")])
def test_an_act_is_not_begun_before_its_child_is_up_or_known_not_to_come(opener, word):
    with contextlib.closing(Hand(opener, "testing")) as hand:
        acting = Acting(hand)
        assert not acting.free
        waited_for(lambda: prepared(acting))
        acting.begin(errand())
        assert not acting.free
        told = ended(acting)
        assert (told.result, told.detail.startswith(word)) == (Result.FAILED, True)


def test_what_could_not_be_begun_in_time_is_told_at_once_and_has_touched_nothing(tmp_path):
    with scene(tmp_path, lead=Lead(deadline=2, expires=1e-4)) as it:
        it.training.accused[BAD] = Status.FAULT
        it.start()
        it.until(lambda: len(it.of(Outcome)) == 2)
        begun = {intent.id: intent.time for intent in it.of(Intent)}
        for outcome in it.of(Outcome)[:2]:
            assert (outcome.result, outcome.detail) == (Result.EXPIRED, "it could not be begun in time")
            assert outcome.time - begun[outcome.intent] < 10
        assert it.effects() == []
