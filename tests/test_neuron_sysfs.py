"""The Neuron driver's files in sysfs, laid out as driver 2.24 and as 2.31 and later."""

import shutil
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.neuron_sysfs import DISCOVERY_INTERVAL, NeuronSysfs, power_share
from collectors.reading import Gap, Now, Reading

VALID = "POWER_STATUS_VALID,1789180860,10.00,60.00,42.50\n"


class Tree:
    """A sysfs with Neuron devices."""

    def __init__(self, root: Path, hardware: str = "stats/hardware"):
        self.root = root
        self.hardware = hardware

    def device(self, index: int) -> Path:
        return self.root / "devices/virtual/neuron_device" / f"neuron{index}"

    def write(self, path: Path, text: str | bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())

    def status(self, device: int, core: int, name: str, total: int | str | bytes) -> None:
        path = self.device(device) / f"neuron_core{core}/stats/status" / name / "total"
        self.write(path, total if isinstance(total, bytes) else f"{total}\n")

    def repairable(self, device: int, total: int) -> None:
        self.write(self.device(device) / self.hardware / "mem_ecc_repairable_uncorrected", f"{total}\n")

    def power(self, device: int, line: str | bytes) -> None:
        self.write(self.device(device) / "stats/power/utilization", line)

    def server(self, text: str) -> None:
        self.write(self.root / "class/neuron_device/server_id_4", text)


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path)


@pytest.fixture
def collector(tree):
    collector = NeuronSysfs(tree.root)
    yield collector
    collector.close()


def at(period: int, every: float = 5.0) -> Now:
    return Now(wall=1_790_000_000 + period * every, monotonic=100 + period * every)


def read(collector: NeuronSysfs, period: int) -> Reading:
    reading = collector.collect(at(period))
    assert isinstance(reading, Reading), reading
    return reading


def test_without_devices_the_collector_says_so(collector):
    gap = collector.collect(at(0))
    assert isinstance(gap, Gap)
    assert "no device" in gap.reason


def test_devices_without_a_known_file_are_a_gap(tree, collector):
    tree.write(tree.device(0) / "info/serial_number", "secret")
    gap = collector.collect(at(0))
    assert isinstance(gap, Gap)
    assert "no known file" in gap.reason


def test_status_counters_are_summed_over_cores_and_listed_by_device(tree, collector):
    for device in (0, 1, 3):
        for core in (0, 1):
            tree.status(device, core, "timeout", 10)
    assert read(collector, 0).counters == {"neuron.status.timeout": [None] * 4}
    tree.status(0, 0, "timeout", 12)
    tree.status(0, 1, "timeout", 13)
    tree.status(3, 1, "timeout", 11)
    assert read(collector, 1).counters == {"neuron.status.timeout": [5, 0, None, 1]}


def test_a_core_that_was_reset_makes_its_device_unknown_and_no_other(tree, collector):
    for device in (0, 1):
        for core in (0, 1):
            tree.status(device, core, "hw_error", 10)
    read(collector, 0)
    tree.status(0, 0, "hw_error", 0)
    tree.status(0, 1, "hw_error", 40)
    assert read(collector, 1).counters["neuron.status.hw_error"] == [None, 0]
    assert read(collector, 2).counters["neuron.status.hw_error"] == [0, 0]


@pytest.mark.parametrize("hardware", ["stats/hardware", "health_status", "health_status/ecc"])
def test_repairable_errors_are_found_wherever_the_driver_put_them(tmp_path, hardware):
    tree = Tree(tmp_path, hardware)
    collector = NeuronSysfs(tmp_path)
    seen = []
    for period, total in enumerate((65_530, 65_535, 2, 3)):
        tree.repairable(0, total)
        seen.append(read(collector, period).counters["neuron.ecc.mem.repairable"])
    assert seen == [[None], [5], [None], [1]]
    collector.close()


def test_devices_are_found_through_the_class_links_where_they_are_not_virtual(tmp_path):
    elsewhere = tmp_path / "devices/pci0000:00/neuron0"
    Tree(tmp_path).write(elsewhere / "stats/power/utilization", VALID)
    (tmp_path / "class/neuron_device").mkdir(parents=True)
    (tmp_path / "class/neuron_device/neuron0").symlink_to(elsewhere)
    collector = NeuronSysfs(tmp_path)
    assert read(collector, 0).gauges == {"neuron.device.power": [0.425]}
    collector.close()


