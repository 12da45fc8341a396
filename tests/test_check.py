"""``guard check``: a line for each part, what was seen, and what to do; nothing is made or changed."""

import functools
import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from collectors.clock_offset import KernelClock
from detectors.verdict import Status, encode
from guard import checks
from guard.bus import Outgoing, Topic, open_bus
from guard.checks import State, run_checks
from guard.commands.root import guard
from guard.config import Config
from tests.test_report import verdict

SYNCHRONISED = KernelClock(state=0, status=1, offset=0)


class Machine:
    """A machine laid out in a directory, everything in order."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rings, self.state = path / "rings", path / "state"
        self.rings.mkdir()
        self.rings.chmod(0o1777)
        self.state.mkdir()
        self.bus = self.state / "bus.sqlite"
        self.monitor = self.write("bin/neuron-monitor", "#!/bin/sh\n")
        self.monitor.chmod(0o755)
        self.kmsg = self.write("dev/kmsg", "6,1,2,-;x\n")
        for device in range(16):
            (path / f"sys/devices/virtual/neuron_device/neuron{device}").mkdir(parents=True)
        self.write("sys/class/infiniband/rdmap16s27/device/vendor", "0x1d0f\n")
        self.write("sys/class/infiniband/rdmap16s27/device/device", "0xefa2\n")
        self.write("sys/class/infiniband/mlx5_0/device/vendor", "0x15b3\n")
        self.disabled: list[str] = []

    def write(self, name: str, text: str) -> Path:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def settings(self):
        return {
            "bus": f"file:{self.bus}",
            "node": {"name": "n7", "instance": "i-0a"},
            "agent": {
                "rings": str(self.rings),
                "spool": str(self.state / "spool.sqlite"),
                "disabled": self.disabled,
                "neuron_monitor": {"command": [str(self.monitor)]},
                "roots": {"sys": str(self.path / "sys"), "dev": str(self.path / "dev")},
            },
        }

    def check(self, name: str) -> checks.Check:
        (found,) = [check for check in self.checks() if check.name == name]
        return found

    def checks(self):
        return run_checks(msgspec.convert(self.settings(), Config), None, self.clock)

    def clock(self) -> KernelClock:
        return SYNCHRONISED


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def test_a_machine_in_order_passes_every_check_and_is_left_as_it_was(machine):
    before = sorted(machine.path.rglob("*"))
    found = machine.checks()
    assert {check.name: check.state for check in found} == dict.fromkeys((c.name for c in found), State.OK)
    assert len(found) == 11
    assert sorted(machine.path.rglob("*")) == before


def test_what_was_seen_is_told(machine):
    assert machine.check("node").detail == "n7, instance i-0a, cluster default"
    assert machine.check("neuron devices").detail.startswith("16 under ")
    assert machine.check("efa").detail == "1: rdmap16s27"


def test_rings_need_a_directory_that_everybody_may_write(machine):
    machine.rings.chmod(0o755)
    assert machine.check("rings").state is State.FAIL
    assert machine.check("rings").remedy == f"chmod 1777 {machine.rings}"
    machine.rings.rmdir()
    assert machine.check("rings").state is State.FAIL
    assert "guard-agent.service" in machine.check("rings").remedy


def test_neuron_monitor_is_missed_only_where_there_are_devices(machine):
    machine.monitor.chmod(0o644)
    assert machine.check("neuron-monitor").state is State.FAIL
    assert "agent.neuron_monitor.command" in machine.check("neuron-monitor").remedy
    machine.disabled = ["neuron_monitor"]
    assert machine.check("neuron-monitor").state is State.SKIP
    machine.disabled = []
    for device in (machine.path / "sys/devices/virtual/neuron_device").iterdir():
        device.rmdir()
    assert machine.check("neuron-monitor").state is State.SKIP
    assert machine.check("neuron devices").state is State.SKIP


def test_the_kernel_log_is_read_to_see_whether_it_can_be(machine):
    machine.kmsg.unlink()
    assert machine.check("kernel log").state is State.SKIP
    machine.kmsg.mkdir()
    assert machine.check("kernel log").state is State.FAIL


def test_an_unsynchronised_clock_fails_and_an_unknown_one_is_skipped(machine):
    machine.clock = lambda: KernelClock(state=5, status=0x40, offset=0)
    assert machine.check("clock").state is State.FAIL

    def refuse():
        raise OSError(1, "adjtimex refused")

    machine.clock = refuse
    assert machine.check("clock").state is State.SKIP


def test_the_bus_is_opened_and_its_state_read(machine):
    said = verdict("n2", Status.OK)
    with open_bus(f"file:{machine.bus}") as bus:
        bus.publish([Outgoing(Topic.STATE, said.key, encode(said))], timeout=5)
    assert machine.check("bus").detail == f"file:{machine.bus}, 1 records of state"


def test_a_bus_that_is_none_fails(machine):
    machine.bus.write_bytes(b"not a database, but long enough to be taken for one" * 100)
    assert machine.check("bus").state is State.FAIL
    machine.bus = machine.path / "nowhere" / "bus.sqlite"
    assert machine.check("bus").state is State.FAIL
    assert not machine.bus.parent.exists()


def test_a_spool_that_cannot_be_written_fails(machine):
    (machine.state / "spool.sqlite").mkdir()
    assert machine.check("spool").state is State.FAIL
    (machine.state / "spool.sqlite").rmdir()
    machine.state.rmdir()
    assert machine.check("spool").remedy.startswith("install -d -o guard")


def test_a_detector_without_its_libraries_is_skipped(machine, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert machine.check("detector").state is State.SKIP
    assert "trn-guard[detect]" in machine.check("detector").detail


def test_a_check_that_cannot_look_has_failed(machine, monkeypatch):
    def refuse(_):
        raise PermissionError(13, "Permission denied", "/var/lib/guard")

    monkeypatch.setattr(checks, "_spool", refuse)
    assert machine.check("spool").detail == "/var/lib/guard: Permission denied"
    assert machine.check("spool").state is State.FAIL


def test_the_command_ends_0_when_nothing_fails_and_1_when_something_does(machine, monkeypatch):
    monkeypatch.setattr("guard.commands.check.run_checks", functools.partial(run_checks, ask_clock=machine.clock))
    file = machine.write("guard.yaml", json.dumps(machine.settings()))
    good = CliRunner().invoke(guard, ["--config", str(file), "check"])
    assert good.exit_code == 0, good.output
    assert good.output.splitlines()[0] == f"ok   configuration   {file}"
    machine.rings.rmdir()
    bad = CliRunner().invoke(guard, ["--config", str(file), "check"])
    assert bad.exit_code == 1
    assert f"FAIL rings           {machine.rings}: no such directory; start guard-agent.service" in bad.output
    told = json.loads(CliRunner().invoke(guard, ["--config", str(file), "check", "--json"]).output)
    assert told["ok"] is False
    assert {"name": "efa", "state": "ok", "detail": "1: rdmap16s27", "remedy": ""} in told["checks"]
