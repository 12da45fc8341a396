"""Hardware counters of EFA adapters (Elastic Fabric Adapter) from ``/sys/class/infiniband``."""

import re
from pathlib import Path

from collectors.counters import Increases, running_total
from collectors.held_files import HeldFiles
from collectors.reading import Gap, Now, Reading

MOST_ADAPTERS = 64
"""The largest machine has 32."""
MOST_COUNTERS = 64
"""Per adapter; the driver has about thirty."""
DISCOVERY_INTERVAL = 60.0
"""Seconds between looks for counter files while the devices stay the same."""

_COUNTER = re.compile(r"[a-z0-9_]{1,64}")


def by_number(name: str) -> list[tuple[int, str]]:
    """Sort key that puts ``rdmap9`` before ``rdmap16``: the order of a list must be the same on every node."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d{1,18})", name)]


def names_in(directory: str) -> list[str]:
    """Names in a directory in the order of their numbers; none where it cannot be read."""
    try:
        return sorted((path.name for path in Path(directory).iterdir()), key=by_number)
    except OSError:
        return []


class Efa:
    """Collector of ``efa.<hw_counter name>``: lists by adapter, in the order of their names.

    Args:
        sys: root of sysfs.
    """

    name = "efa"
    deadline = 2.0

    def __init__(self, sys: Path = Path("/sys")) -> None:
        self._root = f"{sys}/class/infiniband"
        self._files = HeldFiles()
        self._devices: list[str] = []
        self._adapters: list[dict[str, str]] = []
        self._searched: float | None = None
        self._increases: Increases[str] = Increases()

    def collect(self, now: Now) -> Reading | Gap:
        """Read port 1 of all adapters; an EFA adapter has no other."""
        self._discover(now)
        if not self._adapters:
            self._increases.advance({})
            return Gap("no EFA adapter")
        totals = {
            path: running_total(self._files.read(path)) for files in self._adapters for path in files.values()
        }
        grown = self._increases.advance(totals)
        names = sorted({name for files in self._adapters for name in files})
        unreadable = sum(total is None for total in totals.values())
        notes = {"efa.files": f"{unreadable} counters could not be read"} if unreadable else {}
        return Reading(
            counters={
                f"efa.{name}": [grown[files[name]] if name in files else None for files in self._adapters]
                for name in names
            },
            notes=notes,
        )

    def close(self) -> None:
        """Close the files."""
        self._files.close()

    def _discover(self, now: Now) -> None:
        devices = names_in(self._root)
        fresh = self._searched is not None and now.monotonic - self._searched < DISCOVERY_INTERVAL
        if devices == self._devices and fresh:
            return
        self._files.close()
        self._devices, self._searched = devices, now.monotonic
        adapters = [device for device in devices if self._is_efa(device)]
        self._adapters = [self._counter_files(device) for device in adapters[:MOST_ADAPTERS]]

    def _is_efa(self, device: str) -> bool:
        read = self._files.read
        vendor = (read(f"{self._root}/{device}/device/vendor") or b"").strip().lower()
        kind = (read(f"{self._root}/{device}/device/device") or b"").strip().lower()
        return vendor == b"0x1d0f" and kind.startswith(b"0xefa")

    def _counter_files(self, device: str) -> dict[str, str]:
        directory = f"{self._root}/{device}/ports/1/hw_counters"
        # lifespan is how long the kernel caches the counters, in milliseconds: a setting.
        names = [name for name in names_in(directory) if _COUNTER.fullmatch(name) and name != "lifespan"]
        return {name: f"{directory}/{name}" for name in names[:MOST_COUNTERS]}
