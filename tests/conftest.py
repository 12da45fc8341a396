"""Services that tests need: started or found here, else skipped, and the summary says how to get them.

``GUARD_REQUIRE=systemd,captures`` (or ``all``) makes a missing one fail instead. A test that skips by itself says
what for in its reason, ``captures: …``, and is counted too.
"""

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import settings

from tests import kube_programs, slurm_cluster
from tools.kafka import available, namespace

pytest_plugins = [
    "tests.channel_fixtures",
    "tests.kafka_fixtures",
    "tests.kube_fixtures",
    "tests.slurm_fixtures",
]

CAPTURES = Path(__file__).parents[2] / "shared" / "data"
SERVICES = {
    "systemd": (lambda: shutil.which("systemd-analyze") is not None, "apt-get install systemd"),
    "kafka": (
        available,
        "tools/provision installs Java and Maven and fetches the jars; tools/kafka/fetch only these",
    ),
    "netns": (namespace.available, "run as root where namespaces may be made, with iproute2: tools/provision"),
    "slurm": (slurm_cluster.available, "run as root with Slurm's daemons and munge: tools/provision"),
    "kubernetes": (
        kube_programs.available,
        "tools/provision installs etcd and builds Kubernetes; tools/kube/build the latter, with Go",
    ),
    "promtool": (
        lambda: shutil.which("promtool") is not None and shutil.which("prometheus") is not None,
        "apt-get install prometheus: tools/provision",
    ),
    "alertmanager": (
        lambda: shutil.which("prometheus-alertmanager") is not None,
        "apt-get install prometheus-alertmanager: tools/provision",
    ),
    "root": (lambda: os.geteuid() == 0, "run the tests as root, in a container say"),
}
OPTIONAL = {
    # Not part of the project and not to be had by installing anything: `all` does not ask for it.
    "captures": (CAPTURES.is_dir, "lay real captures beside the checkout, in ../shared/data"),
}
_missing: dict[str, int] = {}

# How long an example takes is the machine's matter, and what else runs on it: timeouts end what hangs.
settings.register_profile("guard", deadline=None)
settings.load_profile("guard")


def required(service: str) -> bool:
    named = os.environ.get("GUARD_REQUIRE", "").split(",")
    return service in named or ("all" in named and service in SERVICES)


def pytest_configure(config):
    unknown = set(os.environ.get("GUARD_REQUIRE", "").split(",")) - {"", "all", *SERVICES, *OPTIONAL}
    if unknown:
        known = ", ".join(["all", *SERVICES, *OPTIONAL])
        raise pytest.UsageError(f"GUARD_REQUIRE: {', '.join(sorted(unknown))}: no such service; there are {known}")
    config.addinivalue_line("markers", "needs(service): skipped where the machine lacks it; see tests/conftest.py")
    config.addinivalue_line("markers", "alone: measures time or the machine, so no other test runs beside it")


def pytest_runtest_setup(item):
    for marker in item.iter_markers("needs"):
        for service in marker.args:
            present, how = (SERVICES | OPTIONAL)[service]
            if present():
                continue
            if required(service):
                pytest.fail(f"{service} is required (GUARD_REQUIRE) and missing: {how}", pytrace=False)
            pytest.skip(f"{service}: {how}")


def pytest_runtest_logreport(report):
    if report.skipped and isinstance(report.longrepr, tuple):
        service = report.longrepr[2].removeprefix("Skipped: ").partition(":")[0]
        if service in SERVICES | OPTIONAL:
            _missing[service] = _missing.get(service, 0) + 1


def pytest_terminal_summary(terminalreporter):
    for service, count in sorted(_missing.items()):
        how = (SERVICES | OPTIONAL)[service][1]
        terminalreporter.write_line(
            f"{count} {'test' if count == 1 else 'tests'} skipped for want of {service}; to get it: {how}"
        )


@pytest.fixture
def captures() -> Path:
    return CAPTURES / "neuron-monitor"
