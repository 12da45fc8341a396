"""How long nodes are away: the durations of a public trace, or its quantiles where it is not at hand."""

from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from guard.simulate.assumptions import DAY

_FILE = "fault_trace.json"
_LARGEST = 100_000_000
_SHARES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 1.0)
_DAYS = (0.0028, 0.0094, 0.0855, 0.8506, 3.168, 13.51, 30.74, 130.96)
"""Of the trace's 584 faults; the shortest as four minutes. Between them, logarithms are interpolated."""


class TraceError(ValueError):
    """The trace cannot be read. The message says why."""


class Repairs(Struct, frozen=True):
    """Durations to draw from, in seconds, and what they are.

    Attributes:
        lasting: all of them, ascending; empty: the quantiles above.
    """

    source: str
    lasting: tuple[float, ...] = ()

    def at(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """The durations below which these shares of all lie."""
        if self.lasting:
            places = np.minimum((shares * len(self.lasting)).astype(int), len(self.lasting) - 1)
            lasting: NDArray[np.float64] = np.asarray(self.lasting, dtype=np.float64)[places]
            return lasting
        found: NDArray[np.float64] = np.exp(np.interp(shares, _SHARES, np.log(_DAYS))) * DAY
        return found


QUANTILES = Repairs("quantiles of the InfiniteHBD trace")


class _Entry(Struct):
    node_id: Annotated[str, Meta(max_length=1000)]
    event_time: Annotated[float, Meta(ge=0)]
    event_type: Annotated[str, Meta(max_length=100)]


def read(folder: Path) -> Repairs:
    """The durations of the trace in a folder (`fault_trace.json` of InfiniteHBD).

    Raises:
        TraceError: it is not there, or not such a trace.
    """
    path = folder / _FILE
    try:
        if path.stat().st_size > _LARGEST:
            raise TraceError(f"{path} has more than {_LARGEST:,} bytes")
        entries = msgspec.json.decode(path.read_bytes(), type=list[_Entry])
    except OSError as error:
        raise TraceError(f"{path}: {error.strerror}; the folder is to hold InfiniteHBD's {_FILE}") from error
    except msgspec.DecodeError as error:
        raise TraceError(f"{path}: {error}") from error
    lasting = _durations(entries)
    if not lasting:
        raise TraceError(f"{path}: no fault begins and ends in it")
    return Repairs(f"{len(lasting)} faults of the InfiniteHBD trace", tuple(lasting))


def _durations(entries: list[_Entry]) -> list[float]:
    """Of every fault that ended; days in the file, seconds here. The oldest open fault of a node ends first."""
    begun: dict[str, list[float]] = {}
    lasting = []
    for entry in sorted(entries, key=lambda one: one.event_time):
        if entry.event_type == "fault_start":
            begun.setdefault(entry.node_id, []).append(entry.event_time)
        elif begun.get(entry.node_id):
            lasting.append((entry.event_time - begun[entry.node_id].pop(0)) * DAY)
    return sorted(lasting)
