"""The machine around the devices: processors, memory, pressure, disks, network, clock.

Read from ``/proc`` and ``/sys`` directly, because both roots can be laid out elsewhere and because a mean over
the period is wanted; psutil finds the temperature sensors.
"""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import psutil

from collectors.clock_offset import clock_offset
from collectors.counters import Increases, running_total, sum_known
from collectors.pressure import RESOURCES, stalled_share, stalled_total
from collectors.reading import Gap, Now, Reading
from collectors.telemetry import Values

LARGEST_FILE = 65_536
"""Bytes. ``/proc/stat`` of 192 processors is about 40 KB."""
MOST_SOURCES = 256
"""Disks, and interfaces, each."""
CLOCK_SAMPLES = 8
"""Processors whose frequency is read: one after the other, each read may interrupt that processor."""
SECTOR = 512
"""Bytes: the unit of ``/proc/diskstats`` whatever the disk (kernel documentation, admin-guide/iostats)."""

_CPU_TIMES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
_DISK_COLUMNS = {"read_bytes": (5, SECTOR), "write_bytes": (9, SECTOR), "busy_seconds": (12, 1e-3)}
_NET_COLUMNS = {"rx_bytes": 0, "rx_errors": 2, "rx_drops": 3, "tx_bytes": 8, "tx_errors": 10, "tx_drops": 11}
_LOAD = re.compile(rb"(\d{1,7}\.\d{1,3}) ")

Totals = dict[tuple[str, str], int | None]
"""Running totals by (source, name)."""


