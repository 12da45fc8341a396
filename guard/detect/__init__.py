"""The detector as a service: telemetry from the bus in, verdicts and snapshots to the bus out.

Detectors are members of one group: each follows some partitions of the telemetry, and a job is in one of them. The
committed offset lags behind what was read: it is where one that takes over must begin, beside the snapshots that
lie in the same partition of ``guard.snapshots``.
"""

from guard.detect.metrics import Metrics
from guard.detect.service import GROUP, DetectService

__all__ = ["GROUP", "DetectService", "Metrics"]
