"""What goes wrong around the child is told once it happened, also when it is over, and never stops the reader."""

import shlex
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from collectors import neuron_child
from collectors.reading import Gap, Reading
from tests.neuron_monitor_fixture import EMULATOR, PERIOD, children_of, collect, made, quick, started, wait_for

__all__ = ["made", "quick", "started"]  # fixtures


def script(text) -> list[str]:
    return ["/bin/sh", "-c", text, "neuron-monitor"]


def gap(collector, told) -> str:
    def said():
        answer = collect(collector)
        return answer.reason if isinstance(answer, Gap) and told in answer.reason else None

    return wait_for(said)


def test_what_is_over_by_the_end_of_the_period_is_told_beside_the_data(started, monkeypatch):
    monkeypatch.setenv("GUARD_EMULATE_FAULT", "exit@2")
    collector = started(EMULATOR)
    monitor = collector._monitor
    wait_for(lambda: monitor.trouble and "exited with 1" in monitor.trouble)
    wait_for(lambda: monitor.trouble is None and monitor._arrivals)
    answer = collect(collector)
    assert isinstance(answer, Reading)
    assert answer.gauges
    assert "exited with 1 (fatal: device lost)" in answer.notes["neuron_monitor.child"]
    wait_for(lambda: monitor._arrivals)
    assert collect(collector).notes == {}


def test_no_place_for_the_configuration_is_a_gap_and_over_when_there_is_one(started, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/nonexistent")
    collector = started(EMULATOR)
    gap(collector, "cannot run")
    monkeypatch.setattr(tempfile, "tempdir", None)
    wait_for(lambda: isinstance(answer := collect(collector), Reading) and answer.gauges)


def test_paths_and_names_on_stderr_are_not_sent(started):
    said = "open /home/someone/model.neff in ami-0123 of subnet-0456: gone"
    reason = gap(started(script(f"echo {shlex.quote(said)} >&2; exit 3")), "exited with 3")
    assert "gone" in reason
    assert not any(word in reason for word in ("someone", "neff", "ami-", "subnet-"))


def test_endless_garbage_is_killed_like_silence(started):
    collector = started(script("while :; do echo xx; done"))
    gap(collector, "garbage for")
    assert collector._monitor.refused > 0


def test_a_signal_that_ended_the_child_is_named(started):
    gap(started(script("kill -9 $$")), "was killed by signal 9")


@pytest.mark.alone
def test_a_child_that_ignores_sigterm_dies_with_its_children(started, tmp_path):
    pids = tmp_path / "pids"
    command = script(f"trap '' TERM; sleep 300 & echo $$ $! > {pids}; while :; do wait; done")
    collector = started(command)
    written = wait_for(lambda: pids.exists() and pids.read_text().split())
    start = time.monotonic()
    collector.close()
    assert time.monotonic() - start < 1.4
    # init may take a moment to reap the grandchild; the child itself is ours to reap.
    assert not Path(f"/proc/{written[0]}").exists()
    wait_for(lambda: not alive(int(written[1])))


def alive(pid) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def test_every_configuration_is_removed(started, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "own"))
    (tmp_path / "own").mkdir()
    collector = started(script("exit 1"))
    wait_for(lambda: "restarting in 0.2" in str(collect(collector)))
    collector.close()
    assert list((tmp_path / "own").iterdir()) == []


@pytest.mark.parametrize("fault", ["", "silence@2"])
def test_the_emulator_does_not_outlive_a_killed_reader(monkeypatch, fault):
    monkeypatch.setenv("GUARD_EMULATE_FAULT", fault)
    program = f"""
from collectors.neuron_monitor import NeuronMonitor
with NeuronMonitor({EMULATOR}, {PERIOD}) as monitor:
    next(iter(monitor))
    print("running", flush=True)
    monitor._thread.join()
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as reader:
        assert reader.stdout.readline() == b"running\n"
        (emulator,) = children_of(reader.pid)
        reader.send_signal(signal.SIGKILL)
    wait_for(lambda: not alive(int(emulator)))


def test_reports_that_nobody_took_in_time_are_counted_and_told(started, monkeypatch):
    monkeypatch.setattr(neuron_child, "_QUEUE", 3)
    collector = started(EMULATOR)
    monitor = collector._monitor
    wait_for(lambda: monitor.dropped >= 2)
    answer = collect(collector)
    dropped = monitor.dropped
    assert answer.notes == {
        "neuron_monitor.dropped": f"{dropped} oldest reports dropped: nobody took them in time"
    }
    assert answer.gauges
    assert "neuron.exec.completed" not in answer.counters, "a sum without them would look like less work"
    assert "neuron.ecc.mem.corrected" in answer.counters, "running totals lose nothing"
    wait_for(lambda: monitor._arrivals)
    later = collect(collector)
    assert later.notes == {}
    assert later.counters["neuron.exec.completed"] > 0