class Host:
    """Collector of ``host.*`` and ``net.*``.

    Args:
        proc: root of procfs.
        sys: root of sysfs.
        temperatures: sensors by chip, as ``psutil.sensors_temperatures`` gives them.
        clock: offset of the clock in seconds, or ``None`` and why.
    """

    name = "host"
    deadline = 2.0

    def __init__(
        self,
        proc: Path = Path("/proc"),
        sys: Path = Path("/sys"),
        *,
        temperatures: Callable[[], Mapping[str, Iterable[Any]]] = psutil.sensors_temperatures,
        clock: Callable[[], tuple[float | None, str]] = clock_offset,
    ) -> None:
        self._proc = str(proc)
        self._sys = str(sys)
        self._temperatures = temperatures
        self._clock = clock
        self._increases: Increases[tuple[str, str]] = Increases()
        self._before: float | None = None

    def collect(self, now: Now) -> Reading | Gap:
        """Read everything once; a part that cannot be read is ``None``."""
        stat = self._read("stat")
        if stat is None:
            self._increases.advance({})
            self._before = None
            return Gap(f"cannot read {self._proc}/stat")
        grown = self._increases.advance(
            cpu_totals(stat)
            | {("host", "oom_kills"): field_total(self._read("vmstat"), b"oom_kill")}
            | {("stalled", name): stalled_total(self._read(f"pressure/{name}")) for name in RESOURCES}
            | disk_totals(self._read("diskstats"), self._is_physical_disk)
            | net_totals(self._read("net/dev"), self._is_physical_interface)
        )
        elapsed = None if self._before is None else now.monotonic - self._before
        self._before = now.monotonic
        offset, unknown = self._clock()
        gauges = cpu_shares(grown) | self._levels() | {"host.clock.offset": offset}
        for name in RESOURCES:
            gauges[f"host.pressure.{name}"] = stalled_share(grown.get(("stalled", name)), elapsed)
        notes = {"host.clock": unknown} if unknown else {}
        if not Path(self._proc, "pressure").is_dir():
            notes["host.pressure"] = "the kernel gives no pressure information (psi=0?)"
        return Reading(gauges=dict(gauges), counters=host_counters(grown), notes=notes)

    def close(self) -> None:
        """Nothing is held between periods."""

    def _read(self, name: str) -> bytes | None:
        return read_start(f"{self._proc}/{name}")

    def _levels(self) -> dict[str, float | None]:
        load = _LOAD.match(self._read("loadavg") or b"")
        memory = self._read("meminfo")
        available, total, free = (
            field_total(memory, name) for name in (b"MemAvailable:", b"SwapTotal:", b"SwapFree:")
        )
        return {
            "host.load1": float(load[1]) if load else None,
            "host.memory.available": None if available is None else available * 1024,
            "host.swap.used": None if total is None or free is None or free > total else (total - free) * 1024,
            "host.cpu.frequency": self._frequency(),
            "host.temperature.max": self._hottest(),
        }

    def _frequency(self) -> float | None:
        """Mean of a few processors in Hz; most virtual machines do not tell."""
        count = os.cpu_count() or 1
        path = f"{self._sys}/devices/system/cpu/cpu{{}}/cpufreq/scaling_cur_freq"
        samples = [
            running_total(read_start(path.format(cpu))) for cpu in range(0, count, -(-count // CLOCK_SAMPLES))
        ]
        known = [sample for sample in samples if sample]
        return sum(known) * 1000 / len(known) if known else None

    def _hottest(self) -> float | None:
        """The highest temperature in degrees Celsius that is possible; broken sensors say -273 or 65,535."""
        try:
            chips = self._temperatures()
        except (OSError, ValueError, RuntimeError):
            return None
        current = [sensor.current for sensors in chips.values() for sensor in sensors]
        return max(
            (float(degrees) for degrees in current if degrees is not None and -50 < degrees < 200), default=None
        )

    def _is_physical_disk(self, name: str) -> bool:
        # Partitions are not in /sys/block; loop, ram, zram, dm and md are, without a device behind them.
        return Path(self._sys, "block", name, "device").exists()

    def _is_physical_interface(self, name: str) -> bool:
        # lo, veth, docker0, bridges, bonds and tunnels have no device behind them.
        return Path(self._sys, "class/net", name, "device").exists()


def read_start(path: str) -> bytes | None:
    """Read at most ``LARGEST_FILE`` bytes from the start of a file; ``None`` when it cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        # procfs answers a page or so at a time, so one read is not the file.
        text = b""
        for _ in range(64):
            piece = os.read(descriptor, LARGEST_FILE - len(text))
            text += piece
            if not piece or len(text) >= LARGEST_FILE:
                break
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return text


def field_total(text: bytes | None, name: bytes) -> int | None:
    """The number behind a name at the start of a line, as in ``vmstat``, ``meminfo`` and ``stat``."""
    match = re.search(rb"^%b\s+(\d{1,20})\b" % re.escape(name), text or b"", re.MULTILINE)
    return running_total(match[1]) if match else None


def cpu_totals(stat: bytes) -> Totals:
    """Time of all processors by state, in clock ticks, and context switches. Guest time is inside user time."""
    words = stat.split(b"\n", 1)[0].split()
    times = [running_total(word) for word in words[1:9]] if words[:1] == [b"cpu"] else []
    totals: Totals = {("cpu", state): total for state, total in zip(_CPU_TIMES, times, strict=False)}
    totals["host", "context_switches"] = field_total(stat, b"ctxt")
    return totals


def cpu_shares(grown: Mapping[tuple[str, str], int | None]) -> dict[str, float | None]:
    """Shares of the period's processor time. Utilisation is work of this machine: not idle, iowait or stolen."""
    times = {state: grown.get(("cpu", state)) for state in _CPU_TIMES}
    total = sum_known(times.values())

    def share(*states: str) -> float | None:
        part = sum_known([times[state] for state in states])
        return part / total if part is not None and total else None

    return {
        "host.cpu.utilization": share("user", "nice", "system", "irq", "softirq"),
        "host.cpu.iowait": share("iowait"),
        "host.cpu.steal": share("steal"),
    }


def disk_totals(text: bytes | None, physical: Callable[[str], bool]) -> Totals:
    """Sectors and busy milliseconds of physical disks, from ``/proc/diskstats``."""
    totals: Totals = {}
    for line in (text or b"").splitlines()[:MOST_SOURCES]:
        words = line.split()
        name = words[2].decode("ascii", "replace") if len(words) >= 14 else ""
        if _is_plain(name) and physical(name):
            for column, (position, _) in _DISK_COLUMNS.items():
                totals[f"disk {name}", column] = running_total(words[position])
    return totals


def net_totals(text: bytes | None, physical: Callable[[str], bool]) -> Totals:
    """Traffic, errors and drops of physical interfaces, from ``/proc/net/dev``."""
    totals: Totals = {}
    for line in (text or b"").splitlines()[2 : MOST_SOURCES + 2]:
        head, _, tail = line.partition(b":")
        name, words = head.strip().decode("ascii", "replace"), tail.split()
        if len(words) >= 12 and _is_plain(name) and physical(name):
            for column, position in _NET_COLUMNS.items():
                totals[f"net {name}", column] = running_total(words[position])
    return totals


def host_counters(grown: Mapping[tuple[str, str], int | None]) -> dict[str, Values]:
    """Add the increases of all disks and of all interfaces up, in base units."""
    counters: dict[str, Values] = {
        f"host.{name}": grown.get(("host", name)) for name in ("context_switches", "oom_kills")
    }
    for column, (_, unit) in _DISK_COLUMNS.items():
        increase = _sum_of(grown, "disk ", column)
        counters[f"host.disk.{column}"] = None if increase is None else increase * unit
    for column in _NET_COLUMNS:
        counters[f"net.{column}"] = _sum_of(grown, "net ", column)
    return counters


def _sum_of(grown: Mapping[tuple[str, str], int | None], source: str, column: str) -> int | None:
    return sum_known(
        [increase for key, increase in grown.items() if key[0].startswith(source) and key[1] == column]
    )


def _is_plain(name: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.@!-]{0,63}", name) is not None
