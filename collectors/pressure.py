"""Pressure stall information: for how much of the time some task waited for CPU, memory or I/O.

``/proc/pressure/<resource>``, the total of the line ``some``, in microseconds (kernel documentation,
accounting/psi). The averages that the kernel gives beside it are over its own windows, not over a period.
"""

import re

RESOURCES = ("cpu", "memory", "io")

_SOME = re.compile(rb"^some .*\btotal=(\d{1,20})\s*$", re.MULTILINE)


def stalled_total(text: bytes | None) -> int | None:
    """Read the running total of stalled time, in microseconds."""
    match = _SOME.search(text or b"")
    return int(match[1]) if match else None


def stalled_share(increase: int | None, elapsed: float | None) -> float | None:
    """Share of ``elapsed`` seconds that was stalled, 0-1; ``None`` where either is unknown.

    The files are read a moment after the period's end, so the quotient can pass 1 by a little.
    """
    if increase is None or elapsed is None or elapsed <= 0:
        return None
    return min(1.0, increase / 1e6 / elapsed)
