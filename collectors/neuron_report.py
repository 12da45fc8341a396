"""One report of neuron-monitor: its types, and what it says in the names of the telemetry contract. Pure.

The types name only what is read. All else is skipped while parsing, which matters: a report of 32 runtimes has
440 KB, most of it a list of loaded models, with paths that are not ours to send. Formats: Neuron SDK documentation
and real captures, where they differ the captures.
"""

import re
from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct

from collectors.counters import LARGEST_TOTAL, Increases, sum_known
from collectors.telemetry import Value, Values

_MOST_CORES = 1024
_MOST_DEVICES = 256
_LARGEST = 1e30
"""No quantity here comes near; what does is garbage, and would overflow sums."""
_LABEL = re.compile(r"[a-zA-Z0-9.-]{1,64}")

Number = int | float | None


class Core(Struct, frozen=True, gc=False):
    """Of one core: percent, and operations per second, which have had two names."""

    neuroncore_utilization: Number = None
    flops: Number = None
    effective_flops: Number = None


class Cores(Struct, frozen=True, gc=False):
    """By core index. Every runtime lists every core, with zeros for those of others."""

    neuroncores_in_use: dict[str, Core] | None = None
    error: str | None = None


class Executions(Struct, frozen=True, gc=False):
    """Counts of one report's own period; no running totals."""

    completed: Number = None
    completed_with_err: Number = None
    completed_with_num_err: Number = None
    timed_out: Number = None
    incorrect_input: Number = None
    failed_to_queue: Number = None


class Latency(Struct, frozen=True, gc=False):
    """Seconds, by percentile."""

    p50: Number = None
    p99: Number = None


class Latencies(Struct, frozen=True, gc=False):
    """None while nothing was executed."""

    total_latency: Latency | None = None


class Stats(Struct, frozen=True, gc=False):
    """Executions. ``error_summary`` is not read: its ``generic`` grows on healthy runs."""

    execution_summary: Executions | None = None
    latency_stats: Latencies | None = None
    error: str | None = None


class Used(Struct, frozen=True, gc=False):
    """Bytes."""

    host: Number = None
    neuron_device: Number = None


class Memory(Struct, frozen=True, gc=False):
    """Memory of a runtime."""

    neuron_runtime_used_bytes: Used | None = None
    error: str | None = None


class RuntimeReport(Struct, frozen=True, gc=False):
    """The groups of one runtime."""

    neuroncore_counters: Cores | None = None
    execution_stats: Stats | None = None
    memory_used: Memory | None = None


class Runtime(Struct, frozen=True, gc=False):
    """A process that uses the devices. Its pid and tag are not ours to send, and may repeat."""

    report: RuntimeReport | None = None
    error: str | None = None


class Device(Struct, frozen=True, gc=False):
    """Running totals of one device."""

    neuron_device_index: int
    mem_ecc_corrected: int | None = None
    mem_ecc_uncorrected: int | None = None
    sram_ecc_corrected: int | None = None
    sram_ecc_uncorrected: int | None = None


class HardwareCounters(Struct, frozen=True, gc=False):
    """ECC, by device; None where there is no device."""

    neuron_devices: list[Device] | None = None
    error: str | None = None


class System(Struct, frozen=True, gc=False):
    """What is not of one runtime."""

    neuron_hw_counters: HardwareCounters | None = None


class Instance(Struct, frozen=True, gc=False):
    """Of the machine: only type and zone are ours to send."""

    instance_type: str | None = None
    instance_availability_zone_id: str | None = None


class Hardware(Struct, frozen=True, gc=False):
    """How many devices, and cores on each."""

    neuron_device_count: int | None = None
    neuroncore_per_device_count: int | None = None


class Report(Struct, frozen=True, gc=False):
    """One line of neuron-monitor."""

    neuron_runtime_data: list[Runtime] | None = None
    system_data: System | None = None
    instance_info: Instance | None = None
    neuron_hardware_info: Hardware | None = None


_decoder = msgspec.json.Decoder(Report)

_ECC = {
    "neuron.ecc.mem.corrected": "mem_ecc_corrected",
    "neuron.ecc.mem.uncorrected": "mem_ecc_uncorrected",
    "neuron.ecc.sram.corrected": "sram_ecc_corrected",
    "neuron.ecc.sram.uncorrected": "sram_ecc_uncorrected",
}
_EXECUTIONS = {
    "neuron.exec.completed": ("completed",),
    "neuron.exec.errors": ("completed_with_err", "completed_with_num_err", "incorrect_input", "failed_to_queue"),
    "neuron.exec.timeouts": ("timed_out",),
}
Group = Cores | Stats | Memory


def decode(line: bytes) -> Report:
    """Parse one line.

    Raises:
        msgspec.DecodeError: not a report.
    """
    return _decoder.decode(line)


def gauges(reports: Sequence[Report]) -> dict[str, Values]:
    """Means over the reports of a period, by the contract's names. What no report knows is absent."""
    each = [_gauges(report) for report in reports]
    names = sorted({name for one in each for name in one})
    return {name: _mean([one[name] for one in each if name in one]) for name in names}


def counters(reports: Sequence[Report]) -> dict[str, Values]:
    """Executions over all runtimes: each report counts its own period, so they add up.

    One runtime that could not be read makes a sum unknown, and then absent: a partial sum would look like less
    work.
    """
    groups = [group for report in reports for group in _groups(report, "execution_stats")]
    if not groups:
        return {}
    summaries = [group.execution_summary if isinstance(group, Stats) else None for group in groups]
    sums = {
        name: sum_known(None if one is None else _count(one, keys) for one in summaries)
        for name, keys in _EXECUTIONS.items()
    }
    return {name: total for name, total in sums.items() if total is not None}


