"""neuron-monitor as a child process, and the collector that reads it.

The binding is ``collectors.neuron_child``; what a report says in the names of the contract is in
``collectors.neuron_report``.
"""

from collections.abc import Sequence

from collectors import neuron_report
from collectors.neuron_child import Arrival, NeuronMonitor
from collectors.reading import Gap, Now, Reading

__all__ = ["Arrival", "NeuronMonitor", "NeuronMonitorCollector"]


class NeuronMonitorCollector:
    """All reports that arrived in a period as one reading.

    Args:
        command: neuron-monitor and its arguments, without ``-c``.
        period: seconds between its reports; whole seconds, at least 1.

    Attributes:
        cores_per_device: as the newest report says it; None until one does. By it, and only by it, an index in
            ``neuron.core.*`` can be put to a device.
        devices: how many there are, likewise.
    """

    name = "neuron_monitor"
    deadline = 1.0

    def __init__(self, command: Sequence[str], period: float) -> None:
        self._monitor = NeuronMonitor(command, period)
        self._ecc = neuron_report.EccIncreases()
        self._started = False
        self._dropped = 0
        self.cores_per_device: int | None = None
        self.devices: int | None = None

    def collect(self, now: Now) -> Reading | Gap:
        """What arrived by the end of the period. Nothing yet from a child that is well is no gap."""
        if not self._started:
            self._started = True
            self._monitor.start()
        arrivals = self._monitor.take(now.monotonic)
        trouble = self._monitor.happened() or self._monitor.trouble
        if not arrivals:
            return Gap(trouble) if trouble else Reading()
        reports = [arrival.report for arrival in arrivals]
        dropped, self._dropped = self._monitor.dropped - self._dropped, self._monitor.dropped
        hardware = reports[-1].neuron_hardware_info
        if hardware is not None:
            self.cores_per_device = hardware.neuroncore_per_device_count
            self.devices = hardware.neuron_device_count
        return Reading(
            gauges=neuron_report.gauges(reports),
            # Executions are counted by report: a sum without those that were dropped would look like less work.
            counters=({} if dropped else neuron_report.counters(reports)) | self._ecc.advance(reports),
            labels=neuron_report.labels(reports[-1]),
            notes=_notes(trouble, dropped),
        )

    @property
    def starts(self) -> int:
        """How often the child was started, or could not be."""
        return self._monitor.starts

    def close(self) -> None:
        """End the child."""
        self._monitor.close()


def _notes(trouble: str | None, dropped: int) -> dict[str, str]:
    notes = {"neuron_monitor.child": trouble} if trouble else {}
    if dropped:
        notes["neuron_monitor.dropped"] = f"{dropped} oldest reports dropped: nobody took them in time"
    return notes
