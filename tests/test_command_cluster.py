"""A program of the user's as a cluster: strict answers, a deadline, and nothing left running."""

import json
import sys
import time

import psutil
import pytest

from remediation.clusters import command
from remediation.clusters.command import CommandCluster
from remediation.clusters.protocol import (
    ClusterUnavailableError,
    GoneError,
    HeldBackError,
    NotOursError,
    RefusedError,
    Stamp,
)
from remediation.views import JobState, JobView, NodeView, Repair

NODE = NodeView("n1", identity="x")
JOB = JobView("7", JobState.RUNNING, frozenset({"n1"}))
STAMP = Stamp("inc-1", "compute")
OK = {"schema": "guard.cluster/1", "ok": True}


@pytest.fixture
def program(tmp_path):
    """A cluster whose program runs the lines given; `question` is what it was asked, and is written down."""

    def make(lines: str, **settings) -> CommandCluster:
        path = tmp_path / "cluster"
        asked = f"open({str(tmp_path / 'asked')!r}, 'w').write(json.dumps(question))"
        path.write_text(
            f"import json, os, subprocess, sys, time\nquestion = json.load(sys.stdin)\n{asked}\n{lines}\n"
        )
        return CommandCluster([sys.executable, str(path)], **settings)

    return make


def saying(answer: object) -> str:
    return f"print({json.dumps(answer)!r})"


def test_it_is_asked_in_json_and_believed_when_it_says_ok(program, tmp_path):
    cluster = program(saying(OK), repairs=frozenset({Repair.REBOOT}))

    def asked():
        return json.loads((tmp_path / "asked").read_text())

    cluster.cordon(NODE, STAMP, 10)
    assert asked()["call"] == "cordon"
    assert asked()["node"]["name"] == "n1"
    assert asked()["stamp"] == {"incident": "inc-1", "cause": "compute"}
    cluster.uncordon(NODE, "inc-1", 10)
    assert (asked()["call"], asked()["incident"]) == ("uncordon", "inc-1")
    cluster.restart(JOB, NODE, 10)
    assert (asked()["call"], asked()["job"]["nodes"]) == ("restart", ["n1"])
    cluster.repair(NODE, STAMP, Repair.REBOOT, 10)
    assert (asked()["call"], asked()["repair"]) == ("repair", "reboot")
    with pytest.raises(RefusedError):
        cluster.repair(NODE, STAMP, Repair.REPLACE, 10)


def test_its_view_is_taken_as_it_says(program):
    view = {
        **OK,
        "nodes": [{"name": "n1", "jobs": ["7"], "domains": {"rack": "r1"}}, {"name": "n2", "cordoned": True}],
        "jobs": [{"name": "7", "state": "running", "nodes": ["n1"]}],
    }
    seen = program(saying(view)).observe(10)
    assert seen.nodes == {
        "n1": NodeView("n1", jobs=frozenset({"7"}), domains={"rack": "r1"}),
        "n2": NodeView("n2", cordoned=True),
    }
    assert seen.jobs == {"7": JOB}


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("unavailable", ClusterUnavailableError),
        ("held_back", HeldBackError),
        ("not_ours", NotOursError),
        ("gone", GoneError),
        ("refused", RefusedError),
    ],
)
def test_its_errors_say_what_stands_in_the_way(program, error, kind):
    cluster = program(saying({**OK, "ok": False, "error": error, "message": "drained by Ines"}))
    with pytest.raises(kind, match="drained by Ines"):
        cluster.cordon(NODE, STAMP, 10)
    with pytest.raises(ClusterUnavailableError):
        cluster.observe(10)


EMPTY = {**OK, "nodes": [], "jobs": []}


@pytest.mark.parametrize(
    "lines",
    [
        "pass",
        "print('fine')",
        saying({"ok": True}),
        saying({**EMPTY, "schema": "guard.cluster/2"}),
        saying({**EMPTY, "more": 1}),
        saying({**EMPTY, "error": "gone"}),
        saying({**EMPTY, "ok": False}),
        saying({**EMPTY, "nodes": [{"name": "n1", "cordonned": True}]}),
        saying({**EMPTY, "nodes": [{"name": "n1", "cordoned": "no"}]}),
        saying({**EMPTY, "nodes": [{"name": "n1"}, {"name": "n1"}]}),
        saying({**EMPTY, "jobs": [{"name": "7", "state": "running", "nodes": ["n1"]}]}),
        saying(OK),
        saying(EMPTY) + "; sys.exit(3)",
        saying(EMPTY) + "; sys.stdout.flush(); os.kill(os.getpid(), 9)",
        "print('\"' + 'x' * 2000 + '\"')",
    ],
)
def test_what_is_no_answer_in_every_detail_tells_nothing(program, lines, monkeypatch):
    monkeypatch.setattr(command, "LIMIT", 1000)
    with pytest.raises(ClusterUnavailableError):
        program(lines).observe(10)
    assert program(saying(EMPTY)).observe(10).nodes == {}


def test_a_program_that_does_not_exist_is_unavailable():
    with pytest.raises(ClusterUnavailableError, match="No such file"):
        CommandCluster(["/no/such/program"]).observe(10)


def test_a_program_that_says_much_on_stderr_answers_all_the_same(program):
    cluster = program("sys.stderr.write('x' * 1_000_000); " + saying(EMPTY))
    assert cluster.observe(10).jobs == {}


@pytest.mark.parametrize("last", ["time.sleep(60)", "os.close(1); os.close(2); time.sleep(60)"])
def test_a_program_that_hangs_is_ended_in_time_with_what_it_started(program, tmp_path, last):
    pids = tmp_path / "pids"
    cluster = program(
        "child = subprocess.Popen(['sleep', '60'])\n"
        f"open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\n{last}"
    )
    begun = time.monotonic()
    with pytest.raises(ClusterUnavailableError, match="time"):
        cluster.observe(5)
    assert time.monotonic() - begun < 8
    until = time.monotonic() + 5
    for pid in map(int, pids.read_text().split()):
        while running(pid):  # it was killed, and the kernel ends it when it comes to it
            assert time.monotonic() < until
            time.sleep(0.02)


def running(pid: int) -> bool:
    """Zombies have ended; who adopted the program's child reaps it when it likes."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_program_gets_its_words_as_they_are(tmp_path):
    script = tmp_path / "cluster"
    script.write_text(f"#!/bin/sh\nprintf '%s' \"$1\" > {tmp_path}/word\necho '{json.dumps(EMPTY)}'\n")
    script.chmod(0o755)
    CommandCluster([str(script), "$(touch x); `id`"]).observe(10)
    assert (tmp_path / "word").read_text() == "$(touch x); `id`"
