"""``guard explain`` over files and a bus: what it tells of whom, and how it ends."""

import json
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from click.testing import CliRunner, Result

from collectors.telemetry import Fault as Reported
from collectors.telemetry import Telemetry, encode
from detectors.detector import Detector
from detectors.verdict import Status, Verdict
from detectors.verdict import encode as encode_saying
from guard.bus import Outgoing, Topic, open_bus
from guard.bus.kafka_settings import KafkaSettings
from guard.commands.explain import command
from guard.replay import in_order, replay
from simulation.case import Case, Fault, FaultKind, Shape
from simulation.records import records
from tests.fleet import QUICK, START, Fleet, slow_from

CULPRIT = Fleet(slow=slow_from(3, 20, 2.0))
PERIODS = 60


class Explain:
    """The command, over files or a bus of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.bus = f"file:{path / 'bus.sqlite'}"

    def __call__(self, *arguments: str) -> Result:
        config = SimpleNamespace(bus=self.bus, kafka=KafkaSettings(), detect=QUICK)
        result = CliRunner().invoke(command, arguments, obj=SimpleNamespace(config=config))
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    def of(self, telemetry: list[Telemetry], node: str, *arguments: str) -> Result:
        file = self.path / "telemetry.ndjson"
        file.write_bytes(b"".join(encode(record) + b"\n" for record in telemetry))
        return self(node, "--from", str(file), *arguments)

    def told(self, telemetry: list[Telemetry], node: str, *arguments: str) -> str:
        """What it prints, with single spaces: where lines break is another matter."""
        result = self.of(telemetry, node, "--width", "200", *arguments)
        assert result.exit_code == 0, result.stderr
        return " ".join(result.stdout.split())

    def publish(self, telemetry: list[Telemetry], *, telemetry_too: bool = True) -> None:
        """Put telemetry on the bus, and what the detector says of it."""
        said = list(replay(Detector(QUICK), QUICK, list(in_order(telemetry)), lambda _done, _of: None))
        outgoing = [Outgoing(Topic.TELEMETRY, one.key, encode(one)) for one in telemetry if telemetry_too]
        for topic in (Topic.VERDICTS, Topic.STATE):
            outgoing += [Outgoing(topic, one.key, encode_saying(one)) for one in said]
        with open_bus(self.bus) as bus:
            bus.publish(outgoing, timeout=10)


@pytest.fixture
def explain(tmp_path: Path) -> Explain:
    return Explain(tmp_path)


def test_a_culprit_is_told_in_words_numbers_and_charts(explain: Explain) -> None:
    shown = explain.told(CULPRIT.records(PERIODS), "node-003")
    assert shown.startswith("node-003 is a straggler: it does 1.9 times the own work of its 7 peers, since ")
    for words in (
        "without it a step would be 45.1 % shorter",
        "7 other nodes with the same part in the job: stage 0, trn2.48xlarge",
        "of 23 needed",
        "in 7 of the last 7 windows",
        "It arrives last and the others wait for it",
        "a step would take 0.97",
        "yes enough peers: 7 (3 needed)",
        "Nothing excuses it: culprit.",
        "compute: its compute takes longer.",
        "Job train of 8 nodes is slow.",
        "█ this node ─ needed to accuse",
    ):
        assert words in shown


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_wider_than_asked(explain: Explain, width: int) -> None:
    result = explain.of(CULPRIT.records(PERIODS), "node-003", "--width", str(width))
    assert max(map(len, result.stdout.splitlines())) <= width


def test_a_node_that_waits_is_ok_and_why(explain: Explain) -> None:
    shown = explain.told(CULPRIT.records(PERIODS), "node-001")
    assert shown.startswith("node-001 is ok: it does 1.00 times the own work of its 7 peers ")
    assert "It waits as they do." in shown
    assert "healthy in all 60 windows" in shown
    assert "Suspected instead: node-003." in shown
    assert "Accused in it: node-003." in shown


def test_too_few_peers_is_why_nobody_is_accused(explain: Explain) -> None:
    shown = explain.told(Fleet(nodes=3, slow=slow_from(2, 20, 2.0)).records(PERIODS), "node-002")
    assert "node-002 is watched, not accused" in shown
    assert "too few to accuse one: 3 are needed" in shown
    assert "NO enough peers: 2 (3 needed)" in shown
    assert "So it is not accused: inconclusive." in shown


def test_unsynchronised_sections_are_named_as_what_is_missing(explain: Explain) -> None:
    shown = explain.told(Fleet(synced=None).records(20), "node-002")
    assert "its own work could not be compared" in shown
    assert "note: its sections are not synchronised" in shown


def test_hints_where_times_cannot_tell(explain: Explain) -> None:
    case = Case(
        seed=3, name="hints", minutes=25, sections=False,
        faults=(Fault(FaultKind.MEMORY, (3,), start=600.0, factor=1.5, rank=2),),
    )  # fmt: skip
    shown = explain.told(list(records(case)), "node-0003")
    assert "node-0003 is watched, not accused: its hardware signals stand out most (memory)" in shown
    assert "the job reports no sections" in shown
    assert "a place to look, and no proof" in shown
    assert "neuron.ecc.mem.corrected" in shown


def test_a_slow_link_and_a_rack_and_a_hang(explain: Explain) -> None:
    def case(kind: FaultKind, nodes: tuple[int, ...] = (3,)) -> list[Telemetry]:
        fault = Fault(kind, nodes, start=600.0, factor=1.5)
        return list(records(Case(seed=3, name="j", shape=Shape(12), minutes=20, faults=(fault,))))

    shown = explain.told(case(FaultKind.LINK), "node-0003")
    assert "node-0003 has a slow link" in shown
    assert "Of all nodes its network counters alone stand out." in shown
    shown = explain.told(case(FaultKind.COMPUTE, (1, 2, 3)), "node-0003")
    assert "others slowed together with it" in shown
    assert "NO slow alone: 3 nodes slowed together" in shown
    shown = explain.told(case(FaultKind.HANG), "node-0003")
    assert "no step ends, and the others wait for it" in shown
    assert "It is stuck in one section (compute)" in shown
    assert "shorter" not in shown


def test_a_silent_node_since_when(explain: Explain) -> None:
    kept = [one for one in Fleet().records(30) if one.node != "node-003" or one.time <= START + 100]
    shown = explain.told(kept, "node-003")
    assert shown.startswith("node-003 is silent: no telemetry came from it after ")
    assert "what follows is from before its silence" in shown


def test_hard_errors_come_first(explain: Explain) -> None:
    error = Reported("SRAM_UNCORRECTABLE_ERROR", START + 100, 1, "bank \x1b[2J")
    shown = explain.told(Fleet(faults={(3, 10): [error]}).records(20), "node-003")
    assert "its hardware reported SRAM_UNCORRECTABLE_ERROR of device 1" in shown
    assert shown.index("Errors that it reported") < shown.index("Own work per step")
    assert "bank \\x1b[2J" in shown


def test_hostile_names_steer_no_terminal(explain: Explain) -> None:
    name = "\x1b]0;owned\x07\u202enode"
    hostile = [
        msgspec.structs.replace(
            one,
            node=one.node.replace("node", name),
            instance="i\x1b[31m",
            labels={"instance_type": "trn\x1b[2J\n2"},
            job=msgspec.structs.replace(one.job, id="job\x9b2J") if one.job else None,
            gauges={"sig\x1bnal": 1.0},
        )
        for one in CULPRIT.records(PERIODS)
    ]  # fmt: skip
    shown = explain.of(hostile, f"{name}-003")
    assert shown.exit_code == 0
    assert "\\x1b]0;owned\\x07\\u202enode-003 is a straggler" in shown.stdout
    as_json = explain.of(hostile, f"{name}-003", "--json").stdout
    unknown = explain.of(hostile, f"{name}-x")
    assert unknown.exit_code == 2
    for text in (shown.stdout, as_json, unknown.stderr):
        assert all(letter.isprintable() or letter == "\n" for letter in text)


def test_a_node_in_two_clusters_is_asked_about(explain: Explain) -> None:
    both = [msgspec.structs.replace(one, cluster=cluster) for one in Fleet().records(5) for cluster in ("a", "b")]
    assert "is in 2 clusters (a, b): add --cluster" in explain.of(both, "node-003").stderr
    assert explain.of(both, "node-003", "--cluster", "b").exit_code == 0


def test_json_is_one_object_with_verdict_chain_and_series(explain: Explain) -> None:
    told = json.loads(explain.told(CULPRIT.records(PERIODS), "node-003", "--json"))
    assert (told["schema"], told["answer"], told["exit"]) == ("guard.explain/1", "explained", 0)
    assert (told["said"]["role"], told["retold"]["role"]) == ("culprit", "culprit")
    assert [link["about"] for link in told["chain"]][:3] == [
        "Who it is compared with", "Own work per step", "Evidence over time",
    ]  # fmt: skip
    assert len(told["windows"]) == PERIODS
    last = told["windows"][-1]
    assert last["own"] > 1.8 * last["typical"] > 0
    assert last["low"] <= last["typical"] <= last["high"]
    assert last["evidence"] > last["bar"] > 0
    assert (last["peers"], last["role"], last["widened"]) == (7, "culprit", False)


@pytest.mark.parametrize("wrong", [1e300, -1e300])
def test_absurd_times_end_without_a_traceback(explain: Explain, wrong: float) -> None:
    telemetry = CULPRIT.records(20)
    absurd = msgspec.structs.replace(telemetry[3], time=wrong, seq=999)
    for arguments in ((), ("--json",)):
        assert explain.of([*telemetry, absurd], "node-003", *arguments).exit_code in (0, 2)


def test_looking_on_changes_nothing_that_is_said() -> None:
    seen = []
    ordered = list(in_order(CULPRIT.records(PERIODS)))
    plain = list(replay(Detector(QUICK), QUICK, ordered, lambda _done, _of: None))
    watched = list(replay(Detector(QUICK, watch=seen.append), QUICK, ordered, lambda _done, _of: None))
    assert watched == plain
    assert any(isinstance(one, Verdict) and one.status is Status.STRAGGLER for one in plain)
    assert len(seen) == PERIODS
    assert (seen[-1].cluster, seen[-1].job, seen[-1].names[3]) == ("c", "train", "node-003")
