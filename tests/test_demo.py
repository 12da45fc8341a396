"""What the demo makes of telemetry and verdicts, what it shows, and how it refuses."""

import io
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from collectors.telemetry import SCHEMA, Ranks, Steps, Telemetry
from detectors.verdict import VERDICT_SCHEMA, Cause, Role, Severity, Status, Verdict
from guard.commands.demo import command
from guard.demo.cluster import assign_cores
from guard.demo.display import Display, said
from guard.demo.options import Fault, Options
from guard.demo.result import Result, page, summary
from guard.demo.watch import Pace, Watch
from remediation.alerts.notice import About, Detail, Kind, Notice

NAMES = ["demo-node-0", "demo-node-1", "demo-node-2"]


def record(node: str, count: int, duration: float, compute: float, cluster: str = "demo") -> Telemetry:
    steps = Steps(
        count=[count],
        last_step=[count],
        duration=[duration if count else None],
        sections={"data": [0.1], "compute": [compute], "collective": [duration - compute - 0.1]}
        if count
        else None,
    )
    return Telemetry(
        SCHEMA, cluster, node, "i-1", "boot", 0, 1000.0, 1.0, ranks=Ranks(rank=[0]), steps=steps
    )  # fmt: skip


def verdict(node: str, status: Status, role: Role | None, cluster: str = "demo") -> Verdict:
    cause = Cause.COMPUTE if role else None
    return Verdict(
        VERDICT_SCHEMA, "id", cluster, node, "i-1", None, 1000.0, 990.0, status, role, cause, None, 0.6,
        Severity.WARNING, 0.9,
    )  # fmt: skip


def test_own_work_is_what_waits_for_nobody() -> None:
    watch = Watch("demo", NAMES)
    watch.telemetry(record("demo-node-1", 10, 1.0, 0.4))
    node = watch.nodes["demo-node-1"]
    assert node.now.step_time == pytest.approx(0.1)
    assert node.now.own_work == pytest.approx(0.05)
    assert node.now.wait == pytest.approx(0.05)


def test_a_period_without_a_step_leaves_the_newest_pace_as_it_was() -> None:
    watch = Watch("demo", NAMES)
    watch.telemetry(record("demo-node-1", 10, 1.0, 0.4))
    watch.telemetry(record("demo-node-1", 0, 0.0, 0.0))
    assert watch.nodes["demo-node-1"].now.steps == 10


def test_a_phase_adds_up_its_own_records_only() -> None:
    watch = Watch("demo", NAMES)
    watch.telemetry(record("demo-node-1", 10, 1.0, 0.4))
    first = watch.begin_phase()
    watch.telemetry(record("demo-node-1", 5, 2.0, 0.4))
    second = watch.begin_phase()
    assert (first["demo-node-1"].step_time, second["demo-node-1"].step_time) == pytest.approx((0.1, 0.4))
    assert second["demo-node-0"].step_time is None


def test_it_trains_when_every_node_has_made_a_step() -> None:
    watch = Watch("demo", NAMES)
    for name in NAMES:
        assert not watch.training
        watch.telemetry(record(name, 3, 1.0, 0.4))
    assert watch.training


def test_records_of_other_clusters_and_nodes_are_left_out() -> None:
    watch = Watch("demo", NAMES)
    watch.telemetry(record("demo-node-1", 10, 1.0, 0.4, cluster="other"))
    watch.telemetry(record("stranger", 10, 1.0, 0.4))
    watch.saying(verdict("demo-node-1", Status.STRAGGLER, Role.CULPRIT, cluster="other"))
    assert watch.nodes["demo-node-1"].now.steps == 0
    assert watch.accused == watch.ever_accused == set()


def test_an_accusation_that_was_taken_back_is_not_forgotten() -> None:
    watch = Watch("demo", NAMES)
    watch.saying(verdict("demo-node-1", Status.STRAGGLER, Role.CULPRIT))
    watch.saying(verdict("demo-node-1", Status.OK, None))
    watch.saying(verdict("demo-node-2", Status.WATCH, Role.VICTIM))
    assert watch.accused == set()
    assert watch.ever_accused == {"demo-node-1"}
    assert watch.unjudged == ["demo-node-0"]


@pytest.mark.parametrize(
    ("slowed", "accused", "unjudged", "right"),
    [
        ("demo-node-1", ["demo-node-1"], [], True),
        ("demo-node-1", [], [], False),
        ("demo-node-1", ["demo-node-2"], [], False),
        ("demo-node-1", ["demo-node-1", "demo-node-2"], [], False),
        (None, [], [], True),
        (None, ["demo-node-1"], [], False),
        (None, [], ["demo-node-0"], False),
    ],
)
def test_right_is_exactly_the_slowed_node_and_every_node_judged(
    slowed: str | None, accused: list[str], unjudged: list[str], right: bool
) -> None:
    result = Result(slowed, seed=1, accused=accused, unjudged=unjudged)
    result.pages = [notice(name, kind) for name in accused for kind in (Kind.TRIGGER, Kind.RESOLVE)]
    for name in NAMES:
        result.healthy[name] = Pace(10, 0.3, 0.25, 0.05)
        result.with_fault[name] = Pace(10, 0.9, 0.25, 0.65)
    assert result.right is right
    assert result.document()["right"] is right
    assert summary(result)[-1].startswith("Right" if right else "WRONG")


