"""The units: well-formed against a staged install, and exposed no more than promised."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[1] / "systemd"
EXPOSURE = {
    "guard-agent.service": 2.3,
    "guard-detect.service": 1.8,
    "guard-remediate.service": 0.9,
    "guard-page.service": 1.1,
}
pytestmark = pytest.mark.needs("systemd")


@pytest.mark.parametrize("unit", EXPOSURE)
def test_a_unit_is_well_formed_where_it_is_installed(tmp_path, unit):
    program = tmp_path / "opt/guard/bin/guard"
    program.parent.mkdir(parents=True)
    shutil.copy("/bin/true", program)
    staged = tmp_path / unit
    staged.write_text((UNITS / unit).read_text().replace("/opt/guard/bin/guard", str(program)))
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", staged],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")


@pytest.mark.parametrize(("unit", "most"), EXPOSURE.items())
def test_a_unit_is_exposed_no_more_than_promised(unit, most):
    judged = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", UNITS / unit],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    exposure = float(re.search(r"exposure level for \S+: ([\d.]+)", judged.stdout)[1])
    assert exposure <= most


def test_the_agent_may_do_nothing_but_read_the_kernel_log_beyond_its_user():
    agent = (UNITS / "guard-agent.service").read_text()
    assert re.findall(r"^CapabilityBoundingSet=(.*)$", agent, re.MULTILINE) == ["CAP_SYSLOG"]
    assert "DeviceAllow=/dev/kmsg r" in agent
    assert "RuntimeDirectoryPreserve=yes" in agent


def test_the_agent_may_ask_for_the_offset_of_the_clock_and_not_set_it():
    agent = (UNITS / "guard-agent.service").read_text()
    assert "SystemCallFilter=adjtimex clock_adjtime" in agent
    assert "ProtectClock=no" in agent  # it would refuse adjtimex(2) even for reading
    assert "CAP_SYS_TIME" not in "".join(re.findall(r"^\w+Set=.*$|^Ambient.*$", agent, re.MULTILINE))


@pytest.mark.parametrize("unit", EXPOSURE)
def test_systemd_restarts_a_service_that_ends_or_makes_no_progress(unit):
    lines = (UNITS / unit).read_text().splitlines()
    assert {"Type=notify", "WatchdogSec=60", "Restart=always", "StartLimitIntervalSec=0", "User=guard"} <= set(
        lines
    )
