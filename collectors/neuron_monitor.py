"""neuron-monitor as a child process, and the collector that reads it.

The binding is ``collectors.neuron_child``; the names of what a report says are in ``collectors.neuron_report``.
"""

import time
from collections.abc import Sequence

from collectors import neuron_report
from collectors.counters import Increases
from collectors.neuron_child import Arrival, NeuronMonitor
from collectors.neuron_report import Report
from collectors.reading import Gap, Now, Reading
from collectors.telemetry import Values

__all__ = ["Arrival", "NeuronMonitor", "NeuronMonitorCollector"]


class NeuronMonitorCollector:
    """All reports that arrived in a period as one reading.

    Args:
        command: neuron-monitor and its arguments, without ``-c``.
        period: seconds between its reports; whole seconds, at least 1.
    """

    name = "neuron_monitor"
    deadline = 1.0

    def __init__(self, command: Sequence[str], period: float) -> None:
        self._monitor = NeuronMonitor(command, period)
        self._ecc: dict[str, Increases[int]] = {name: Increases() for name in neuron_report.ECC}
        self._started: float | None = None
        self.cores_per_device: int | None = None

    def collect(self, now: Now) -> Reading | Gap:
        """What arrived by the end of the period. Nothing yet from a child that is well is no gap."""
        if self._started is None:
            self._started = time.monotonic()
            self._monitor.start()
        arrivals = self._monitor.take(now.monotonic)
        trouble = self._monitor.trouble
        if not arrivals:
            return Gap(trouble) if trouble else Reading()
        reports = [arrival.report for arrival in arrivals]
        notes = {"neuron_monitor.child": trouble} if trouble else {}
        return Reading(
            gauges=neuron_report.gauges(reports),
            counters=neuron_report.counters(reports) | self._increases(reports),
            labels=self._labels(reports[-1]),
            notes=notes,
        )

    def close(self) -> None:
        """End the child."""
        self._monitor.close()

    def _increases(self, reports: Sequence[Report]) -> dict[str, Values]:
        sums: dict[str, dict[int, int | None]] = {}
        for report in reports:
            totals = neuron_report.ecc(report)
            for name, counter in self._ecc.items():
                grown = counter.advance(totals[name] if totals else {})
                into = sums.setdefault(name, {})
                for device, increase in grown.items():
                    before = into.get(device, 0)
                    into[device] = None if increase is None or before is None else before + increase
        return {
            f"neuron.ecc.{name.replace('_ecc_', '.')}": [by_device.get(at) for at in range(max(by_device) + 1)]
            for name, by_device in sums.items()
            if by_device
        }

    def _labels(self, report: Report) -> dict[str, str]:
        if report.neuron_hardware_info is not None:
            self.cores_per_device = report.neuron_hardware_info.neuroncore_per_device_count
        info = report.instance_info
        if info is None:
            return {}
        found = {"instance_type": info.instance_type, "az": info.instance_availability_zone_id}
        return {name: value for name, value in found.items() if value}