def notice(node: str, kind: Kind, page: str = "") -> Notice:
    number = 1 if kind is Kind.TRIGGER else 2
    return Notice(
        id=f"{node}-{page}-{number}",
        page=page or f"page-{node}",
        number=number,
        kind=kind,
        about=About.STRAGGLER,
        cluster="demo",
        node=node,
        severity=Severity.WARNING,
        first_severity=Severity.WARNING,
        time=1000.0 + number,
        since=990.0,
        summary=f"{node} slows job demo",
        details=(Detail("cost", "half"),),
        approve="guard approve x",
        runbook="straggler",
    )


TRIGGER, UPDATE, RESOLVE = Kind.TRIGGER, Kind.UPDATE, Kind.RESOLVE


@pytest.mark.parametrize(
    ("told", "right"),
    [
        ([("demo-node-1", TRIGGER, "p"), ("demo-node-1", RESOLVE, "p")], True),
        ([("demo-node-1", TRIGGER, "p"), ("demo-node-1", UPDATE, "p"), ("demo-node-1", RESOLVE, "p")], True),
        ([("demo-node-1", TRIGGER, "p")], False),
        ([("demo-node-1", TRIGGER, "p"), ("demo-node-1", RESOLVE, "q")], False),
        ([("demo-node-2", TRIGGER, "p"), ("demo-node-2", RESOLVE, "p")], False),
        ([], False),
    ],
)
def test_one_page_for_the_slowed_node_from_trigger_to_resolve_is_right_and_nothing_else(told, right) -> None:
    result = Result("demo-node-1", seed=1, accused=["demo-node-1"])
    result.pages = [notice(*one) for one in told]
    assert result.paged_right is right


def test_the_page_reads_as_it_was_sent() -> None:
    assert page(notice("demo-node-1", TRIGGER)) == [
        "warning: demo-node-1 slows job demo",
        "  cost      half",
        "  approve   guard approve x",
        "  runbook   guard runbook straggler",
    ]


def test_the_seed_chooses_the_node_and_chooses_it_again(tmp_path: Path) -> None:
    chosen = [Options(tmp_path, seed=seed).slowed for seed in range(40)]
    assert chosen == [Options(tmp_path, seed=seed).slowed for seed in range(40)]
    assert set(chosen) == {f"demo-node-{index}" for index in range(4)}
    assert Options(tmp_path, node=3).slowed == "demo-node-3"
    assert Options(tmp_path, fault=Fault.NONE, node=3).slowed is None


@given(world=st.integers(1, 16), cores=st.integers(0, 70))
def test_every_core_in_use_has_equally_many_ranks(world: int, cores: int) -> None:
    assigned = assign_cores(world, list(range(100, 100 + cores)))
    assert len(assigned) == world
    if cores == 0:
        assert set(assigned) == {None}
    else:
        assert len({assigned.count(core) for core in assigned}) == 1
        assert {core for core in assigned if core is not None} <= set(range(100, 100 + cores))


@pytest.mark.parametrize("terminal", [True, False])
def test_the_display_names_phase_nodes_times_and_verdicts(terminal: bool) -> None:
    out = io.StringIO()
    watch = Watch("demo", NAMES)
    with Display(Console(file=out, force_terminal=terminal, width=140), watch) as display:
        display.phase("healthy")
        for name in NAMES:
            watch.telemetry(record(name, 10, 0.31, 0.12))
        watch.saying(verdict("demo-node-1", Status.STRAGGLER, Role.CULPRIT))
        display._next_line = 0.0
        display.update()
    text = out.getvalue()
    for expected in ("healthy", "31", "22", "straggler culprit compute"):
        assert expected in text
    assert ("demo-node-2" in text) is terminal


def test_a_verdict_in_words_says_what_it_costs_only_when_it_accuses() -> None:
    assert said(verdict("n", Status.STRAGGLER, Role.CULPRIT)) == "straggler culprit compute, costs 60% of the step"
    assert said(verdict("n", Status.OK, None)) == "ok"
    assert said(verdict("n", Status.WATCH, Role.VICTIM)) == "watch victim compute"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--nodes", "3"], "--nodes"),
        (["--nodes", "4", "--node", "4"], "0 to 3"),
        (["--fault", "meteor"], "meteor"),
        (["--healthy-seconds", "0"], "--healthy-seconds"),
        (["--bus", "carrier-pigeon:coop"], "expected file:PATH"),
    ],
)
def test_wrong_arguments_end_2_and_say_why(arguments: list[str], reason: str) -> None:
    answer = CliRunner().invoke(command, arguments)
    assert answer.exit_code == 2
    assert reason in answer.output


def test_a_directory_to_keep_must_be_empty(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    answer = CliRunner().invoke(command, ["--keep", str(tmp_path)])
    assert answer.exit_code == 2
    assert "not empty" in answer.output
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
