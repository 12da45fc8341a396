"""``guard report`` over a time as it is called: what it answers, what it refuses, and how it ends."""

import csv
import json
import os
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from detectors.verdict import JobStatus, Role, Saying, Status, encode
from guard.bus import Outgoing, Topic, open_bus
from guard.commands.report import command
from remediation import ledger
from remediation.ledger import Leader
from tests.report_session import session
from tests.test_report import about_job, verdict


class Report:
    """The command over a bus of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.bus = f"file:{path / 'bus.sqlite'}"

    def hears(self, *sayings: Saying) -> None:
        self.takes(*(encode(saying) for saying in sayings))

    def takes(self, *values: bytes, topic: Topic = Topic.VERDICTS) -> None:
        with open_bus(self.bus) as bus:
            bus.publish([Outgoing(topic, "key", value) for value in values], timeout=5)

    def __call__(self, *arguments: str) -> Result:
        result = CliRunner().invoke(command, arguments, obj=session(self.bus))
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result


@pytest.fixture
def report(tmp_path: Path) -> Report:
    return Report(tmp_path)


@pytest.fixture
def slow(report: Report) -> Report:
    """Ten minutes of a job that a node slows by a fifth."""
    now = time.time() - 900
    for minute in range(10):
        at = now + 60 * minute
        job = about_job(status=JobStatus.SLOW, time=at, since=now, accused=["n2"], nodes=6, step_time=1.5)
        report.hears(verdict("n2", Status.STRAGGLER, Role.CULPRIT, time=at, since=now, slowdown=0.2), job)
    return report


def test_a_time_is_answered_and_ends_0_although_a_node_is_accused(slow: Report) -> None:
    shown = slow("fleet", "--since", "1h")
    assert shown.exit_code == 0
    assert "goodput                            80 % of 1.2 node-hours" in shown.stdout
    assert "MTTF                               no failure in 12 min" in shown.stdout
    assert "no remediator has led" in shown.stdout
    assert slow("--since", "1h").stdout.splitlines()[0] == shown.stdout.splitlines()[0]


def test_every_form_says_the_same(slow: Report) -> None:
    told = json.loads(slow("job", "81723", "--since", "1h", "--json").stdout)
    assert (told["schema"], told["answer"], told["exit"]) == ("guard.report-range/1", "answered", 0)
    job = told["jobs"][0]
    assert job["goodput"] == pytest.approx(0.8)
    assert job["stragglers"]["node_hours"] == pytest.approx(6 * 0.2 * 720 / 3600)
    assert (job["mttf"]["mean"], told["people"]) == (None, None)
    row = next(csv.DictReader(StringIO(slow("job", "81723", "--since", "1h", "--csv").stdout)))
    assert (float(row["goodput"]), row["mttf_seconds"], row["failures"]) == (job["goodput"], "", "0")
    page = slow("job", "81723", "--since", "1h", "--html", "-").stdout
    assert "<h2>Step time</h2>" in page
    assert "no failure in 12 min" in page
    node = json.loads(slow("node", "n2", "--since", "1h", "--json").stdout)["nodes"][0]
    assert (node["accusations"], node["stragglers"]["node_hours"]) == (1, pytest.approx(0.24))


def test_csv_and_html_need_no_time_and_are_of_the_last_week(slow: Report) -> None:
    assert len(slow("--csv").stdout.splitlines()) == 2
    file = slow.path / "page.html"
    wrote = slow("fleet", "--html", str(file))
    assert (wrote.exit_code, wrote.stdout) == (0, "")
    assert file.read_text().startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("fleet", "--since", "1h"), "nothing is known of the fleet in that time"),
        (("job", "nope", "--since", "1h"), "nothing is known of job nope"),
        (("node", "nope", "--since", "1h"), "nothing is known of node nope"),
        (("incidents",), "start guard remediate"),
    ],
)
def test_what_nobody_spoke_of_ends_2_and_says_what_to_do(report: Report, arguments, why: str) -> None:
    report.hears(about_job(time=time.time() - 1e6))
    for given in (arguments, (*arguments, "--json"), (*arguments, "--csv"), (*arguments, "--html", "-")):
        result = report(*given)
        assert result.exit_code == 2
        assert why in result.stderr
        assert "guard" in result.stderr.partition(why)[2] + why
    answer = json.loads(report(*arguments, "--json").stdout)
    assert (answer["schema"], answer["answer"], answer["exit"]) == ("guard.report-range/1", "unanswered", 2)


def test_a_week_without_incidents_is_an_answer(report: Report) -> None:
    leader = Leader(id="l", cluster="east", time=time.time(), process="p", deadline=1.0)
    report.takes(ledger.encode(leader), topic=Topic.LEDGER)
    shown = report("incidents")
    assert shown.exit_code == 0
    assert "0 opened, 0 open at the end" in shown.stdout
    assert "no intervention in 7 d" in shown.stdout


@pytest.mark.parametrize("address", ["file:/proc/nowhere/bus.sqlite", "pigeon:post"])
def test_a_bus_that_cannot_be_opened_ends_2(report: Report, address: str) -> None:
    report.bus = address
    result = report("fleet", "--since", "1h")
    assert result.exit_code == 2
    assert result.stderr.startswith("guard report: ")
    assert "guard check" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("fleet", "--until", "1h"),
        ("fleet", "--since", "1h", "--until", "2h"),
        ("fleet", "--since", "2999-01-01T00:00:00Z"),
        ("fleet", "--since", "soon"),
        ("fleet", "--since", "1h", "--json", "--csv"),
        ("--since", "1h", "fleet"),
    ],
)
def test_options_that_make_no_sense_end_2(report: Report, arguments: tuple[str, ...]) -> None:
    result = report(*arguments)
    assert result.exit_code == 2
    assert "Error: " in result.stderr


def test_what_cannot_be_read_or_believed_is_counted(slow: Report) -> None:
    slow.takes(b"{", encode(about_job(time=1e300, since=0.0)))
    slow.takes(b"nonsense", topic=Topic.LEDGER)
    told = json.loads(slow("--since", "1h", "--json").stdout)
    assert told["unreadable"] == 3
    assert any("3 records could not be read" in notice for notice in told["notices"])


def test_the_present_is_shown_without_pandas_and_a_time_names_the_extra(
    slow: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = "guard.report.stories"
    for name in [name for name in sys.modules if name.startswith("guard.report.") and name != kept]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pandas", None)
    slow.takes(encode(about_job(time=time.time())), topic=Topic.STATE)
    assert slow("--json").exit_code == 0
    result = slow("--since", "1h", "--json")
    assert result.exit_code == 2
    assert "pip install 'trn-guard[report]'" in result.stderr


def test_no_report_of_the_present_loads_what_only_a_time_needs(slow: Report) -> None:
    program = (
        "import sys; from click.testing import CliRunner; from guard.commands.report import command;"
        "from tests.report_session import session;"
        f"CliRunner().invoke(command, ['--json'], obj=session({slow.bus!r}));"
        "print([name for name in ('pandas', 'numpy', 'jinja2', 'matplotlib') if name in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True,
        env=os.environ | {"PYTHONPATH": str(Path.cwd())},
    )  # fmt: skip
    assert ran.stdout.strip() == "[]"
