"""Hard errors that hardware and runtime report: which are the node's own, and which another node's doing.

Codes are those of the Neuron driver (``NEURON_HW_ERR`` in the kernel log) and of the Neuron runtime.
"""

from collections.abc import Sequence

from collectors.telemetry import Fault
from detectors.board import Conclusion
from detectors.verdict import Cause, Evidence, Role, Severity, Status

OWN_FAULTS = frozenset(
    {
        "SRAM_UNCORRECTABLE_ERROR",
        "NC_UNCORRECTABLE_ERROR",
        "HBM_UNCORRECTABLE_ERROR",
        "DMA_ERROR",
        "1201",  # runtime: HBM uncorrectable
        "1202",  # runtime: core uncorrectable
        "1203",  # runtime: DMA abort
    }
)
"""Broken hardware: the device is to be replaced."""

VICTIM_FAULTS = frozenset({"HANG_ON_COLLECTIVES", "1200"})
"""A collective that never ended: often another node's fault, so never an accusation alone."""

_MOST_DEVICES = 1024


def conclude_faults(faults: Sequence[Fault]) -> Conclusion | None:
    """What one record's faults say of its node: the worst of them decides."""
    if not faults:
        return None
    own = [fault for fault in faults if fault.code in OWN_FAULTS]
    hung = [fault for fault in faults if fault.code in VICTIM_FAULTS]
    worst = (own or hung or faults)[0]
    evidence = (Evidence(f"fault.{worst.code}", float(len(faults)), 0.0, 0.0, 1),)
    device = worst.device if worst.device is not None and 0 <= worst.device < _MOST_DEVICES else None
    if own:
        return Conclusion(
            Status.FAULT, Role.CULPRIT, Cause.DEVICE, device, None, Severity.CRITICAL, 0.99, evidence
        )
    if hung:
        return Conclusion(Status.WATCH, Role.VICTIM, Cause.UNKNOWN, device, None, Severity.INFO, 0.5, evidence)
    return Conclusion(Status.WATCH, Role.INCONCLUSIVE, Cause.UNKNOWN, device, None, Severity.INFO, 0.3, evidence)