def labels(report: Report) -> dict[str, str]:
    """Instance type and zone, where they look like such; nothing else of the machine is sent."""
    info = report.instance_info
    if info is None:
        return {}
    found = {"instance_type": info.instance_type, "az": info.instance_availability_zone_id}
    return {name: value for name, value in found.items() if value and _LABEL.fullmatch(value)}


class EccIncreases:
    """Turns the running totals of ECC events into increases by device, over any number of reports."""

    def __init__(self) -> None:
        self._increases: Increases[tuple[str, int]] = Increases()

    def advance(self, reports: Iterable[Report]) -> dict[str, Values]:
        """Say by how much each total grew over these reports.

        Returns:
            Lists by device index. ``None`` where a step of the way is unknown: first sight, a fall (reset), a
            report without the total.
        """
        grown: dict[tuple[str, int], int | None] = {}
        for report in reports:
            for key, increase in self._increases.advance(ecc(report) or {}).items():
                grown[key] = sum_known((grown.get(key, 0), increase))
        found: dict[str, Values] = {}
        for name in _ECC:
            devices = [device for of, device in grown if of == name]
            if devices:
                found[name] = [grown.get((name, device)) for device in range(max(devices) + 1)]
        return found


def ecc(report: Report) -> dict[tuple[str, int], int | None] | None:
    """Running totals by the contract's name and device; None where the report has none."""
    hardware = report.system_data.neuron_hw_counters if report.system_data else None
    if hardware is None or hardware.error or hardware.neuron_devices is None:
        return None
    totals: dict[tuple[str, int], int | None] = {}
    for device in hardware.neuron_devices:
        if 0 <= device.neuron_device_index < _MOST_DEVICES:
            for name, field in _ECC.items():
                total = getattr(device, field)
                known = total is not None and 0 <= total <= LARGEST_TOTAL
                totals[name, device.neuron_device_index] = total if known else None
    return totals


def _groups(report: Report, name: str) -> list[Group | None]:
    """That group of every runtime; None where an error says that the numbers beside it are no data."""
    found: list[Group | None] = []
    for runtime in report.neuron_runtime_data or ():
        group: Group | None = getattr(runtime.report, name) if runtime.report is not None else None
        if runtime.error or (group is not None and group.error):
            found.append(None)
        elif group is not None:
            found.append(group)
    return found


def _gauges(report: Report) -> dict[str, Values]:
    return _cores(report) | _memory(report) | _latencies(report)


def _cores(report: Report) -> dict[str, Values]:
    """By core, combined over runtimes by maximum: a core belongs to one of them, and the others list zeros."""
    groups = _groups(report, "neuroncore_counters")
    used: dict[int, float] = {}
    rate: dict[int, float] = {}
    for group in groups:
        cores = group.neuroncores_in_use if isinstance(group, Cores) else None
        for name, core in (cores or {}).items():
            # The length first: int() of thousands of digits raises, and no such core exists.
            if len(name) > 4 or not name.isdecimal() or (at := int(name)) >= _MOST_CORES:
                continue
            if (percent := _number(core.neuroncore_utilization)) is not None:
                used[at] = max(used.get(at, 0.0), min(1.0, percent / 100))
            if (flops := _number(core.flops if core.flops is not None else core.effective_flops)) is not None:
                rate[at] = max(rate.get(at, 0.0), flops)
    # A zero proves nothing while the runtime that may own the core could not be read.
    whole = None not in groups
    found: dict[str, Values] = {}
    for gauge, values in (("neuron.core.utilization", used), ("neuron.core.flops", rate)):
        if values:
            known = {at: value for at, value in values.items() if whole or value > 0}
            found[gauge] = [known.get(at) for at in range(max(values) + 1)]
    return found


def _memory(report: Report) -> dict[str, Values]:
    groups = _groups(report, "memory_used")
    used = [group.neuron_runtime_used_bytes if isinstance(group, Memory) else None for group in groups]
    columns = {
        "neuron.device.memory.used": [_number(one.neuron_device) if one else None for one in used],
        "neuron.host.memory.used": [_number(one.host) if one else None for one in used],
    }
    return {
        name: sum(value for value in column if value is not None)
        for name, column in columns.items()
        if column and None not in column
    }


def _latencies(report: Report) -> dict[str, Values]:
    """The slowest runtime's: a latency includes waiting, so a mean over runtimes would say nothing."""
    known = [
        group.latency_stats.total_latency
        for group in _groups(report, "execution_stats")
        if isinstance(group, Stats) and group.latency_stats and group.latency_stats.total_latency
    ]
    columns = {
        "neuron.exec.latency.p50": [value for one in known if (value := _number(one.p50)) is not None],
        "neuron.exec.latency.p99": [value for one in known if (value := _number(one.p99)) is not None],
    }
    return {name: max(column) for name, column in columns.items() if column}


def _count(summary: Executions, keys: tuple[str, ...]) -> int | None:
    """The sum of those that this version of the tool has."""
    numbers = [_number(getattr(summary, key)) for key in keys]
    known = [int(number) for number in numbers if number is not None]
    return sum(known) if known else None


def _mean(values: list[Values]) -> Values:
    lists = [value for value in values if isinstance(value, list)]
    if not lists:
        return _mean_known(value for value in values if not isinstance(value, list))
    return [_mean_known(one[at] for one in lists if at < len(one)) for at in range(max(len(one) for one in lists))]


def _mean_known(values: Iterable[Value]) -> Value:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _number(value: Number) -> float | None:
    return float(value) if value is not None and 0 <= value < _LARGEST else None
