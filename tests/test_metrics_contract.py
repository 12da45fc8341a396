"""The metrics are what docs/metrics.md says: in the code, on the pages of real processes, and to promtool."""

import re
import subprocess
from collections.abc import Iterator
from typing import get_args

import pytest
from prometheus_client.parser import text_string_to_metric_families

from detectors.verdict import JobStatus, Severity, Status
from guard.detect.intake import Reason
from remediation.alerts.notice import About
from remediation.ledger import Act, Record, Result
from remediation.paging.events import Source
from remediation.rails import RAILS
from remediation.states import NodeState
from tests.metrics_document import (
    COLLECTORS,
    PROCESSES,
    ROOT,
    Contract,
    Processes,
    documented,
    promised,
    registries,
    running,
)

FORBIDDEN = {"node", "job", "incident", "instance", "host", "rank", "cluster", "page"}
"""Labels that would grow with the fleet, or are the scraper's to set."""

ALERTS = set(
    re.findall(r'\.alert\(\s*"([a-z]+)"', "".join(p.read_text() for p in (ROOT / "remediation").glob("*.py")))
)
VALUES = {
    ("guard_build_info", "process"): PROCESSES,
    ("guard_agent_gaps_total", "collector"): COLLECTORS,
    ("guard_detect_dead_letters_total", "reason"): Reason,
    ("guard_detect_nodes", "status"): Status,
    ("guard_detect_jobs", "status"): JobStatus,
    ("guard_remediate_ledger_records_total", "kind"): [one.__struct_config__.tag for one in get_args(Record)],
    ("guard_remediate_acts_total", "act"): Act,
    ("guard_remediate_acts_total", "result"): Result,
    ("guard_remediate_denials_total", "act"): Act,
    ("guard_remediate_denials_total", "rail"): [rail.name for rail in RAILS],
    ("guard_remediate_alerts_total", "about"): ALERTS,
    ("guard_remediate_alerts_total", "severity"): Severity,
    ("guard_remediate_nodes", "state"): set(NodeState) - {NodeState.HEALTHY, NodeState.GONE},
    ("guard_page_open", "about"): About,
    ("guard_page_open", "severity"): Severity,
    ("guard_page_blind", "source"): Source,
}
"""The sets that the code closes."""


def everything() -> dict[str, Contract]:
    return {name: contract for registry in registries().values() for name, contract in promised(registry).items()}


def test_the_document_and_the_code_name_the_same_metrics_with_type_labels_and_meaning():
    assert {name: row.contract for name, row in documented().items()} == everything()


@pytest.mark.parametrize(("name", "label"), VALUES)
def test_the_values_of_a_label_are_those_of_the_code(name, label):
    assert set(documented()[name].values[label].split(", ")) == {str(value) for value in VALUES[name, label]}


@pytest.mark.parametrize("process", PROCESSES)
def test_what_is_counted_of_closed_sets_is_there_from_the_start_and_documented(process):
    rows = documented()
    for family in registries()[process].collect():
        for sample in family.samples:
            for label, value in sample.labels.items():
                if label not in ("le", "version", "channel"):
                    name = sample.name.removesuffix("_bucket")
                    assert value in rows[name].values[label].split(", "), (name, label)


@pytest.mark.parametrize("name", everything())
def test_names_and_labels_follow_the_conventions(name):
    contract, row = everything()[name], documented()[name]
    assert re.match(r"guard_(agent|detect|remediate|page)_[a-z]|guard_build_info$|process_", name)
    assert name.endswith("_total") == (contract.type == "counter")
    assert not contract.labels & FORBIDDEN
    assert ("timestamp" in name) <= name.endswith("_timestamp_seconds")
    assert (row.unit == "Unix seconds") <= name.endswith("_seconds")
    assert (row.unit == "seconds") == (
        name.removesuffix("_total").endswith("_seconds") and row.unit != "Unix seconds"
    )
    assert (row.unit == "bytes") == name.removesuffix("_total").endswith("_bytes")
    assert not re.search("(milli|micro|kilo|mega|minutes|hours|percent)", name)
    assert row.moves


def test_an_agent_shows_as_many_series_as_the_document_counts():
    samples = [sample for family in registries()["agent"].collect() for sample in family.samples]
    (said,) = re.findall(r"(\d+) of an agent", (ROOT / "docs/metrics.md").read_text())
    assert len(samples) == int(said)


@pytest.fixture(scope="module")
def processes(tmp_path_factory) -> Iterator[Processes]:
    with running(tmp_path_factory.mktemp("metrics"), *PROCESSES) as processes:
        yield processes


MOVED = {
    "agent": "guard_agent_records_sent_total [1-9]",
    "detect": 'guard_detect_nodes{status="ok"} 1',
    "remediate": "guard_remediate_leads 1",
    "page": 'guard_page_letters_waiting{channel="oncall"}',
}
"""What shows that a process is at work."""


@pytest.mark.parametrize("process", PROCESSES)
def test_a_running_process_shows_what_is_documented(processes, process):
    rows, seen = documented(), set()
    for family in text_string_to_metric_families(processes.until(process, MOVED[process])):
        name = family.name + ("_total" if family.type == "counter" else "")
        assert name in rows, f"{name} is not documented"
        assert family.type == rows[name].contract.type, name
        assert family.documentation == rows[name].contract.meaning
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == rows[name].contract.labels, name
        seen.add(name)
    assert seen == promised(registries()[process]).keys()


@pytest.mark.needs("promtool")
@pytest.mark.parametrize("process", PROCESSES)
def test_promtool_finds_nothing_wrong_with_a_page(processes, process):
    page = processes.until(process, MOVED[process])
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=page, text=True, capture_output=True, timeout=60, check=False
    )
    assert checked.returncode == 0, checked.stderr
    assert not checked.stderr + checked.stdout
