"""``guard explain`` over a bus: what was said, when, and how it ends where it cannot tell."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from collectors.telemetry import Telemetry, encode
from detectors.verdict import Status
from detectors.verdict import encode as encode_saying
from guard.bus import Outgoing, Topic, open_bus
from tests.fleet import Fleet
from tests.test_explain import CULPRIT, PERIODS, Explain
from tests.test_report import verdict


@pytest.fixture
def explain(tmp_path: Path) -> Explain:
    return Explain(tmp_path)


def lately(telemetry: list[Telemetry]) -> list[Telemetry]:
    """The same, ending now: a bus that takes them now would set older ones aside."""
    shift = float(int(time.time() - telemetry[-1].time) // 10 * 10)
    return [msgspec.structs.replace(record, time=record.time + shift) for record in telemetry]


def test_an_unknown_node_ends_2_on_files_and_bus(explain: Explain) -> None:
    for result in (explain.of(CULPRIT.records(3), "nope"), explain("nope")):
        assert (result.exit_code, result.stdout) == (2, "")
        assert "guard explain: nothing is known of node nope" in result.stderr
    answer = json.loads(explain("nope", "--json").stdout)
    assert (answer["schema"], answer["answer"], answer["exit"]) == ("guard.explain/1", "unanswered", 2)


def test_the_bus_tells_what_was_said_and_why(explain: Explain) -> None:
    telemetry = lately(CULPRIT.records(PERIODS))
    explain.publish(telemetry)
    shown = explain("node-003", "--width", "200")
    assert shown.exit_code == 0, shown.stderr
    assert "node-003 is a straggler" in shown.stdout
    assert "telemetry from the bus" in shown.stdout
    assert "another" not in shown.stdout
    end = datetime.fromtimestamp(telemetry[-1].time, UTC).isoformat()
    short = explain("node-003", "--at", end, "--span", "15s", "--width", "200").stdout
    assert "from this telemetry alone the verdict would be another (ok)" in short


def test_at_goes_back_to_before_the_accusation_and_to_before_everything(explain: Explain) -> None:
    explain.publish(lately(CULPRIT.records(PERIODS)))
    before = explain("node-003", "--at", "8m")
    assert before.stdout.startswith("node-003 is ok: it does 1.0")
    after = explain("node-003", "--at", "1m")
    assert after.stdout.startswith("node-003 is a straggler")
    never = explain("node-003", "--at", "3h")
    assert never.exit_code == 2
    assert "no detector has said anything about it by " in never.stderr


def test_telemetry_that_is_no_longer_kept_ends_2_and_says_what_to_do(explain: Explain) -> None:
    explain.publish(lately(CULPRIT.records(PERIODS)), telemetry_too=False)
    result = explain("node-003")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "node-003 is a straggler" in result.stderr
    assert "the bus holds no telemetry of job train from" in result.stderr
    assert "--from FILE" in result.stderr


def test_a_silent_or_idle_node_is_told_of_without_telemetry(explain: Explain) -> None:
    now = time.time()
    silent = verdict("n1", Status.SILENT, time=now - 60, since=now - 60)
    idle = verdict("n2", job=None, time=now - 60, since=now - 60)
    with open_bus(explain.bus) as bus:
        bus.publish([Outgoing(Topic.STATE, one.key, encode_saying(one)) for one in (silent, idle)], timeout=10)
    shown = explain("n1", "--width", "200")
    assert shown.exit_code == 0
    assert "n1 is silent: no telemetry came from it since about " in shown.stdout
    assert "there is no telemetry of job 81723 from this time" in shown.stdout
    assert "it is in no job" in explain("n2", "--width", "200").stdout


@pytest.mark.parametrize(
    "arguments", [("--span", "0s"), ("--span", "2d"), ("--span", "soon"), ("--at", "noon"), ("--width", "3")]
)
def test_wrong_options_end_2(explain: Explain, arguments: tuple[str, ...]) -> None:
    result = explain("node-003", *arguments)
    assert result.exit_code == 2
    assert "Usage" in result.stderr


def test_damaged_files_are_counted_and_an_absent_bus_is_said(explain: Explain) -> None:
    file = explain.path / "t.ndjson"
    file.write_bytes(b"{\n\xff\n" + b"".join(encode(one) + b"\n" for one in Fleet().records(5)))
    assert "2 records could not be read" in explain("node-003", "--from", str(file)).stdout
    explain.bus = "pigeon:post"
    assert explain("node-003").exit_code == 2
