"""The rules for Prometheus: each alert is tried, and asks for what there is; a real one finds nothing wrong."""

import json
import re
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import yaml

from tests.metrics_document import ROOT, Processes, running
from tests.promql import RULES, alerts, rules, unknown
from tools.kafka.ports import free

FOLDER = ROOT / "deploy/prometheus"
TRIED = FOLDER / "guard.rules.test.yml"
JOBS = {"guard-agent", "guard-detect", "guard-remediate", "guard-page"}


def promtool(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["promtool", *map(str, arguments)], capture_output=True, text=True, timeout=110, check=False
    )


@pytest.mark.needs("promtool")
def test_promtool_can_read_rules_and_scrape():
    for done in (promtool("check", "rules", RULES), promtool("check", "config", FOLDER / "scrape.yml")):
        assert done.returncode == 0, done.stderr


@pytest.mark.needs("promtool")
def test_each_alert_fires_when_it_should_and_not_before():
    done = promtool("test", "rules", TRIED)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_alert_is_untried():
    fires, quiet = set(), set()
    for world in yaml.safe_load(TRIED.read_text())["tests"]:
        for look in world["promql_expr_test"]:
            named = set(re.findall(r'alertname="(\w+)"', look["expr"])) or set(alerts())
            (fires if look["exp_samples"] else quiet).update(named)
    assert fires == set(alerts()) == quiet


def test_a_fleet_that_is_well_has_every_series_that_an_alert_asks_for():
    (well, *_) = yaml.safe_load(TRIED.read_text())["tests"]
    there = {one["series"].partition("{")[0] for one in well["input_series"]}
    asked = {name for rule in rules() for name in re.findall(r"\b(?:guard|process)_[a-z_]+", rule["expr"])}
    assert asked <= there


@pytest.mark.parametrize("name", alerts())
def test_an_alert_says_what_it_is_and_what_to_do(name):
    alert = alerts()[name]
    told = alert["annotations"]
    assert name.startswith("Guard")
    assert alert["labels"]["severity"] in ("critical", "warning", "info")
    assert alert["for"]
    assert told.keys() == {"summary", "description", "runbook", "runbook_url"}
    assert 10 < len(told["summary"]) < 150
    assert 40 < len(told["description"]) < 400
    runbook = re.fullmatch(r"guard runbook ([a-z-]+)", told["runbook"])[1]
    assert told["runbook_url"] == f"RUNBOOKS/{runbook}.md"


def test_names_are_used_once():
    names = [rule.get("alert", rule.get("record")) for rule in rules()]
    assert len(names) == len(set(names))


def test_rules_ask_for_what_is_documented():
    assert not list(unknown(rule["expr"] for rule in rules()))


def test_what_is_not_documented_is_found():
    wrong = (
        "rate(guard_detect_nothing_total[5m])",
        'guard_detect_jobs{status="fast"}',
        'guard_page_blind{by="x"}',
        'guard:jobs:sum{status="fast"}',
        "guard:nothing:sum",
    )
    assert all(len(list(unknown([expression]))) == 1 for expression in wrong)


def test_the_jobs_of_the_example_are_those_of_the_rules():
    example = yaml.safe_load((FOLDER / "scrape.yml").read_text())
    assert {one["job_name"] for one in example["scrape_configs"]} == JOBS


class Prometheus:
    """A real one, and what its API says."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/api/v1/"

    def ask(self, path: str) -> dict:
        with suppress(OSError), urllib.request.urlopen(self._url + path, timeout=5) as answer:  # noqa: S310  (ours)
            return json.load(answer)["data"]
        return {}

    def until(self, path: str, true) -> dict:
        deadline = time.monotonic() + 60
        while not true(found := self.ask(path)):
            assert time.monotonic() < deadline, found
            time.sleep(0.1)
        return found


@contextmanager
def prometheus(directory: Path, processes: Processes, *names: str) -> Iterator[Prometheus]:
    content = yaml.safe_load((FOLDER / "scrape.yml").read_text())
    content["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    content["rule_files"] = [str(RULES)]
    content["scrape_configs"] = [
        {"job_name": f"guard-{name}", "static_configs": [{"targets": [processes.address(name)]}]} for name in names
    ]
    (directory / "prometheus.yml").write_text(yaml.safe_dump(content))
    (port,) = free(1)
    with (directory / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={directory}/prometheus.yml",
                f"--storage.tsdb.path={directory}/tsdb",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        yield Prometheus(port)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)


@pytest.mark.needs("promtool")
def test_a_real_prometheus_scrapes_guard_and_finds_no_rule_wrong(tmp_path):
    with running(tmp_path, "detect", "remediate") as processes:
        processes.until("remediate", "guard_remediate_leads 1")
        processes.until("detect", "guard_detect_partitions_held [1-9]")
        with prometheus(tmp_path, processes, "detect", "remediate") as seen:
            targets = seen.until(
                "targets", lambda found: [t["health"] for t in found.get("activeTargets", [])] == ["up", "up"]
            )
            assert not any(target["lastError"] for target in targets["activeTargets"])
            groups = seen.until(
                "rules",
                lambda found: (
                    found and all(rule["health"] == "ok" for group in found["groups"] for rule in group["rules"])
                ),
            )
            known = {rule["name"] for group in groups["groups"] for rule in group["rules"]}
            assert alerts().keys() < known
            # Nobody pages here: that is seen, and is too young to fire.
            absent = {"alertname": "GuardPagerAbsent"}
            pending = seen.until(
                "alerts",
                lambda found: any(absent.items() <= alert["labels"].items() for alert in found.get("alerts", [])),
            )["alerts"]
            assert {alert["state"] for alert in pending} == {"pending"}
