"""The step hook: never in the way of a training program."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard import ring, steps
from guard.steps.launch import identify
from tests.test_ring import NEVER, numbers, open_reader


def test_without_an_agent_nothing_happens(capfd, tmp_path):
    with steps.open(directory=tmp_path / "missing") as recorder:
        with recorder.step(), recorder.section("compute"):
            pass
        recorder.checkpoint_written(3)
        recorder.resumed(1)
        assert recorder.checkpoint_requested(3) is False
    assert recorder.problem.startswith("no ring in")
    assert capfd.readouterr() == ("", "")


@pytest.mark.needs("root")
def test_a_full_tmpfs_is_survived(tmp_path):
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", tmp_path], check=False)
    if mounted.returncode:
        pytest.skip("mount: a tmpfs cannot be mounted here")
    try:
        with steps.open(directory=tmp_path) as recorder:
            assert "No space left" in recorder.problem
            with recorder.step():
                pass
        assert list(tmp_path.iterdir()) == []
    finally:
        subprocess.run(["umount", tmp_path], check=True)


@pytest.mark.parametrize("wrong", [None, 3, [], "x" * 10_000, "", "\0", "naïve" * 30, object()])
def test_wrong_names_never_raise(tmp_path, wrong):
    with steps.open(directory=tmp_path) as recorder:
        with recorder.step(), recorder.section(wrong):
            pass
        assert ring.read_header(recorder.path.read_bytes()).count == 1, "the step itself is recorded all the same"


@pytest.mark.parametrize(("step", "work"), [("a", None), (1 << 80, None), (1, "w"), (None, object()), (-5, 1e400)])
def test_wrong_numbers_never_raise(tmp_path, step, work):
    with steps.open(directory=tmp_path) as recorder:
        with recorder.step(step, work):
            pass
        recorder.record(step, 0.1, {"compute": work}, work)
        recorder.record(1, "long", None, None)
        recorder.checkpoint_written(step)
        recorder.resumed(step)
        with recorder.step(1):
            pass


def test_a_seventeenth_section_counts_for_none(tmp_path):
    with steps.open(directory=tmp_path) as recorder:
        for number in range(ring.SECTIONS + 3):
            with recorder.section(f"s{number}"):
                pass
        header = ring.read_header(recorder.path.read_bytes())
    assert header.sections == tuple(f"s{number}" for number in range(ring.SECTIONS))


def test_sections_of_other_threads_are_ignored(tmp_path):
    with steps.open(directory=tmp_path) as recorder, recorder.step(), recorder.section("compute"):
        thread = threading.Thread(target=lambda: recorder.section("data").__enter__())
        thread.start()
        thread.join()
        assert ring.read_header(recorder.path.read_bytes()).section == "compute"


def test_a_forked_child_neither_writes_nor_keeps_the_lock(tmp_path):
    program = """
import os, signal, sys, time
from guard import steps
recorder = steps.open(directory=sys.argv[1], job="j")
with recorder.step(): pass
child = os.fork()
if child == 0:
    with recorder.step(100): pass
    os.write(1, f"{recorder.path}\\n".encode())  # one write: two processes share the pipe
    time.sleep(30)
    os._exit(0)
os.write(1, f"{recorder.path} {child}\\n".encode())
time.sleep(30)
"""
    parent = subprocess.Popen([sys.executable, "-c", program, tmp_path], stdout=subprocess.PIPE, text=True)
    lines = [parent.stdout.readline().split() for _ in range(2)]
    parent.stdout.close()
    (path, child) = next(line for line in lines if len(line) == 2)
    assert ["None"] in lines
    reader = open_reader(Path(path))
    try:
        assert numbers(reader.read(NEVER)) == [0]
        assert reader.alive()
        parent.kill()
        parent.wait(10)
        assert not reader.alive(), "the child keeps a dead parent's ring alive"
    finally:
        reader.close()
        os.kill(int(child), 9)


def test_the_rank_comes_from_the_launcher():
    torchrun_in_slurm = {
        "RANK": "9", "LOCAL_RANK": "1", "SLURM_PROCID": "4", "SLURM_JOB_ID": "77", "SLURM_RESTART_COUNT": "2",
        "TORCHELASTIC_RESTART_COUNT": "1", "TORCHELASTIC_RUN_ID": "none", "SLURM_JOB_NAME": "pretrain",
    }  # fmt: skip
    owner = identify(torchrun_in_slurm, {})
    assert (owner.place.rank, owner.place.local_rank) == (9, 1)
    assert (owner.job, owner.job_name, owner.attempt) == ("77", "pretrain", 2001)
    assert identify({"OMPI_COMM_WORLD_RANK": "3"}, {}).place.rank == 3
    assert identify({"JAX_PROCESS_ID": "5"}, {}).place.rank == 5
    assert identify(torchrun_in_slurm, {"rank": 1, "job": "mine", "stage": 2}).place.stage == 2


@given(st.dictionaries(st.sampled_from(["RANK", "LOCAL_RANK", "GUARD_STAGE", "SLURM_JOB_ID"]), st.text()))
def test_a_wrong_environment_never_raises(environment):
    assert identify(environment, {}).place.rank >= 0


def test_a_checkpoint_is_requested_at_one_step_alone(tmp_path):
    request = tmp_path / "request"
    with steps.open(requests=request, directory=tmp_path) as recorder:
        assert not recorder.checkpoint_requested(12)
        request.write_text("not JSON")
        request.write_text(json.dumps({"at_step": 12}))
        deadline = time.monotonic() + 10
        while not recorder.checkpoint_requested(12) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert [step for step in range(20) if recorder.checkpoint_requested(step)] == [12]
