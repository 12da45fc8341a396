"""The steps collector: rings of the node become the columns of the contract."""

import json
import time

import pytest

from collectors import telemetry
from collectors.reading import Gap, Now
from collectors.steps import StepsCollector
from guard import ring, steps


def now() -> Now:
    return Now(wall=time.time(), monotonic=time.monotonic())


@pytest.fixture
def rings(tmp_path):
    directory = tmp_path / "rings"
    directory.mkdir()
    return directory


@pytest.fixture
def collector(rings):
    collector = StepsCollector(rings)
    yield collector
    collector.close()


def run_steps(recorder, count=1):
    for _ in range(count):
        with recorder.step():
            with recorder.section("compute"):
                pass
            with recorder.section("collective"):
                pass


def test_no_ring_is_an_idle_node_not_a_gap(collector):
    reading = collector.collect(now())
    assert (reading.job, reading.ranks, reading.steps, reading.notes) == (None, None, None, {})


def test_no_directory_is_a_gap(tmp_path):
    assert "No such file" in StepsCollector(tmp_path / "missing").collect(now()).reason


def test_rows_are_ordered_by_rank_and_sums_are_of_the_period(collector, rings):
    with (
        steps.open(directory=rings, job="j", attempt=1, rank=5, stage=1, synced=True) as second,
        steps.open(directory=rings, job="j", attempt=1, rank=4, stage=0, synced=True) as first,
    ):
        run_steps(first, 3)
        run_steps(second, 2)
        second.checkpoint_written(1)
        reading = collector.collect(now())
        assert reading.job == telemetry.Job("j", 1)
        assert (reading.ranks.rank, reading.ranks.stage, reading.ranks.tp) == ([4, 5], [0, 1], None)
        columns = reading.steps
        assert (columns.count, columns.first_step, columns.last_step) == ([3, 2], [0, 0], [2, 1])
        assert columns.synced is True
        assert columns.alive == [True, True]
        assert columns.checkpoint_step == [None, 1]
        assert abs(columns.last_end[0] - time.time()) < 5
        for duration, compute, slowest in zip(
            columns.duration, columns.sections["compute"], columns.slowest, strict=True
        ):
            assert 0 < compute < duration
            assert slowest <= duration


def test_a_period_without_a_step_keeps_the_last_step_and_has_no_sums(collector, rings):
    with steps.open(directory=rings, job="j") as recorder:
        run_steps(recorder, 2)
        end = collector.collect(now()).steps.last_end
        columns = collector.collect(now()).steps
    assert (columns.count, columns.first_step, columns.duration) == ([0], [None], [None])
    assert columns.last_step == [1]
    assert columns.last_end == pytest.approx(end, abs=0.01)
    assert columns.sections["compute"] == [None]


def test_a_section_that_no_step_entered_is_unknown(collector, rings):
    with steps.open(directory=rings, job="j", rank=0) as one, steps.open(directory=rings, job="j", rank=1) as two:
        run_steps(one)
        with two.step():
            pass
        columns = collector.collect(now()).steps
    assert columns.sections["compute"][0] > 0
    assert columns.sections["compute"][1] is None


def test_the_last_record_of_a_closed_job_says_leaving(collector, rings):
    with steps.open(directory=rings, job="j") as recorder:
        run_steps(recorder)
        assert collector.collect(now()).leaving is False
        run_steps(recorder)
    reading = collector.collect(now())
    assert (reading.leaving, reading.steps.count) == (True, [1])
    assert collector.collect(now()).job is None
    assert list(rings.iterdir()) == []


def test_a_dead_rank_is_told_from_a_hung_one_and_forgotten_after_a_minute(collector, rings):
    with steps.open(directory=rings, job="j") as recorder:
        run_steps(recorder)
        path = recorder.path
        copy = path.read_bytes()
    path.unlink()
    dead = bytearray(copy)
    dead[ring.Word.CLOSED * 8] = 0
    path.write_bytes(dead)  # nobody holds its lock
    here = now()
    assert collector.collect(here).steps.alive == [False]
    collector.collect(Now(here.wall + 61, here.monotonic + 61))
    assert collector.collect(Now(here.wall + 62, here.monotonic + 62)).ranks is None


def test_two_jobs_at_once_are_no_job_and_said_so(collector, rings):
    with steps.open(directory=rings, job="a"), steps.open(directory=rings, job="b"):
        reading = collector.collect(now())
    assert reading.job is None
    assert reading.notes["steps"] == "rings of 2 jobs at once: a, b"


def test_a_newer_attempt_replaces_the_older(collector, rings):
    with steps.open(directory=rings, job="a", attempt=1) as old:
        run_steps(old, 5)
        collector.collect(now())
        with steps.open(directory=rings, job="a", attempt=2) as new:
            run_steps(new, 2)
            reading = collector.collect(now())
    assert (reading.job.attempt, reading.steps.count) == (2, [2])


def test_a_restarted_agent_neither_loses_nor_repeats_a_step(tmp_path, rings):
    positions = tmp_path / "positions.json"
    with steps.open(directory=rings, job="j") as recorder:
        first = StepsCollector(rings, positions)
        run_steps(recorder, 3)
        assert first.collect(now()).steps.count == [3]
        first.close()
        run_steps(recorder, 4)
        second = StepsCollector(rings, positions)
        columns = second.collect(now()).steps
        second.close()
    assert (columns.count, columns.first_step) == ([4], [3])


@pytest.mark.parametrize("content", [b"", b"[1]", b'{"x": "y"}', b"\xff"])
def test_unreadable_positions_are_no_positions(tmp_path, rings, content):
    positions = tmp_path / "positions.json"
    positions.write_bytes(content)
    collector = StepsCollector(rings, positions)
    assert not isinstance(collector.collect(now()), Gap)
    collector.close()
    assert json.loads(positions.read_bytes()) == {}


def test_hostile_files_are_named_and_harm_nobody(collector, rings):
    (rings / "short.ring").write_bytes(b"x")
    (rings / "noise.ring").write_bytes(b"x" * ring.FILE_BYTES)
    (rings / "link.ring").symlink_to("/etc/passwd")
    with steps.open(directory=rings, job="j") as recorder:
        run_steps(recorder)
        reading = collector.collect(now())
    assert reading.steps.count == [1]
    assert set(reading.notes) == {"steps.short.ring", "steps.noise.ring", "steps.link.ring"}


def test_a_file_replaced_under_the_reader_is_a_new_ring(collector, rings):
    with steps.open(directory=rings, job="j") as recorder:
        run_steps(recorder, 3)
        collector.collect(now())
        other = rings / "other"
        other.write_bytes(recorder.path.read_bytes())
        other.rename(recorder.path)
        assert collector.collect(now()).steps.count == [3]


def test_steps_overwritten_before_the_period_ended_are_counted(collector, rings):
    with steps.open(directory=rings, job="j") as recorder:
        run_steps(recorder, ring.CAPACITY + 5)
        reading = collector.collect(now())
    assert reading.notes["steps.overwritten"] == "6 steps overwritten before they were read"
