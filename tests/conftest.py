"""Services that tests need: started or found here, else skipped, and the summary says how to get them.

``GUARD_REQUIRE=systemd,captures`` (or ``all``) makes a missing one fail instead.
"""

import os
import shutil
from pathlib import Path

import pytest

CAPTURES = Path(__file__).parents[2] / "shared" / "data"
SERVICES = {
    "systemd": (lambda: shutil.which("systemd-analyze") is not None, "apt-get install systemd"),
    "root": (lambda: os.geteuid() == 0, "run the tests as root, in a container say"),
}
OPTIONAL = {
    # Not part of the project and not to be had by installing anything: `all` does not ask for it.
    "captures": (CAPTURES.is_dir, "lay real captures beside the checkout, in ../shared/data"),
}
_missing: dict[str, int] = {}


def pytest_configure(config):
    config.addinivalue_line("markers", "needs(service): skipped where the machine lacks it; see tests/conftest.py")


def pytest_runtest_setup(item):
    for marker in item.iter_markers("needs"):
        for service in marker.args:
            present, how = (SERVICES | OPTIONAL)[service]
            if present():
                continue
            required = os.environ.get("GUARD_REQUIRE", "").split(",")
            if service in required or ("all" in required and service in SERVICES):
                pytest.fail(f"{service} is required (GUARD_REQUIRE) and missing: {how}", pytrace=False)
            _missing[service] = _missing.get(service, 0) + 1
            pytest.skip(f"{service} is missing: {how}")


def pytest_terminal_summary(terminalreporter):
    for service, count in sorted(_missing.items()):
        how = (SERVICES | OPTIONAL)[service][1]
        terminalreporter.write_line(f"{count} tests skipped for want of {service}; to get it: {how}")


@pytest.fixture
def captures() -> Path:
    return CAPTURES / "neuron-monitor"
