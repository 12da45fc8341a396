"""One report of neuron-monitor: its types, and what it says in the names of the telemetry contract. Pure.

The types name only what is read. All else is skipped while parsing, which matters: a report of 32 runtimes has
440 KB, most of it a list of loaded models. Formats: Neuron SDK documentation and real captures, where they differ
the captures.
"""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from collectors.telemetry import Value, Values

_MOST_CORES = 1024
_MOST_DEVICES = 256


class Cores(Struct, frozen=True):
    """Utilisation by core. ``flops`` has had two names."""

    neuroncores_in_use: dict[str, dict[str, Any]] = {}
    error: str | None = None


class Stats(Struct, frozen=True):
    """Executions in the period; latencies in seconds, by percentile."""

    execution_summary: dict[str, float | None] = {}
    latency_stats: dict[str, dict[str, Any] | None] = {}
    error: str | None = None


class Used(Struct, frozen=True):
    """Bytes."""

    host: float | None = None
    neuron_device: float | None = None


class Memory(Struct, frozen=True):
    """Memory of a runtime."""

    neuron_runtime_used_bytes: Used | None = None
    error: str | None = None


class RuntimeReport(Struct, frozen=True):
    """The groups of one runtime."""

    neuroncore_counters: Cores | None = None
    execution_stats: Stats | None = None
    memory_used: Memory | None = None


class Runtime(Struct, frozen=True):
    """A process that uses the devices. Its pid and tag are not ours to send, and may repeat."""

    report: RuntimeReport | None = None
    error: str | None = None


class Device(Struct, frozen=True):
    """Running totals of one device."""

    neuron_device_index: int
    mem_ecc_corrected: int | None = None
    mem_ecc_uncorrected: int | None = None
    sram_ecc_corrected: int | None = None
    sram_ecc_uncorrected: int | None = None


class HardwareCounters(Struct, frozen=True):
    """ECC, by device; None where there is no device."""

    neuron_devices: list[Device] | None = None
    error: str | None = None


class System(Struct, frozen=True):
    """What is not of one runtime."""

    neuron_hw_counters: HardwareCounters | None = None


class Instance(Struct, frozen=True):
    """Of the machine: only type and zone are ours to send."""

    instance_type: str | None = None
    instance_availability_zone_id: str | None = None


class Hardware(Struct, frozen=True):
    """How many devices, and cores on each."""

    neuron_device_count: int | None = None
    neuroncore_per_device_count: int | None = None


class Report(Struct, frozen=True):
    """One line of neuron-monitor."""

    neuron_runtime_data: list[Runtime] | None = None
    system_data: System | None = None
    instance_info: Instance | None = None
    neuron_hardware_info: Hardware | None = None


_decoder = msgspec.json.Decoder(Report)

ECC = ("mem_ecc_corrected", "mem_ecc_uncorrected", "sram_ecc_corrected", "sram_ecc_uncorrected")
"""The running totals of a device; in the contract ``neuron.ecc.mem.corrected`` and so on."""


def decode(line: bytes) -> Report:
    """Parse one line.

    Raises:
        msgspec.DecodeError: not a report.
    """
    return _decoder.decode(line)


def gauges(reports: list[Report]) -> dict[str, Values]:
    """Means over the reports of a period; cores combined over runtimes by maximum, for each lists all cores."""
    each = [_gauges(report) for report in reports]
    names = sorted({name for one in each for name in one})
    return {name: _mean([one[name] for one in each if name in one]) for name in names}


def counters(reports: list[Report]) -> dict[str, Values]:
    """Executions over all runtimes: each report counts its own period, so they add up."""
    totals: dict[str, Values] = {}
    for name, keys in _EXECUTIONS.items():
        numbers = [
            summary[key]
            for report in reports
            for summary in (stats.execution_summary for stats in _stats(report))
            for key in keys
            if _number(summary.get(key)) is not None
        ]
        if numbers:
            totals[name] = sum(numbers)  # type: ignore[arg-type]
    return totals


