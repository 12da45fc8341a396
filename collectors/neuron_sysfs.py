"""What the Neuron driver says in sysfs: power, status counters, repairable memory errors, UltraServer.

Read-only, always: a write clears counters, and ``reset`` resets the device. Driver 2.31 moved files, so they
are searched for by name beneath each device instead of expected at one path.
"""

import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from collectors.counters import Increases, running_total, sum_known
from collectors.held_files import HeldFiles
from collectors.reading import Gap, Now, Reading
from collectors.telemetry import Value, Values

MOST_DEVICES = 64
"""The largest machine has 16; an index beyond this is not a device of ours."""
MOST_CORES = 16
MOST_STATUS_NAMES = 64
MOST_DIRECTORIES = 512
"""Per device. A trn2 device has about forty that matter."""
DISCOVERY_INTERVAL = 300.0
"""Seconds between searches for files while the devices stay the same; a search costs about ten collects."""
RETRY_INTERVAL = 60.0
"""Seconds between searches while some file cannot be read, because it may have moved."""

_DEVICE = re.compile(r"neuron(\d{1,4})")
_STATUS_NAME = re.compile(r"[A-Za-z0-9_]{1,64}")
_SERVER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")
_NO_SERVER = re.compile(r"busy|(0x)?(0+|[fF]+)")
"""``busy`` during the election; all zeros or all ones name no server, and as a label would join strangers."""
_SKIPPED = frozenset({"info", "memory_usage", "subsystem"})


@dataclass(slots=True)
class DeviceFiles:
    """Where the files of one device are: ``status`` maps a name to the files of the cores."""

    power: str | None = None
    repairable: str | None = None
    status: dict[str, list[str]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.power or self.repairable or self.status)


def find_files(device: str) -> DeviceFiles:
    """Search beneath one device directory for the files that are ours, by name. Links are not followed."""
    found = DeviceFiles()
    waiting = [device]
    for _ in range(MOST_DIRECTORIES):
        if not waiting:
            break
        directory = waiting.pop()
        for entry in _entries(directory):
            if entry.is_dir(follow_symlinks=False):
                if entry.name == "status" and "/neuron_core" in directory:
                    _add_status(found, entry.path)
                elif entry.name not in _SKIPPED:
                    waiting.append(entry.path)
            elif entry.name == "mem_ecc_repairable_uncorrected":
                found.repairable = found.repairable or entry.path
            elif entry.name == "utilization" and directory.endswith("/power"):
                found.power = found.power or entry.path
    return found


def _entries(directory: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return sorted(entries, key=lambda entry: entry.name)[:MOST_DIRECTORIES]
    except OSError:
        return []


def _add_status(found: DeviceFiles, directory: str) -> None:
    for entry in _entries(directory)[:MOST_STATUS_NAMES]:
        if _STATUS_NAME.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
            files = found.status.setdefault(entry.name.lower(), [])
            if len(files) < MOST_CORES:
                files.append(f"{entry.path}/total")


def power_share(text: bytes | None) -> tuple[int, float] | None:
    """Read ``POWER_STATUS_VALID,<epoch>,<min>,<max>,<avg>`` (percent of the maximum).

    Returns:
        The epoch and the mean as a share 0-1, or ``None`` for every other status word and for garbage.
    """
    words = (text or b"").strip().split(b",")
    # The whole word: POWER_STATUS_INVALID contains VALID.
    if len(words) != 5 or words[0] != b"POWER_STATUS_VALID":
        return None
    epoch = running_total(words[1])
    try:
        mean = float(words[4])
    except ValueError:
        return None
    if epoch is None or not math.isfinite(mean) or not 0 <= mean <= 100:
        return None
    return epoch, mean / 100


class NeuronSysfs:
    """Collector of ``neuron.device.power``, ``neuron.status.*``, ``neuron.ecc.mem.repairable``, and a label.

    Lists are by device index, with ``None`` for a device that is not there. The label is ``ultraserver``.

    Args:
        sys: root of sysfs.
    """

    name = "neuron_sysfs"
    deadline = 2.0

    def __init__(self, sys: Path = Path("/sys")) -> None:
        self._class = f"{sys}/class/neuron_device"
        # The class directory has links to wherever the devices are; older trees are found directly.
        self._roots = (self._class, f"{sys}/devices/virtual/neuron_device")
        self._files = HeldFiles()
        self._directories: dict[int, str] = {}
        self._found: dict[int, DeviceFiles] = {}
        self._searched = -math.inf
        self._interval = DISCOVERY_INTERVAL
        self._increases: Increases[str] = Increases()
        self._epochs: dict[int, int] = {}

    def collect(self, now: Now) -> Reading | Gap:
        """Read all devices."""
        self._discover(now)
        if not any(self._found.values()):
            self._increases.advance({})
            self._interval = RETRY_INTERVAL
            where = " or ".join(self._roots)
            return Gap(f"no known file beneath the devices in {where}" if self._found else f"no device in {where}")
        size = max(self._found) + 1
        counters, unreadable = self._counters(size)
        self._interval = RETRY_INTERVAL if unreadable else DISCOVERY_INTERVAL
        power = [self._power(index) for index in range(size)]
        return Reading(
            gauges={"neuron.device.power": power},
            counters=counters,
            labels=dict(self._ultraserver()),
            notes={"neuron_sysfs.files": f"{unreadable} files could not be read"} if unreadable else {},
        )

    def close(self) -> None:
        """Close the files."""
        self._files.close()

    def _discover(self, now: Now) -> None:
        directories: dict[int, str] = {}
        for root in self._roots:
            for entry in _entries(root):
                match = _DEVICE.fullmatch(entry.name)
                if match and int(match[1]) < MOST_DEVICES:
                    directories.setdefault(int(match[1]), entry.path)
        if directories == self._directories and now.monotonic - self._searched < self._interval:
            return
        self._files.close()
        self._directories, self._searched = directories, now.monotonic
        self._found = {index: find_files(path) for index, path in directories.items()}
        self._epochs = {index: epoch for index, epoch in self._epochs.items() if index in directories}

    def _counters(self, size: int) -> tuple[dict[str, Values], int]:
        read = self._files.read
        paths = [path for files in self._found.values() for status in files.status.values() for path in status]
        paths += [files.repairable for files in self._found.values() if files.repairable]
        totals = {path: running_total(read(path)) for path in paths}
        grown = self._increases.advance(totals)
        columns: dict[str, list[Value]] = {}
        for index, files in self._found.items():
            for name, status in files.status.items():
                column = columns.setdefault(f"neuron.status.{name}", [None] * size)
                column[index] = sum_known([grown[path] for path in status])
            if files.repairable:
                # 16 bits wide and not monotonic (a failed firmware read gives 0): a fall is unknown.
                column = columns.setdefault("neuron.ecc.mem.repairable", [None] * size)
                column[index] = grown[files.repairable]
        return dict(columns), sum(total is None for total in totals.values())

    def _power(self, index: int) -> float | None:
        files = self._found.get(index)
        valid = power_share(self._files.read(files.power)) if files and files.power else None
        # The driver measures once a minute: the same epoch is the same measurement, already sent.
        if valid is None or self._epochs.get(index) == valid[0]:
            return None
        self._epochs[index] = valid[0]
        return valid[1]

    def _ultraserver(self) -> Iterator[tuple[str, str]]:
        server = (self._files.read(f"{self._class}/server_id_4") or b"").decode("ascii", "replace").strip()
        if _SERVER.fullmatch(server) and not _NO_SERVER.fullmatch(server):
            yield "ultraserver", server
