"""``guard simulate loop`` as it is called, the figures it tells, and the trace it reads."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from guard.commands.simulate import command
from guard.simulate.assumptions import DAY, Assumptions, sources
from guard.simulate.measures import FIGURES, difference, figure
from guard.simulate.regimes import Regime
from guard.simulate.repairs import QUANTILES, TraceError, read
from guard.simulate.tables import refusals, results
from remediation.policy import Policy
from tests.conftest import CAPTURES
from tests.loop_months import SMALL, fault, lived

SESSION = SimpleNamespace(config=SimpleNamespace(remediation=SimpleNamespace(policy=Policy())))
TINY = ("--nodes", 16, "--spares", 4, "--days", 2, "--set", "rate=100", "--jobs", 1)


def loop(*arguments):
    return CliRunner().invoke(command, ["loop", *map(str, arguments)], obj=SESSION)


def by_name(name):
    return next(one for one in FIGURES if one.name == name)


def test_a_run_leaves_a_table_a_page_a_picture_and_all_of_it_as_json(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- loop: begin -->\nstale\n<!-- loop: end -->\nafter\n")
    done = loop(*TINY, "--seeds", 3, "--out", tmp_path / "out", "--page", page, "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["schema"] == "guard.simulate-loop/1"
    assert len(told["months"]) == 9
    assert set(told["figures"]["goodput"]["regimes"]) == set(Regime)
    assert told["figures"]["MTTF"]["published"] == "6.6 → 16.7 h"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"loop.json", "loop.png"}
    assert json.loads((tmp_path / "out/loop.json").read_bytes()) == told
    text = page.read_text()
    assert "stale" not in text
    assert "the data differ" in text
    for name, *_ in sources(SMALL):
        assert f"| {name} |" in text


def test_the_table_tells_every_figure_with_what_guard_gives_and_what_was_published(tmp_path):
    done = loop(*TINY, "--seeds", 2, "--out", tmp_path, "--no-plot")
    assert done.exit_code == 0, done.output
    for one in FIGURES:
        assert one.name in done.stdout
    for words in (*Regime, "guard over checks, same faults", "17 → 10 s", "the data differ"):
        assert words in done.stdout
    assert not (tmp_path / "loop.png").exists()


@pytest.mark.timeout(300)  # new processes, on whatever else the machine does
def test_results_do_not_depend_on_the_number_of_processes(tmp_path):
    for jobs in (1, 2):
        done = loop(*TINY, "--seeds", 2, "--jobs", jobs, "--out", tmp_path / str(jobs), "--no-plot")
        assert done.exit_code == 0, done.output
    one, two = ((tmp_path / str(jobs) / "loop.json").read_bytes() for jobs in (1, 2))
    assert one == two


def test_another_seed_is_another_month(tmp_path):
    useful = []
    for seed in (1, 2):
        done = loop(*TINY, "--seeds", 1, "--seed", seed, "--out", tmp_path, "--no-plot", "--json")
        useful.append(json.loads(done.stdout)["months"][0]["useful"])
    assert useful[0] != useful[1]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--set", "rat=3"), "rat"),
        (("--set", "rate=fast"), "rate"),
        (("--set", "rate=-1"), "rate"),
        (("--set", "nodes=8"), "there is --nodes"),
        (("--set", "slow=0.9", "--set", "hang=0.9"), "they are shares"),
        (("--trace", "."), "InfiniteHBD"),
        (("--page", "/dev/null"), "put them where the results belong"),
    ],
)
def test_a_mistake_is_told_in_a_line_before_anything_is_simulated(tmp_path, arguments, told):
    done = loop(*TINY, *arguments, "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert told in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_gain_is_paired_so_that_equal_months_differ_by_nothing_for_sure():
    months = [lived(Regime.CHECKS, [fault(factor=1 + seed / 10)], seed=seed) for seed in range(1, 6)]
    wide, gain = figure(by_name("goodput"), months), difference(by_name("goodput"), months, months)
    assert wide.low < wide.value < wide.high
    assert (gain.value, gain.low, gain.high) == (0, 0, 0)


def test_what_never_happened_has_no_mean_time_between():
    quiet = [lived(Regime.GUARD, [])]
    assert figure(by_name("MTTF"), quiet) is None
    assert figure(by_name("between interventions"), quiet) is None
    assert figure(by_name("goodput"), quiet).value == pytest.approx(100)
    cells = {row[0]: row[1] for row in results({Regime.GUARD: quiet}).rows}
    assert cells["MTTF, h"] == "none"
    assert refusals({Regime.GUARD: quiet}) is None


def test_every_assumption_has_a_source():
    assert len(sources(SMALL)) == len(Assumptions.__struct_fields__)
    assert all(what and source for _, _, what, source in sources(SMALL))


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=2, max_size=20))
def test_repairs_without_a_trace_follow_its_quantiles(shares):
    lasting = QUANTILES.at(np.sort(np.array(shares)))
    assert (np.diff(lasting) >= 0).all()
    assert QUANTILES.at(np.array([0.5]))[0] == pytest.approx(0.8506 * DAY)


def write(folder, entries):
    (folder / "fault_trace.json").write_text(json.dumps(entries))
    return folder


def entry(node, time, kind):
    return {"node_id": node, "event_time": time, "event_type": kind, "fault_type": {"Level": "x"}}


def test_a_trace_gives_how_long_each_fault_lasted(tmp_path):
    events = [entry("a", 1.0, "fault_start"), entry("b", 2.0, "fault_start"), entry("b", 2.5, "fault_end")]
    events += [entry("a", 4.0, "fault_end"), entry("c", 5.0, "fault_start"), entry("d", 6.0, "fault_end")]
    found = read(write(tmp_path, events))
    assert found.lasting == (0.5 * DAY, 3.0 * DAY)
    assert list(found.at(np.array([0.0, 0.49, 0.5, 0.999]))) == [0.5 * DAY, 0.5 * DAY, 3.0 * DAY, 3.0 * DAY]


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", "[]", '[{"node_id": "a"}]', json.dumps([entry("a", math.nan, "fault_start")])]
)
def test_what_is_no_trace_is_refused_with_its_path(tmp_path, text):
    (tmp_path / "fault_trace.json").write_text(text)
    with pytest.raises(TraceError, match=r"fault_trace\.json"):
        read(tmp_path)


@pytest.mark.needs("captures")
def test_the_real_trace_has_the_quantiles_that_stand_in_for_it():
    trace = read(CAPTURES / "infinitehbd")
    shares = np.array([0.25, 0.5, 0.75, 0.9])
    assert len(trace.lasting) == 584
    assert trace.at(shares) == pytest.approx(QUANTILES.at(shares), rel=0.05)