def test_power_is_given_once_for_each_measurement_of_the_driver(tree, collector):
    tree.power(0, VALID)
    assert read(collector, 0).gauges["neuron.device.power"] == [0.425]
    again = read(collector, 1)
    assert again.gauges["neuron.device.power"] == [None]
    assert not again.notes
    tree.power(0, VALID.replace("1789180860", "1789180920").replace("42.50", "0.00"))
    assert read(collector, 2).gauges["neuron.device.power"] == [0.0]


@pytest.mark.parametrize(
    "line",
    [
        "POWER_STATUS_INVALID,1,1,1,1",
        "POWER_STATUS_NO_DATA,1,1,1,1",
        "",
        "POWER_STATUS_VALID",
        "POWER_STATUS_VALID,1,1,1",
    ]
    + [f"POWER_STATUS_VALID,1,1,1,{mean}" for mean in ("nan", "inf", "-1", "1e308", "100.1", "x")]
    + ["POWER_STATUS_VALID,-1,1,1,1", "POWER_STATUS_VALID,nan,1,1,1"],
)
def test_any_other_power_line_is_no_data(line):
    assert power_share(line.encode()) is None


@given(st.binary(max_size=80))
def test_no_power_line_raises(text):
    power_share(text)
    power_share(b"POWER_STATUS_VALID,1,1,1," + text)


def test_hostile_contents_give_none_and_a_note(tree, collector):
    for core, text in enumerate((b"\xff\xfe\x00", b"-5", b"nan", b"9" * 100_000, b"")):
        tree.status(0, core, "timeout", text)
    tree.status(0, 0, "success", 1)
    tree.write(tree.device(0) / "neuron_core0/stats/status/bad name!/total", "1")
    tree.power(0, b"\x00" * 100_000)
    (tree.device(0) / "neuron_core0/stats/status/missing").mkdir()
    reading = read(collector, 0)
    assert set(reading.counters) == {"neuron.status.timeout", "neuron.status.success", "neuron.status.missing"}
    assert reading.gauges == {"neuron.device.power": [None]}
    assert reading.notes == {"neuron_sysfs.files": "6 files could not be read"}


def test_a_device_that_vanishes_and_returns_is_unknown_meanwhile(tree, collector):
    for device in (0, 1):
        tree.status(device, 0, "timeout", 10)
    read(collector, 0)
    shutil.rmtree(tree.device(0))
    assert read(collector, 1).counters["neuron.status.timeout"] == [None, 0]
    tree.status(0, 0, "timeout", 50)
    assert read(collector, 2).counters["neuron.status.timeout"] == [None, 0]
    tree.status(0, 0, "timeout", 51)
    assert read(collector, 3).counters["neuron.status.timeout"] == [1, 0]


def test_a_new_file_is_found_at_the_next_search(tree, collector):
    tree.status(0, 0, "timeout", 1)
    read(collector, 0)
    tree.status(0, 0, "hw_error", 1)
    assert "neuron.status.hw_error" not in read(collector, 1).counters
    assert "neuron.status.hw_error" in read(collector, int(DISCOVERY_INTERVAL / 5) + 1).counters


@pytest.mark.parametrize(
    ("text", "label"),
    [("a1b2c3d4e5f60718\n", {"ultraserver": "a1b2c3d4e5f60718"})]
    + [
        (text, {}) for text in ("busy\n", "", "0000000000000000", "ffffffffffffffff", "-1", "two words", "x" * 200)
    ],
)
def test_the_ultraserver_is_a_label_unless_none_is_elected(tree, collector, text, label):
    tree.power(0, VALID)
    tree.server(text)
    assert read(collector, 0).labels == label


def test_nothing_is_ever_written(tree, collector):
    tree.status(0, 0, "timeout", 1)
    tree.power(0, VALID)
    before = {path: path.stat().st_mtime_ns for path in tree.root.rglob("*")}
    read(collector, 0)
    assert {path: path.stat().st_mtime_ns for path in tree.root.rglob("*")} == before


@pytest.mark.alone
def test_a_full_machine_is_read_in_time(tree, collector):
    for device in range(16):
        tree.repairable(device, 0)
        tree.power(device, VALID)
        for core in range(8):
            for name in range(20):
                tree.status(device, core, f"name_{name}", 0)
    read(collector, 0)
    costs = []
    for period in range(1, 8):
        start = time.process_time()
        reading = read(collector, period)
        costs.append(time.process_time() - start)
    assert reading.counters["neuron.status.name_19"] == [0] * 16
    # About 5 ms; the rest is room for a loaded machine.
    assert min(costs) < 0.05, costs
