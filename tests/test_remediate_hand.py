"""A hand: tasks in a child that can be killed, whatever they do."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from guard.remediate.hand import Answer, Hand
from remediation.clusters.fake import FakeCluster
from remediation.clusters.protocol import HeldBackError


def cluster():
    return FakeCluster([])


def process(_):
    return os.getpid()


def hold_back(_):
    raise HeldBackError("a budget", after=7)


def fail(_):
    raise ZeroDivisionError("a bug")


def hang(_, path):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(path).write_text(str(child.pid))
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    time.sleep(600)


def die(_):
    os._exit(3)


def big(_, size):
    return b"x" * size


@pytest.fixture
def hand():
    with contextlib.closing(Hand(cluster, "testing")) as hand:
        yield hand


def answered(hand, patience=20.0) -> Answer:
    deadline = time.monotonic() + patience
    while (answer := hand.answer()) is None:
        assert time.monotonic() < deadline, "no answer"
        time.sleep(0.01)
    return answer


def do(hand, task, deadline=15.0):
    hand.begin(task, deadline)
    return answered(hand)


def gone(pid):
    """Whether no such process runs; one that nobody has reaped yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def eventually(true, patience=10.0):
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_one_child_does_one_task_after_the_other(hand):
    first, second = do(hand, process), do(hand, process)
    assert first.value == second.value != os.getpid()
    assert not hand.busy


def test_what_a_cluster_may_say_comes_through_and_a_bug_is_told(hand):
    error = do(hand, hold_back).error
    assert isinstance(error, HeldBackError)
    assert (str(error), error.after) == ("a budget", 7)
    assert do(hand, fail) == Answer(error="ZeroDivisionError: a bug")


def test_a_large_view_comes_through(hand):
    assert do(hand, partial(big, size=20_000_000)).value == b"x" * 20_000_000


def test_at_its_deadline_a_task_is_killed_with_all_that_it_started_and_the_next_one_has_a_new_child(
    hand, tmp_path
):
    before = do(hand, process).value
    began = time.monotonic()
    answer = do(hand, partial(hang, path=str(tmp_path / "grandchild")), deadline=1.5)
    assert answer.cut
    assert time.monotonic() - began < 3
    grandchild = int((tmp_path / "grandchild").read_text())
    eventually(lambda: gone(before) and gone(grandchild))
    assert do(hand, process).value not in (before, None)


def test_a_child_that_dies_is_told_at_once_as_an_act_that_may_have_taken(hand):
    answer = do(hand, die, deadline=60)
    assert answer.cut
    assert do(hand, process).value


def test_closing_kills_what_is_under_way(tmp_path):
    with contextlib.closing(Hand(cluster, "testing")) as hand:
        hand.begin(partial(hang, path=str(tmp_path / "grandchild")), 600)
        eventually((tmp_path / "grandchild").exists)
        eventually(lambda: (tmp_path / "grandchild").read_text() != "")
    eventually(lambda: gone(int((tmp_path / "grandchild").read_text())))


ORPHAN = """
import sys, time
from functools import partial
from guard.remediate.hand import Hand
from tests.test_remediate_hand import cluster, process, hang
hand = Hand(cluster, "testing")
hand.begin(process, 20)
while (answer := hand.answer()) is None: time.sleep(0.01)
print(answer.value, flush=True)
hand.begin(partial(hang, path=sys.argv[1]), 600)
time.sleep(600)
"""


def test_a_child_dies_with_its_parent_in_the_midst_of_a_task(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", ORPHAN, tmp_path / "grandchild"], stdout=subprocess.PIPE, text=True
    ) as parent:
        child = int(parent.stdout.readline())
        eventually((tmp_path / "grandchild").exists)
        parent.kill()
    eventually(lambda: gone(child))
    with contextlib.suppress(ProcessLookupError):  # what the child itself started ends at its own deadline
        os.kill(int((tmp_path / "grandchild").read_text()), signal.SIGKILL)


def test_children_that_hang_in_the_kernel_are_not_joined_by_ever_more(hand, monkeypatch):
    monkeypatch.setattr("guard.remediate.hand._HANGING", -1)
    assert "hang in the kernel" in str(do(hand, process).error)
