"""How far a job has come: of its newest attempt alone, of the nodes that are heard of, and nothing guessed."""

import contextlib
import json
import stat
import time

import msgspec
import pytest

from collectors.telemetry import Job, Ranks, Steps, Telemetry, encode
from guard.bus import Outgoing, Topic
from guard.bus.file import FileBus
from guard.remediate.following import Following
from guard.remediate.progress import JobProgress
from guard.remediate.request_file import request_path, write_request
from guard.steps.checkpoint import _read
from remediation.clusters.protocol import RefusedError

replace = msgspec.structs.replace
NOW = time.time()


def record(node=0, steps=100, *, seq=0, attempt=0, at=0.0, checkpoint=None, resumed=None, instance=None, job="j"):
    ranks = [2 * node, 2 * node + 1]
    return Telemetry(
        schema="guard.telemetry/1", cluster="c", node=f"n{node}", instance=instance or f"i{node}", boot="b",
        seq=seq, time=NOW + at, period=10.0, job=Job(job, attempt), ranks=Ranks(ranks),
        steps=Steps(
            [10, 10], last_step=[steps, steps], duration=[20.0, 20.0],
            checkpoint_step=None if checkpoint is None else [checkpoint, checkpoint],
            resumed_step=None if resumed is None else [resumed, resumed],
        ),
    )  # fmt: skip


def told(*records):
    job = JobProgress()
    for one in records:
        job.take(one)
    return job.told()


def test_the_newest_of_every_rank_of_all_nodes_and_no_older_than_the_oldest():
    progress = told(record(0, 100, at=-5), record(1, 98), record(0, 110, at=3, checkpoint=105, resumed=0))
    assert progress.steps == {0: 110, 1: 110, 2: 98, 3: 98}
    assert progress.checkpoints == {0: 105, 1: 105}  # node 1 said nothing: unknown, not zero
    assert progress.resumed == {0: 0, 1: 0}
    assert progress.nodes == {"n0", "n1"}
    assert progress.time == pytest.approx(NOW)
    assert progress.step_time == pytest.approx(2.0)


def test_nothing_of_an_old_attempt_survives_and_nothing_of_it_comes_back():
    progress = told(record(0, checkpoint=90), record(1), record(0, 5, attempt=1000, resumed=90), record(1, 200))
    assert (progress.attempt, progress.nodes, progress.steps) == (1000, {"n0"}, {0: 5, 1: 5})
    assert progress.checkpoints == {}


def test_an_older_record_changes_nothing_and_another_machine_of_the_name_starts_anew():
    assert told(record(steps=100), record(steps=50, at=-20)).steps == {0: 100, 1: 100}
    assert told(record(checkpoint=90), record(steps=7, instance="new", at=-1)).checkpoints == {}


def test_a_node_that_leaves_or_falls_silent_counts_no_more():
    leaving = replace(record(1, at=1), leaving=True)
    assert told(record(0), record(1), leaving).nodes == {"n0"}
    assert told(record(1, at=-121), record(0)).nodes == {"n0"}
    assert told(leaving) is None


@pytest.fixture
def bus(tmp_path):
    with FileBus(tmp_path / "bus.sqlite") as bus:
        yield bus


def publish(bus, *records, key=None):
    bus.publish([Outgoing(Topic.TELEMETRY, key or one.key, encode(one)) for one in records], 5.0)


def heard(following, patience=5.0):
    deadline = time.monotonic() + patience
    while not (events := following.poll()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return {event.job: event.progress for event in events}


def test_only_the_jobs_that_are_followed_are_read_and_what_came_shortly_before_counts(bus):
    publish(bus, record(0), record(1), record(2, job="other"))
    with contextlib.closing(Following(bus, "c")) as following:
        assert following.poll() == []
        following.follow(frozenset({"j"}))
        assert {job: progress.nodes for job, progress in heard(following).items()} == {"j": {"n0", "n1"}}
        following.follow(frozenset())
        publish(bus, record(0, seq=2))
        assert following.poll() == []


def test_records_that_lie_about_job_or_time_or_cannot_be_read_change_nothing(bus):
    with contextlib.closing(Following(bus, "c")) as following:
        following.follow(frozenset({"j"}))
        publish(bus, record(7, job="other"), key="c/j")
        publish(bus, record(8, at=3600))
        bus.publish([Outgoing(Topic.TELEMETRY, "c/j", b"{}")], 5.0)
        publish(bus, record(0))
        assert heard(following)["j"].nodes == {"n0"}
        assert following.unreadable == 1


def test_a_request_is_there_whole_and_the_step_hook_reads_it(tmp_path):
    path = request_path(f"{tmp_path}/{{job}}.json", "train-7.b")
    write_request(path, 1200)
    write_request(path, 1200)
    assert _read(path) == 1200
    assert json.loads(path.read_text()) == {"at_step": 1200}
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [file.name for file in tmp_path.iterdir()] == ["train-7.b.json"]


@pytest.mark.parametrize("job", ["../x", "a/b", ".hidden", "", "x" * 129, "a\n", "a b"])
def test_a_job_whose_name_is_no_part_of_a_path_is_refused(job):
    with pytest.raises(RefusedError, match="its name cannot be part of a path"):
        request_path("/shared/{job}", job)


def test_a_place_that_cannot_be_written_is_refused_and_nothing_is_left(tmp_path):
    with pytest.raises(RefusedError, match="No such file or directory"):
        write_request(tmp_path / "none" / "j", 1)
    (tmp_path / "j").mkdir()
    with pytest.raises(RefusedError):
        write_request(tmp_path / "j", 1)
    assert [file.name for file in tmp_path.iterdir()] == ["j"]
