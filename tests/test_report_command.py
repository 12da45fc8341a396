"""``guard report`` as it is called: what it prints and how it ends."""

import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from click.testing import CliRunner, Result

from detectors.verdict import JobStatus, Role, Saying, Status, encode
from guard.bus import Outgoing, Topic, open_bus
from guard.bus.kafka_settings import KafkaSettings
from guard.commands.report import command
from tests.test_report import about_job, verdict

CULPRIT = verdict("n2", Status.STRAGGLER, Role.CULPRIT, device=5)


class Report:
    """The command over a bus of its own."""

    def __init__(self, path: Path) -> None:
        self.bus = f"file:{path / 'bus.sqlite'}"
        self.stale_after = 180.0

    def hears(self, *sayings: Saying) -> None:
        self.takes(*((saying.key, encode(saying)) for saying in sayings))

    def takes(self, *records: tuple[str, bytes]) -> None:
        with open_bus(self.bus) as bus:
            bus.publish([Outgoing(Topic.STATE, key, value) for key, value in records], timeout=5)

    def __call__(self, *arguments: str) -> Result:
        report = SimpleNamespace(stale_after=self.stale_after)
        session = SimpleNamespace(config=SimpleNamespace(bus=self.bus, kafka=KafkaSettings(), report=report))
        result = CliRunner().invoke(command, arguments, obj=session)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result


@pytest.fixture
def report(tmp_path: Path) -> Report:
    return Report(tmp_path)


def test_a_healthy_fleet_ends_0(report: Report) -> None:
    report.hears(verdict(), about_job())
    result = report()
    assert result.exit_code == 0
    assert "fleet: healthy" in result.stdout
    assert "east/81723" in result.stdout


def test_an_accused_node_ends_1_and_is_named(report: Report) -> None:
    report.hears(verdict(), CULPRIT, about_job(status=JobStatus.SLOW, accused=["n2"]))
    assert (report().exit_code, report("fleet").exit_code, report("job", "81723").exit_code) == (1, 1, 1)
    line = next(line for line in report("fleet").stdout.splitlines() if "culprit" in line)
    assert line.split()[0] == "n2"
    shown = report("node", "n2")
    assert shown.exit_code == 1
    assert "steps.compute 1.12 s vs 0.94 s typical" in shown.stdout
    assert report("node", "n1").exit_code == 0


def test_an_empty_bus_ends_2(report: Report) -> None:
    result = report()
    assert result.exit_code == 2
    assert "no detector has said anything yet" in result.stdout


@pytest.mark.parametrize("arguments", [("job", "nope"), ("node", "nope"), ("job", "81723", "--cluster", "west")])
def test_an_unknown_job_or_node_ends_2(report: Report, arguments: tuple[str, ...]) -> None:
    report.hears(verdict(), about_job())
    result = report(*arguments)
    assert result.exit_code == 2
    assert "nothing is known of" in result.stderr
    asked = report(*arguments, "--json")
    assert (asked.exit_code, json.loads(asked.stdout)["answer"]) == (2, "unanswered")


@pytest.mark.parametrize("address", ["file:/proc/nowhere/bus.sqlite", "pigeon:post", ""])
def test_a_bus_that_cannot_be_opened_ends_2(report: Report, address: str) -> None:
    report.bus = address
    result = report()
    assert result.exit_code == 2
    assert result.stderr.startswith("guard report: ")


def test_a_detector_that_is_no_longer_heard_ends_2(report: Report) -> None:
    report.hears(verdict(), about_job())
    report.stale_after = 0.05
    time.sleep(0.1)  # what is waited for is age itself
    result = report()
    assert result.exit_code == 2
    assert "has not been heard" in result.stdout


def test_json_is_one_object_with_the_verdicts(report: Report) -> None:
    report.hears(verdict(), CULPRIT, about_job())
    result = report("--json")
    answer = json.loads(result.stdout)
    assert (result.exit_code, answer["exit"], answer["accused"]) == (1, 1, ["n2"])
    assert answer["schema"] == "guard.report/1"
    assert answer["nodes"] == [msgspec.to_builtins(CULPRIT)]
    assert answer["jobs"][0]["job"] == "81723"


def test_records_that_cannot_be_read_are_mentioned(report: Report) -> None:
    report.hears(about_job())
    report.takes(("east/n7", b"{"), ("east/n8", b"\xff" * 10))
    result = report()
    assert result.exit_code == 0
    assert "2 records of the state could not be read" in result.stdout


def test_options_before_the_word_are_refused_rather_than_lost(report: Report) -> None:
    assert report("--json", "job", "81723").exit_code == 2


def test_without_rich_it_names_the_extra_and_json_still_works(
    report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    report.hears(verdict(), about_job())
    monkeypatch.delitem(sys.modules, "guard.report.tables", raising=False)
    monkeypatch.setitem(sys.modules, "rich", None)
    result = report()
    assert result.exit_code == 2
    assert "trn-guard[report]" in result.stderr
    assert report("--json").exit_code == 0
