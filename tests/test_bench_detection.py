"""A run of the benchmark: the same for any number of processes, and it goes on where it was stopped."""

import msgspec
import pytest

from detectors.policy import Policy
from guard.bench.lineup import OURS, line_up
from guard.bench.page import NoMarkersError, results, write_between
from guard.bench.run import Task, measure
from guard.bench.store import Plan, PlanChangedError, Store
from guard.bench.tables import scores, tables
from simulation.baselines import Name
from simulation.case import Case, Fault, FaultKind, Shape

LINEUP = line_up([OURS, Name.DLROVER], ablations=False, tuned={Name.DLROVER: 1.2}, policy=Policy())
PLAN = Plan({"healthy": 2, "faulty": 2}, 1, LINEUP, 0, "abc")
FAULT = Fault(FaultKind.COMPUTE, (2,), 120.0, None, 2.5)
TASKS = [
    Task(suite, Case(seed, f"{suite}-{seed}", Shape(8), minutes=10.0, faults=faults))
    for suite, faults in (("healthy", ()), ("faulty", (FAULT,)))
    for seed in (1, 2)
]


def ran(path, tasks=TASKS, jobs=1, start=Store.begin, plan=PLAN):
    done = []
    store = start(path, plan)
    measure(tasks, LINEUP, store, jobs, done.append)
    return store, sum(done)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """The file that an undisturbed run leaves."""
    path = tmp_path_factory.mktemp("bench") / "whole"
    ran(path)
    return path


def test_any_number_of_processes_gives_the_same_file(kept, tmp_path):
    ran(tmp_path / "two", jobs=2)
    assert kept.read_bytes() == (tmp_path / "two").read_bytes()


def test_a_run_that_was_killed_goes_on_and_ends_the_same(kept, tmp_path):
    whole = kept.read_bytes()
    (tmp_path / "cut").write_bytes(whole[: whole.index(b"\n", whole.index(b"\n") + 1) + 40])
    store, done = ran(tmp_path / "cut", start=Store.resume)
    assert done == len(TASKS)
    assert (tmp_path / "cut").read_bytes() == whole
    assert len(store.outcomes()) == len(TASKS) * len(LINEUP.names)


def test_a_run_does_not_go_on_with_results_of_other_code(tmp_path):
    ran(tmp_path / "kept", TASKS[:1])
    with pytest.raises(PlanChangedError, match="resume"):
        Store.resume(tmp_path / "kept", msgspec.structs.replace(PLAN, commit="def"))


def test_to_go_on_with_nothing_is_to_begin(tmp_path):
    _, done = ran(tmp_path / "new", TASKS[:1], start=Store.resume)
    assert done == 1


def test_the_tables_hold_what_was_found(kept):
    groups = scores(Store.resume(kept, PLAN).outcomes(), LINEUP)
    assert list(groups) == ["healthy and faulty", "healthy", "faulty"]
    by_name = {one.detector: one for one in groups["healthy and faulty"]}
    assert by_name["dlrover published"].found == by_name["dlrover tuned"].found == 2
    who, when, *_ = tables(groups, 30.0)
    assert [row[0] for row in who.rows][-2:] == ["GUARD (MLSys 2026)", "Minder (NSDI 2025)"]
    assert all(len(row) == len(table.headings) for table in (who, when) for row in table.rows)


def test_results_go_between_the_markers_and_nowhere_else(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- detection: begin -->\nold\n<!-- detection: end -->\nafter\n")
    text = results([], suites={"healthy": 2}, seed=1, commit="abc", thresholds={})
    write_between(page, "detection", text)
    assert "old" not in page.read_text()
    assert page.read_text().startswith("before\n")
    assert page.read_text().endswith("\nafter\n")
    with pytest.raises(NoMarkersError):
        write_between(page, "healthy", text)


def test_parts_of_ours_are_compared_on_the_cases_that_all_of_them_saw(tmp_path):
    lineup = line_up([OURS], ablations=True, tuned={}, policy=Policy())
    store = Store.begin(tmp_path / "run", msgspec.structs.replace(PLAN, lineup=lineup))
    measure([TASKS[2]._replace(ablated=True), TASKS[3]], lineup, store, 1, lambda _: None)
    groups = scores(store.outcomes(), lineup)
    assert [(one.detector, one.cases) for one in groups["faulty"]] == [(OURS, 2)]
    parts = groups["parts of ours, faulty"]
    assert {one.cases for one in parts} == {1}
    assert [one.detector for one in parts] == list(lineup.parts)
