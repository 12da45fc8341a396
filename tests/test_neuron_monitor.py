"""neuron-monitor as a child: whatever it does, the reader keeps going, says what happened, and reaps it."""

import json
import subprocess
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors import neuron_child, neuron_report
from collectors.neuron_monitor import NeuronMonitor
from collectors.reading import Gap, Reading
from tests.neuron_monitor_fixture import (
    EMULATOR,
    PERIOD,
    children_of,
    is_data,
    made,
    quick,
    wait_for_answer,
)

__all__ = ["made", "quick"]  # fixtures


@pytest.fixture
def collector(made):
    return made(EMULATOR)


def test_it_is_a_typed_binding_of_its_own():
    before = set(children_of("self"))
    with NeuronMonitor(EMULATOR, PERIOD) as monitor:
        for number, arrival in enumerate(monitor):
            assert len(arrival.report.neuron_runtime_data) == 2
            assert abs(arrival.wall - time.time()) < 5
            if number == 2:
                break
    assert set(children_of("self")) <= before


def test_reports_become_names_of_the_contract_and_nothing_private(collector):
    reading = wait_for_answer(collector, is_data)
    assert len(reading.gauges["neuron.core.utilization"]) == 32
    assert 0.9 < max(reading.gauges["neuron.core.utilization"]) <= 1.0
    assert reading.counters["neuron.exec.completed"] > 0
    assert reading.labels == {"instance_type": "trn1.32xlarge", "az": "use1-az6"}
    sent = str(reading)
    assert not any(word in sent for word in ("ami-", "subnet-", "/var/tmp", "neff"))


def test_the_first_increase_is_unknown_not_zero(collector):
    assert wait_for_answer(collector, is_data).counters["neuron.ecc.mem.corrected"] == [None] * 16
    assert wait_for_answer(collector, is_data).counters["neuron.ecc.mem.corrected"] == [0] * 16


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("garbage", "is no report"),
        ("half", "exited with 1"),
        ("exit", "exited with 1 (fatal: device lost)"),
        ("silence", "silent for"),
    ],
)
def test_a_fault_is_told_and_data_is_back_within_two_periods_of_recovery(collector, monkeypatch, fault, told):
    monkeypatch.setenv("GUARD_EMULATE_FAULT", f"{fault}@3")
    wait_for_answer(collector, is_data)
    wait_for_answer(collector, lambda answer: told in str(answer))
    wait_for_answer(collector, is_data, seconds=5 + 2 * PERIOD)


def test_a_line_of_two_megabytes_is_read(collector, monkeypatch):
    monkeypatch.setenv("GUARD_EMULATE_FAULT", "huge@2")
    for _ in range(4):
        wait_for_answer(collector, is_data)
    assert collector._monitor.refused == 0


def test_a_line_beyond_the_limit_is_thrown_away_and_counted(collector, monkeypatch):
    monkeypatch.setattr(neuron_child, "LONGEST_LINE", 1 << 20)
    monkeypatch.setenv("GUARD_EMULATE_FAULT", "huge@2")
    wait_for_answer(collector, lambda _: collector._monitor.refused == 1)
    wait_for_answer(collector, is_data)


def test_a_flood_on_stderr_blocks_nothing(collector, monkeypatch):
    monkeypatch.setenv("GUARD_EMULATE_FAULT", "flood@2")
    for _ in range(4):
        wait_for_answer(collector, is_data)


def test_null_devices_and_error_strings_are_unknown_not_zero(collector, made, monkeypatch):
    monkeypatch.setenv("GUARD_EMULATE_FAULT", ",".join(f"null@{n}" for n in range(2, 200)))
    wait_for_answer(
        collector, lambda answer: is_data(answer) and "neuron.ecc.mem.corrected" not in answer.counters
    )
    monkeypatch.setenv("GUARD_EMULATE_FAULT", ",".join(f"errors@{n}" for n in range(1, 200)))
    reading = wait_for_answer(made(EMULATOR), lambda answer: isinstance(answer, Reading) and answer.labels != {})
    assert reading.gauges == {}
    assert reading.counters == {}


def test_a_missing_program_is_a_gap_that_names_it(made):
    collector = made(["/opt/nowhere/neuron-monitor"])
    gap = wait_for_answer(collector, lambda answer: isinstance(answer, Gap) and "cannot start" in answer.reason)
    assert "/opt/nowhere/neuron-monitor: No such file" in gap.reason


@pytest.mark.needs("captures")
@pytest.mark.parametrize(
    "name", ["wandb_trn1_2xlarge_training_3records", "cwagent_test_trn1n_32xlarge_2runtimes_edited"]
)
def test_real_captures_are_read(captures, name):
    lines = (captures / f"{name}.jsonl").read_bytes().splitlines()
    reports = [neuron_report.decode(line) for line in lines]
    gauges = neuron_report.gauges(reports)
    assert max(gauges["neuron.core.utilization"]) <= 1.0
    assert gauges["neuron.device.memory.used"] > 1e8
    assert neuron_report.counters(reports)["neuron.exec.completed"] >= 2


@pytest.mark.needs("captures")
def test_a_first_record_without_devices_is_read(captures):
    line = (captures / "allsmi_trn1_2xlarge_no_runtime_first_record.jsonl").read_bytes().splitlines()[0]
    report = neuron_report.decode(line)
    assert neuron_report.gauges([report]) == {}
    assert neuron_report.ecc(report) is None


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["report", "error", "0", "neuroncore_counters", "neuroncores_in_use", "neuroncore_utilization", "execution_stats", "latency_stats", "total_latency", "p50"]), inner, max_size=4), max_leaves=8))  # fmt: skip  # noqa: E501
def test_any_shape_is_read_or_refused(part):
    line = json.dumps({"neuron_runtime_data": [{"report": part}, part], "system_data": part}).encode()
    try:
        report = neuron_report.decode(line)
    except neuron_report.msgspec.DecodeError:
        return
    neuron_report.gauges([report, report])
    neuron_report.counters([report])
    neuron_report.ecc(report)


def test_the_emulator_refuses_a_wrong_flag_as_the_real_one_does():
    done = subprocess.run([*EMULATOR, "--period", "5"], capture_output=True, text=True, timeout=20, check=False)
    assert done.stdout.startswith("Usage of neuron-monitor")
    assert done.returncode != 0


@pytest.mark.parametrize(("machine", "cores"), [("trn1n.32xlarge", 32), ("trn2.48xlarge", 64)])
def test_the_emulator_speaks_for_other_machines(collector, monkeypatch, machine, cores):
    monkeypatch.setenv("GUARD_EMULATE_INSTANCE_TYPE", machine)
    reading = wait_for_answer(collector, is_data)
    assert len(reading.gauges["neuron.core.utilization"]) == cores
    assert reading.labels["instance_type"] == machine
    assert collector.cores_per_device == cores // 16
