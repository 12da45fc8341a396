"""Real traces as telemetry: what they say of work and waiting survives, to the last microsecond."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from collectors.telemetry import decode, encode
from guard.commands import Session
from guard.commands.replay import command
from tests.conftest import CAPTURES
from tools.bytedance.noise import measure
from tools.bytedance.records import START, records
from tools.bytedance.trace import TraceError, read

DATA = CAPTURES / "bytedance"
pytestmark = pytest.mark.needs("captures")
TRACES = pytest.mark.parametrize("name", ["AR", "ST"])


@cache
def trace_of(name: str):
    return read(DATA / f"trace-{name}.parquet", DATA / f"meta-{name}.yaml")


def over_peers(trace):
    """Mean own work of each rank over the median of its stage, by rank."""
    own = trace.spent["compute"].mean(axis=0)
    return {
        int(rank): own[row] / np.median(own[trace.stage == trace.stage[row]])
        for row, rank in enumerate(trace.rank)
    }


def test_a_step_is_as_long_for_every_rank_of_the_job_with_a_straggler():
    trace = trace_of("AR")
    assert trace.duration.mean() == pytest.approx(46.6, abs=0.1)
    assert np.ptp(trace.duration, axis=1).max() < 0.001 * 46.6


def test_own_work_names_the_straggler_and_nobody_else():
    ratio = over_peers(trace_of("AR"))
    assert ratio.pop(0) == pytest.approx(2.35, abs=0.01)
    assert max(ratio.values()) == pytest.approx(1.004, abs=0.001)
    assert min(ratio.values()) > 0.99


def test_unequal_stages_differ_and_their_ranks_do_not():
    trace = trace_of("ST")
    own = trace.spent["compute"].mean(axis=0)
    assert own[trace.stage == 3].min() > 1.5 * own[trace.stage < 3].max()
    assert all(abs(ratio - 1) < 0.005 for ratio in over_peers(trace).values())


@TRACES
def test_sums_are_those_of_the_trace(name):
    trace = trace_of(name)
    table = pd.read_parquet(DATA / f"trace-{name}.parquet")
    work = table[table.optype.isin(["forward-compute", "backward-compute", "optimizer"])]
    expected = work.groupby("rank").duration.sum(numeric_only=True).astype(float)
    sums = dict.fromkeys(expected.index, 0.0)
    steps = dict.fromkeys(expected.index, 0)
    for record in records(trace):
        rank = record.ranks.rank[0]
        sums[rank] += record.steps.sections["compute"][0] or 0.0
        steps[rank] += record.steps.count[0]
    assert set(steps.values()) == {table.step.nunique()}
    for rank, seconds in sums.items():
        # The trace's own rounding lets operations overlap by 0.1 ms; counted once here, twice there.
        assert seconds == pytest.approx(expected[rank], rel=1e-4)


@TRACES
def test_sections_fill_a_step_and_do_not_exceed_it(name):
    trace = trace_of(name)
    told = sum(trace.spent.values())
    assert (told <= trace.duration + 1e-6).all()
    # In AR the last stage waits 22 s for the straggler where nothing was recorded, before it reduces gradients.
    assert (told > 0.9 * trace.duration)[:, trace.stage < 3].all()


@TRACES
def test_records_are_of_the_contract(name):
    trace = trace_of(name)
    last = {}
    for record in records(trace):
        assert decode(encode(record)) == record
        steps, (rank,) = record.steps, record.ranks.rank
        assert (record.time - START) % record.period == 0
        if steps.count[0]:
            assert record.time - record.period < steps.last_end[0] <= record.time
            assert (last.get(rank) or -1) < steps.first_step[0] <= steps.last_step[0]
        else:
            assert steps.duration == steps.sections["compute"] == steps.first_step == [None]
            assert steps.last_step == [last.get(rank)]
        last[rank] = steps.last_step[0]
    assert set(last.values()) == {trace.steps[-1]}


def test_what_a_rank_does_now_is_told():
    mid = [record.steps for record in records(trace_of("AR")) if record.time == START + 40]
    assert [steps.current for steps in mid[:2]] == [["compute"], ["collective"]]  # the straggler, and who waits
    assert mid[0].current_age[0] < 1
    assert mid[1].current_age[0] > 10


@TRACES
def test_replay_reads_all_of_it(name, tmp_path: Path):
    lines = [encode(record) for record in records(trace_of(name))]
    (tmp_path / "records.ndjson").write_bytes(b"\n".join(lines))
    result = CliRunner().invoke(
        command, [str(tmp_path / "records.ndjson"), "--verdicts", str(tmp_path / "out")], obj=Session(None)
    )
    assert result.exit_code == 0, result.output
    assert f"{len(lines):,} records read" in result.stderr
    assert "set aside" not in result.stderr


def test_noise_is_a_replicas_work_for_the_most_part():
    stages, parts = measure(trace_of("AR"))
    assert [stage.ranks for stage in stages] == [3, 4, 4, 4]  # without the straggler
    assert parts.replica == pytest.approx(0.0042, abs=0.0005)
    assert parts.rank == pytest.approx(0.0013, abs=0.0005)
    assert all(stage.corrected < 0.5 * stage.left for stage in stages)


def test_a_trace_of_another_layout_is_refused():
    with pytest.raises(TraceError, match="4 stages by 2 replicas"):
        read(DATA / "trace-AR.parquet", DATA / "meta-ST.yaml")


def test_an_unknown_operation_is_refused(tmp_path: Path):
    table = pd.read_parquet(DATA / "trace-ST.parquet")
    table["optype"] = table.optype.astype(str).replace("gc", "lunch")
    table.to_parquet(tmp_path / "trace.parquet")
    with pytest.raises(TraceError, match="unknown operations lunch"):
        read(tmp_path / "trace.parquet")
