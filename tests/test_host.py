"""The machine around the devices, from a laid-out /proc and /sys."""

import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.clock_offset import KernelClock, clock_offset
from collectors.host import Host, cpu_totals, disk_totals, field_total, net_totals
from collectors.pressure import stalled_share, stalled_total
from collectors.reading import Gap, Now, Reading

NET_HEAD = "Inter-|   Receive\n face |bytes packets errs drop fifo frame compressed multicast|bytes packets\n"
DISK = "259 0 {name} 10 0 {read} 5 10 0 {write} 5 0 {busy} 9 0 0 0 0 0 0\n"


class Machine:
    """A /proc and /sys of which tests change single files."""

    def __init__(self, root: Path):
        self.root = root
        self.write("proc/stat", "cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 1\nctxt 500\n")
        self.write("proc/loadavg", "3.25 2.00 1.00 1/200 999\n")
        self.write("proc/meminfo", "MemAvailable:   1000 kB\nSwapTotal: 300 kB\nSwapFree: 100 kB\n")
        self.write("proc/vmstat", "oom_kill 2\n")
        self.write("sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "3500000\n")
        for kind, name in (("block", "nvme0n1"), ("block", "nvme1n1"), ("class/net", "ens5")):
            (root / "sys" / kind / name / "device").mkdir(parents=True)
        self.pressure(0)
        self.disks((0, 0, 0), (0, 0, 0))
        self.net(ens5=0, lo=0, veth1=0)

    def write(self, path: str, text: str | bytes) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text if isinstance(text, bytes) else text.encode())

    def pressure(self, total: int) -> None:
        for name in ("cpu", "memory", "io"):
            text = f"some avg10=9.99 avg60=0.00 avg300=0.00 total={total}\nfull avg10=0.00 total=7\n"
            self.write(f"proc/pressure/{name}", text)

    def disks(self, *rows: tuple[int, int, int]) -> None:
        lines = [
            DISK.format(name=f"nvme{index}n1", read=row[0], write=row[1], busy=row[2])
            for index, row in enumerate(rows)
        ]
        lines += [
            DISK.format(name=name, read=9**9, write=9**9, busy=9**9) for name in ("nvme0n1p1", "loop0", "dm-0")
        ]
        self.write("proc/diskstats", "".join(lines))

    def net(self, **received: int) -> None:
        rows = [f"{name}: {total} 1 2 3 0 0 0 0 {total * 2} 1 4 5 0 0 0 0\n" for name, total in received.items()]
        self.write("proc/net/dev", NET_HEAD + "".join(rows))


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


@pytest.fixture
def host(machine):
    sensors = {"coretemp": [SimpleNamespace(current=degrees) for degrees in (51.0, 65_535.0, -273.0, None)]}
    return Host(
        machine.root / "proc", machine.root / "sys", temperatures=lambda: sensors, clock=lambda: (0.002, "")
    )


def read(host: Host, period: int) -> Reading:
    reading = host.collect(Now(wall=1_790_000_000 + 10.0 * period, monotonic=100 + 10.0 * period))
    assert isinstance(reading, Reading), reading
    return reading


def test_in_the_first_period_levels_are_known_and_everything_that_needs_two_looks_is_not(host):
    reading = read(host, 0)
    known = {name: value for name, value in reading.gauges.items() if value is not None}
    assert known == {
        "host.load1": 3.25,
        "host.memory.available": 1_024_000,
        "host.swap.used": 204_800,
        "host.cpu.frequency": 3.5e9,
        "host.temperature.max": 51.0,
        "host.clock.offset": 0.002,
    }
    assert set(reading.counters.values()) == {None}
    assert reading.notes == {}


def test_cpu_shares_are_means_over_the_period(host, machine):
    read(host, 0)
    machine.write("proc/stat", "cpu  140 5 110 820 10 2 3 10 30 0\nctxt 500\n")
    gauges = read(host, 1).gauges
    assert gauges["host.cpu.utilization"] == pytest.approx(0.6)
    assert gauges["host.cpu.iowait"] == pytest.approx(0.1)
    assert gauges["host.cpu.steal"] == pytest.approx(0.1)


def test_cpu_times_that_fall_or_stand_still_are_unknown(host, machine):
    read(host, 0)
    assert read(host, 1).gauges["host.cpu.utilization"] is None
    machine.write("proc/stat", "cpu  140 0 90 830 10 2 3 10 30 0\nctxt 500\n")
    assert read(host, 2).gauges["host.cpu.utilization"] is None


def test_pressure_is_the_share_of_the_period_that_was_stalled(host, machine):
    read(host, 0)
    machine.pressure(2_500_000)
    assert read(host, 1).gauges["host.pressure.memory"] == pytest.approx(0.25)
    machine.pressure(99_000_000)
    assert read(host, 2).gauges["host.pressure.io"] == 1.0
    machine.pressure(0)
    assert read(host, 3).gauges["host.pressure.cpu"] is None


