"""A report in the contract's names: what is not known is absent or None, and never zero."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors import neuron_report
from collectors.neuron_report import EccIncreases
from simulation.neuron_report import Emulator


def runtime(error="", **groups) -> dict:
    return {"pid": 7, "error": error, "report": groups}


def cores(*percents, error="") -> dict:
    used = {str(at): {"neuroncore_utilization": value} for at, value in enumerate(percents)}
    return {"neuroncores_in_use": used, "error": error}


def executions(completed, error="") -> dict:
    return {"execution_summary": {"completed": completed, "timed_out": 0}, "error": error}


def memory(host, device, error="") -> dict:
    return {"neuron_runtime_used_bytes": {"host": host, "neuron_device": device}, "error": error}


def report(*runtimes, **others) -> neuron_report.Report:
    return neuron_report.decode(json.dumps({"neuron_runtime_data": runtimes} | others).encode())


def ecc(totals, error="") -> neuron_report.Report:
    """A report with ``mem_ecc_corrected`` by device; None is a device without it."""
    devices = totals and [{"neuron_device_index": at, "mem_ecc_corrected": n} for at, n in totals.items()]
    return report(system_data={"neuron_hw_counters": {"neuron_devices": devices, "error": error}})


def corrected(increases, *reports):
    return increases.advance(reports).get("neuron.ecc.mem.corrected")


def test_a_core_is_combined_over_runtimes_by_maximum_as_a_ratio():
    one = report(runtime(neuroncore_counters=cores(97, 0)), runtime(neuroncore_counters=cores(0, 140)))
    assert neuron_report.gauges([one])["neuron.core.utilization"] == [0.97, 1.0]


def test_a_zero_beside_a_runtime_that_could_not_be_read_is_unknown():
    """The core may belong to the one with the error: idle is not what is known of it."""
    for broken in (runtime("gone"), runtime(neuroncore_counters=cores(0, 0, error="open: no such file"))):
        one = report(broken, runtime(neuroncore_counters=cores(50, 0)))
        assert neuron_report.gauges([one])["neuron.core.utilization"] == [0.5, None]


def test_sums_are_unknown_when_one_runtime_could_not_be_read():
    well = runtime(execution_stats=executions(7), memory_used=memory(1, 2))
    broken = runtime(execution_stats=executions(0, error="x"), memory_used=memory(0, 0, error="x"))
    assert neuron_report.counters([report(well)])["neuron.exec.completed"] == 7
    assert neuron_report.counters([report(well), report(well, broken)]) == {}
    assert "neuron.device.memory.used" not in neuron_report.gauges([report(well, broken)])


def test_executions_add_up_over_runtimes_with_the_same_pid_and_over_reports():
    one = report(runtime(execution_stats=executions(2)), runtime(execution_stats=executions(3)))
    assert neuron_report.counters([one, one])["neuron.exec.completed"] == 10
    assert neuron_report.counters([one, one])["neuron.exec.timeouts"] == 0
    assert "neuron.exec.errors" not in neuron_report.counters([one])


def test_generic_errors_are_no_evidence():
    stats = executions(1) | {"error_summary": {"generic": 23_654}}
    assert "neuron.exec.errors" not in neuron_report.counters([report(runtime(execution_stats=stats))])


def test_flops_have_two_names():
    for name in ("flops", "effective_flops"):
        group = {"neuroncores_in_use": {"0": {name: 5e12}}, "error": ""}
        assert neuron_report.gauges([report(runtime(neuroncore_counters=group))]) == {"neuron.core.flops": [5e12]}


def test_the_slowest_runtime_tells_the_latency_and_none_tells_nothing():
    def stats(latency):
        return runtime(execution_stats={"latency_stats": {"total_latency": latency}})

    gauges = neuron_report.gauges([report(stats({"p50": 0.1, "p99": 0.2}), stats(None), stats({"p50": 0.3}))])
    assert gauges == {"neuron.exec.latency.p50": 0.3, "neuron.exec.latency.p99": 0.2}
    assert neuron_report.gauges([report(stats(None))]) == {}


@pytest.mark.parametrize("core", ["9" * 5000, "-1", "x", "4096", "²"])
def test_an_impossible_core_is_left_out(core):
    group = {"neuroncores_in_use": {core: {"flops": 1}, "0": {"flops": 2}}}
    one = report(runtime(neuroncore_counters=group))
    assert neuron_report.gauges([one])["neuron.core.flops"] == [2]


def test_impossible_numbers_are_unknown():
    one = report(runtime(memory_used=memory(-5, 1e308)), runtime(memory_used=memory(1, 1e308)))
    assert neuron_report.gauges([one]) == {}


def test_null_groups_are_read():
    one = report(runtime(execution_stats={"execution_summary": None}, neuroncore_counters=None))
    assert neuron_report.counters([one]) == {}


def test_only_type_and_zone_are_labels_and_only_if_they_look_like_such():
    info = {"instance_type": "trn2.48xlarge", "instance_availability_zone_id": "/etc/passwd", "ami_id": "ami-1"}
    assert neuron_report.labels(report(instance_info=info)) == {"instance_type": "trn2.48xlarge"}


def test_first_sight_a_reset_and_absence_are_none_and_never_zero():
    increases = EccIncreases()
    assert corrected(increases, ecc({0: 5, 1: 2})) == [None, None]
    assert corrected(increases, ecc({0: 8, 1: 2})) == [3, 0]
    assert corrected(increases, ecc({0: 1, 1: 4})) == [None, 2]
    assert corrected(increases, ecc(None)) == [None, None]
    assert corrected(increases, ecc({0: 1, 1: 4}, error="no such device")) is None
    assert corrected(increases, ecc({0: 1, 1: 4})) == [None, None]
    assert corrected(increases, ecc({0: 1, 1: None})) == [0, None]


def test_one_unknown_step_makes_the_whole_period_unknown():
    increases = EccIncreases()
    assert corrected(increases, ecc({0: 5}), ecc({0: 9})) == [None]
    assert corrected(increases, ecc({0: 10}), ecc({0: 2}), ecc({0: 3})) == [None]
    assert corrected(increases, ecc({0: 4}), ecc({0: 6})) == [3]


@given(st.lists(st.integers(0, 1 << 40), min_size=2, max_size=12), st.data())
def test_increases_of_periods_add_up_to_the_growth_of_the_total(steps, data):
    """However the reports are spread over periods, growing totals lose nothing and gain nothing."""
    totals = [sum(steps[:at]) for at in range(1, len(steps) + 1)]
    cut = data.draw(st.integers(1, len(totals) - 1))
    increases = EccIncreases()
    corrected(increases, ecc({2: totals[0]}))
    grown = [corrected(increases, *map(third, part)) for part in (totals[1:cut], totals[cut:]) if part]
    assert all(lists[:2] == [None, None] for lists in grown)
    assert sum(lists[2] for lists in grown) == totals[-1] - totals[0]


def third(total) -> neuron_report.Report:
    return ecc({2: total})


@given(st.lists(st.none() | st.integers(-(2**70), 2**70), min_size=1, max_size=12))
def test_an_increase_is_never_negative_and_known_only_between_two_known_totals(totals):
    increases, before = EccIncreases(), None
    for total in totals:
        (grown,) = corrected(increases, ecc({0: total}))
        total = total if total is not None and 0 <= total < 2**64 else None  # noqa: PLW2901
        known = total is not None and before is not None and total >= before
        assert grown == (total - before if known else None)
        before = total


@pytest.mark.parametrize(
    ("machine", "cores"), [("trn1.32xlarge", 32), ("trn1n.32xlarge", 32), ("trn2.48xlarge", 64)]
)
def test_emulated_lines_are_as_long_as_real_ones_and_parse(machine, cores):
    line = Emulator(machine, 32, 0).line(5.0).encode()
    assert 400_000 < len(line) < 900_000
    one = neuron_report.decode(line)
    gauges = neuron_report.gauges([one])
    assert sum(value > 0.9 for value in gauges["neuron.core.utilization"]) == 32
    assert len(gauges["neuron.core.utilization"]) == cores
    assert gauges["neuron.exec.latency.p50"] <= gauges["neuron.exec.latency.p99"]
    assert neuron_report.counters([one])["neuron.exec.completed"] == 32 * 500


@pytest.mark.needs("captures")
def test_an_emulated_runtime_has_the_groups_of_a_captured_one(captures):
    """What the collector reads, at the paths at which the real tool writes it."""
    real = json.loads((captures / "wandb_trn1_2xlarge_training_3records.jsonl").read_bytes().splitlines()[0])
    emulated = json.loads(Emulator("trn1.32xlarge", 1, 0).line(1.0))
    assert set(emulated["system_data"]["neuron_hw_counters"]) == set(real["system_data"]["neuron_hw_counters"])
    mine, theirs = (record["neuron_runtime_data"][0] for record in (emulated, real))
    assert set(mine) == set(theirs)
    assert set(mine["report"]) == set(theirs["report"])
    for group in ("execution_stats", "neuron_runtime_vcpu_usage", "memory_used", "neuroncore_counters"):
        assert set(mine["report"][group]) == set(theirs["report"][group])
    assert set(mine["report"]["execution_stats"]["execution_summary"]) == set(
        theirs["report"]["execution_stats"]["execution_summary"]
    )