_EXECUTIONS = {
    "neuron.exec.completed": ("completed",),
    "neuron.exec.errors": ("completed_with_err", "completed_with_num_err", "incorrect_input", "failed_to_queue"),
    "neuron.exec.timeouts": ("timed_out",),
}


def ecc(report: Report) -> dict[str, dict[int, int | None]] | None:
    """Running totals by name and device; None where the report has none."""
    hardware = report.system_data.neuron_hw_counters if report.system_data else None
    if hardware is None or hardware.error or hardware.neuron_devices is None:
        return None
    return {
        name: {
            device.neuron_device_index: getattr(device, name)
            for device in hardware.neuron_devices
            if 0 <= device.neuron_device_index < _MOST_DEVICES
        }
        for name in ECC
    }


def _gauges(report: Report) -> dict[str, Values]:
    found: dict[str, Values] = {}
    cores = [
        group.neuroncores_in_use
        for one in _reports(report)
        if (group := one.neuroncore_counters) is not None and not group.error
    ]
    if cores:
        found["neuron.core.utilization"] = _by_core(cores, ("neuroncore_utilization",), scale=0.01, most=1.0)
        flops = _by_core(cores, ("flops", "effective_flops"), scale=1.0, most=float("inf"))
        if any(value is not None for value in flops):
            found["neuron.core.flops"] = flops
    used = [
        memory.neuron_runtime_used_bytes
        for one in _reports(report)
        if (memory := one.memory_used) is not None and not memory.error and memory.neuron_runtime_used_bytes
    ]
    for name, values in (
        ("neuron.device.memory.used", [bytes_.neuron_device for bytes_ in used]),
        ("neuron.host.memory.used", [bytes_.host for bytes_ in used]),
    ):
        known = [value for value in values if value is not None]
        if known:
            found[name] = sum(known)
    return found | _latencies(report)


def _latencies(report: Report) -> dict[str, Values]:
    """The slowest runtime's: a device latency includes waiting, so a mean over runtimes would say nothing."""
    found: dict[str, Values] = {}
    for percentile in ("p50", "p99"):
        values = [
            value
            for stats in _stats(report)
            if (latencies := stats.latency_stats.get("total_latency"))
            if (value := _number(latencies.get(percentile))) is not None
        ]
        if values:
            found[f"neuron.exec.latency.{percentile}"] = max(values)
    return found


def _reports(report: Report) -> Iterable[RuntimeReport]:
    return (one.report for one in report.neuron_runtime_data or () if one.report is not None and not one.error)


def _stats(report: Report) -> Iterable[Stats]:
    return (
        one.execution_stats
        for one in _reports(report)
        if one.execution_stats is not None and not one.execution_stats.error
    )


def _by_core(
    runtimes: list[dict[str, dict[str, Any]]], keys: tuple[str, ...], scale: float, most: float
) -> list[Value]:
    best: dict[int, float] = {}
    for cores in runtimes:
        for core, values in cores.items():
            value = next((n for key in keys if (n := _number(values.get(key))) is not None), None)
            if core.isdecimal() and int(core) < _MOST_CORES and value is not None:
                best[int(core)] = max(best.get(int(core), 0.0), min(most, max(0.0, value * scale)))
    return [best.get(core) for core in range(max(best, default=-1) + 1)]


def _mean(values: list[Values]) -> Values:
    lists = [value for value in values if isinstance(value, list)]
    if not lists:
        numbers = [value for value in values if isinstance(value, int | float)]
        return sum(numbers) / len(numbers) if numbers else None
    columns = [[one[at] for one in lists if at < len(one)] for at in range(max(map(len, lists)))]
    known = [[value for value in column if value is not None] for column in columns]
    return [sum(column) / len(column) if column else None for column in known]


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and 0 <= value < 1e30 else None