def test_a_kernel_without_pressure_information_is_noted(host, machine):
    for name in ("cpu", "memory", "io"):
        (machine.root / "proc/pressure" / name).unlink()
    (machine.root / "proc/pressure").rmdir()
    reading = read(host, 0)
    assert "host.pressure" in reading.notes
    assert reading.gauges["host.pressure.cpu"] is None


def test_disks_are_added_up_in_bytes_and_seconds_without_partitions_and_virtual_ones(host, machine):
    read(host, 0)
    machine.disks((2, 4, 1500), (1, 0, 500))
    counters = read(host, 1).counters
    assert counters["host.disk.read_bytes"] == 3 * 512
    assert counters["host.disk.write_bytes"] == 4 * 512
    assert counters["host.disk.busy_seconds"] == pytest.approx(2.0)


def test_traffic_is_that_of_physical_interfaces(host, machine):
    read(host, 0)
    machine.net(ens5=1000, lo=5000, veth1=7000)
    counters = read(host, 1).counters
    assert (counters["net.rx_bytes"], counters["net.tx_bytes"], counters["net.rx_errors"]) == (1000, 2000, 0)


def test_an_interface_that_vanishes_makes_the_sum_unknown_and_never_zero(host, machine):
    read(host, 0)
    machine.net(lo=1)
    assert read(host, 1).counters["net.rx_bytes"] is None
    assert read(host, 2).counters["net.rx_bytes"] is None


def test_switches_and_oom_kills_are_increases(host, machine):
    read(host, 0)
    machine.write("proc/stat", "cpu  100 0 100 900 0 0 0 0 0 0\nctxt 650\n")
    machine.write("proc/vmstat", "oom_kill_x 9\noom_kill 3\n")
    counters = read(host, 1).counters
    assert (counters["host.context_switches"], counters["host.oom_kills"]) == (150, 1)


def test_without_proc_the_collector_says_so_and_starts_anew(host, machine):
    read(host, 0)
    (machine.root / "proc/stat").rename(machine.root / "away")
    assert isinstance(host.collect(Now(0, 0)), Gap)
    (machine.root / "away").rename(machine.root / "proc/stat")
    assert read(host, 2).counters["host.oom_kills"] is None


@pytest.mark.parametrize(
    "text", [b"", b"\xff\x00\xfe", b"nan", b"-1 -1 -1", b"9" * 200_000, b"some total=-5\nctxt nan\n"]
)
def test_hostile_contents_are_unknown(host, machine, text):
    for name in ("loadavg", "meminfo", "vmstat", "diskstats", "net/dev", "pressure/cpu", "pressure/io", "stat"):
        machine.write(f"proc/{name}", text)
    machine.write("sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", text)
    for period in range(2):
        reading = read(host, period)
        unknown = {name for name, value in reading.gauges.items() if value is None}
        assert {"host.load1", "host.memory.available", "host.cpu.frequency", "host.pressure.cpu"} <= unknown
        assert set(reading.counters.values()) == {None}


@given(st.binary(max_size=300))
def test_no_contents_raise(text):
    cpu_totals(text)
    stalled_total(text)
    field_total(text, b"oom_kill")
    disk_totals(b"1 1 " + text, lambda _: True)
    net_totals(b"\n\n" + text, lambda _: True)


@given(st.none() | st.integers(0, 2**64), st.none() | st.floats(-10, 1e6))
def test_a_stalled_share_is_a_share(increase, elapsed):
    share = stalled_share(increase, elapsed)
    assert share is None or 0 <= share <= 1


@pytest.mark.parametrize(
    ("clock", "offset"),
    [
        (KernelClock(0, 0x0001, 1500), -0.0015),
        (KernelClock(0, 0x2001, -1500), 0.0000015),
        (KernelClock(5, 0x0041, 0), None),
        (KernelClock(0, 0x0041, 1500), None),
        (KernelClock(0, 0x2000, 0), None),
    ],
)
def test_the_clock_offset_is_local_minus_reference_and_unknown_unless_steered_by_the_kernel(clock, offset):
    found, unknown = clock_offset(lambda: clock)
    assert found == (None if offset is None else pytest.approx(offset))
    assert bool(unknown) == (offset is None)


def test_the_real_clock_and_the_real_machine_can_be_read():
    offset, unknown = clock_offset()
    assert (offset is None) == bool(unknown)
    host = Host()
    read(host, 0)
    deadline = time.monotonic() + 10
    reading = read(host, 1)
    while reading.gauges["host.cpu.utilization"] is None and time.monotonic() < deadline:
        time.sleep(0.02)  # processor time moves in ticks of 10 ms
        reading = read(host, 2)
    utilization = reading.gauges["host.cpu.utilization"]
    assert isinstance(utilization, float)
    assert 0 <= utilization <= 1
