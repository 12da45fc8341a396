"""The agent as a process: it tells systemd of real progress, sends, and ends in two seconds with its children."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from collectors.telemetry import decode
from guard import steps
from guard.bus import Topic, open_bus

CONFIG = """
cluster: test
bus: file:{0}/bus.sqlite
node: {{name: n1, instance: i-1, labels: {{rack: r1}}}}
agent:
  period: 1
  rings: {0}/rings
  spool: {0}/spool.sqlite
  metrics: null
  neuron_monitor: {{command: [{1}, -m, simulation.neuron_monitor], period: 1}}
"""


@pytest.fixture
def directory(tmp_path):
    (tmp_path / "rings").mkdir()
    (tmp_path / "guard.yaml").write_text(CONFIG.format(tmp_path, sys.executable))
    return tmp_path


def heard(listener, seconds) -> list[str]:
    """What systemd would hear, until a watchdog or the deadline."""
    listener.settimeout(seconds)
    said = [listener.recv(4096).decode()]
    while said[-1] != "WATCHDOG=1":
        said.append(listener.recv(4096).decode())
    return said


@pytest.mark.alone
def test_an_agent_reports_progress_sends_records_and_ends_in_two_seconds(directory):
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(str(directory / "notify"))
    environment = os.environ | {"NOTIFY_SOCKET": str(directory / "notify")}
    with listener, steps.open(directory=directory / "rings", job="j", rank=0, synced=True) as recorder:
        agent = subprocess.Popen(
            [sys.executable, "-m", "guard.commands", "--config", directory / "guard.yaml", "agent"],
            env=environment,
        )
        try:
            assert heard(listener, 30)[0] == "READY=1"
            with recorder.step(), recorder.section("compute"):
                pass
            assert any(said.startswith("STATUS=period") for said in heard(listener, 30))
            for _ in range(4):  # neuron-monitor's first report is left out, and a busy machine starts it late
                heard(listener, 30)
        finally:
            agent.send_signal(signal.SIGTERM)
            start = time.monotonic()
            assert agent.wait(20) == 0
        assert time.monotonic() - start < 2
    with open_bus(f"file:{directory}/bus.sqlite") as bus:
        records = [decode(message.value) for message in bus.scan(Topic.TELEMETRY)]
    assert [record.seq for record in records] == list(range(len(records)))
    assert all(record.time % 1 == 0 for record in records)
    assert {record.key for record in records} == {"test/j"}
    assert sum(record.steps.count[0] for record in records) == 1
    assert records[-1].labels["rack"] == "r1"
    assert any("neuron.core.utilization" in record.gauges for record in records)


def test_an_agent_that_can_send_no_more_ends_with_an_error_and_feeds_no_watchdog(directory):
    program = """
import sys
from guard.agent import assembly
from guard.commands import main

class Broken(assembly.Spool):
    def peek(self, most):
        raise RuntimeError("a mistake of ours")

assembly.Spool = Broken
sys.argv = ["guard", "--config", sys.argv[1], "agent"]
main()
"""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    listener.bind(str(directory / "notify"))
    with listener:
        done = subprocess.run(
            [sys.executable, "-c", program, directory / "guard.yaml"],
            env=os.environ | {"NOTIFY_SOCKET": str(directory / "notify")},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        said = []
        with contextlib.suppress(BlockingIOError):
            while True:
                said.append(listener.recv(4096).decode())
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "guard: the outbox ended: a mistake of ours"
    assert said[0] == "READY=1"
    assert said[-1] == "STOPPING=1"
    # A period may have ended before its record reached the spool; none is fed once the thread is gone.
    assert said.count("WATCHDOG=1") <= 1
