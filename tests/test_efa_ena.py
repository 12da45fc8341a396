"""Network adapters of an instance: EFA counters from sysfs, ENA allowances through the ethtool ioctl."""

import errno
import secrets
import subprocess
from pathlib import Path

import pytest

from collectors.efa import Efa
from collectors.ena import Ena
from collectors.ethtool import read_statistics
from collectors.reading import Gap, Now, Reading


def at(period: int) -> Now:
    return Now(wall=1_790_000_000 + 5.0 * period, monotonic=100 + 5.0 * period)


def adapter(
    root: Path, name: str, counters: dict[str, object], kind: str = "0xefa2", vendor: str = "0x1d0f"
) -> None:
    device = root / "class/infiniband" / name
    (device / "device").mkdir(parents=True, exist_ok=True)
    (device / "device/vendor").write_text(f"{vendor}\n")
    (device / "device/device").write_text(f"{kind}\n")
    directory = device / "ports/1/hw_counters"
    directory.mkdir(parents=True, exist_ok=True)
    for counter, total in counters.items():
        (directory / counter).write_text(f"{total}\n")


def interface(root: Path, name: str, driver: str) -> None:
    (root / "bus/drivers" / driver).mkdir(parents=True, exist_ok=True)
    device = root / "class/net" / name / "device"
    device.mkdir(parents=True)
    (device / "driver").symlink_to(root / "bus/drivers" / driver)


def counters(collector: Efa | Ena, period: int) -> dict[str, object]:
    reading = collector.collect(at(period))
    assert isinstance(reading, Reading), reading
    return dict(reading.counters)


def test_without_adapters_both_say_so(tmp_path):
    assert Efa(tmp_path).collect(at(0)) == Gap("no EFA adapter")
    assert Ena(tmp_path).collect(at(0)) == Gap("no ENA adapter")


def test_efa_counters_are_increases_by_adapter_in_the_order_of_their_numbers(tmp_path):
    efa = Efa(tmp_path)
    for name, total in (("rdmap16s0", 100), ("rdmap9s0", 5)):
        adapter(tmp_path, name, {"rx_drops": total, "lifespan": 12})
    assert counters(efa, 0) == {"efa.rx_drops": [None, None]}
    adapter(tmp_path, "rdmap16s0", {"rx_drops": 103})
    assert counters(efa, 1) == {"efa.rx_drops": [0, 3]}
    adapter(tmp_path, "rdmap9s0", {"rx_drops": 1})
    assert counters(efa, 2) == {"efa.rx_drops": [None, 0]}
    efa.close()


def test_other_infiniband_devices_are_left_alone(tmp_path):
    adapter(tmp_path, "mlx5_0", {"rx_drops": 1}, kind="0x1017", vendor="0x15b3")
    adapter(tmp_path, "fake", {"rx_drops": 1}, vendor="0x15b3")
    adapter(tmp_path, "ena", {"rx_drops": 1}, kind="0xec20")
    assert Efa(tmp_path).collect(at(0)) == Gap("no EFA adapter")


def test_a_counter_that_one_adapter_lacks_or_that_holds_garbage_is_unknown(tmp_path):
    efa = Efa(tmp_path)
    adapter(tmp_path, "rdmap0", {"rx_drops": 1, "retrans_pkts": 1})
    adapter(tmp_path, "rdmap1", {"rx_drops": "nan", "Bad Name": 1})
    efa.collect(at(0))
    reading = efa.collect(at(1))
    assert isinstance(reading, Reading)
    assert reading.counters == {"efa.rx_drops": [0, None], "efa.retrans_pkts": [0, None]}
    assert reading.notes == {"efa.files": "1 counters could not be read"}
    efa.close()


def test_an_adapter_that_is_added_starts_unknown(tmp_path):
    efa = Efa(tmp_path)
    adapter(tmp_path, "rdmap0", {"rx_drops": 1})
    efa.collect(at(0))
    adapter(tmp_path, "rdmap1", {"rx_drops": 7})
    assert counters(efa, 1) == {"efa.rx_drops": [0, None]}
    efa.close()


class Statistics:
    """Statistics of interfaces as the ENA driver counts them."""

    def __init__(self):
        self.totals: dict[str, dict[str, int]] = {}

    def __call__(self, name: str) -> dict[str, int]:
        if name not in self.totals:
            raise OSError(errno.ENODEV, "No such device")
        return self.totals[name]


def test_ena_allowances_are_increases_by_interface_and_nothing_else_is_sent(tmp_path):
    interface(tmp_path, "ens5", "ena")
    interface(tmp_path, "ens33", "ena")
    interface(tmp_path, "eth0", "virtio_net")
    (tmp_path / "class/net/lo").mkdir()
    statistics = Statistics()
    ena = Ena(tmp_path, statistics=statistics)
    statistics.totals = {
        name: {"bw_in_allowance_exceeded": 11_072, "conntrack_allowance_available": 51_286, "queue_0_tx_cnt": 1}
        for name in ("ens5", "ens33")
    }
    assert counters(ena, 0) == {"ena.bw_in_allowance_exceeded": [None, None]}
    statistics.totals["ens5"] = {"bw_in_allowance_exceeded": 11_080, "pps_allowance_exceeded": 1}
    assert counters(ena, 1) == {"ena.bw_in_allowance_exceeded": [8, 0], "ena.pps_allowance_exceeded": [None, None]}


def test_an_interface_that_cannot_be_asked_is_unknown_and_noted(tmp_path):
    interface(tmp_path, "ens5", "ena")
    interface(tmp_path, "ens6", "ena")
    statistics = Statistics()
    ena = Ena(tmp_path, statistics=statistics)
    assert isinstance(ena.collect(at(0)), Gap)
    statistics.totals = {"ens6": {"pps_allowance_exceeded": 3}}
    ena.collect(at(1))
    reading = ena.collect(at(2))
    assert isinstance(reading, Reading)
    assert reading.counters == {"ena.pps_allowance_exceeded": [None, 0]}
    assert "No such device" in reading.notes["ena.ens5"]


def test_an_old_driver_without_allowances_is_a_gap(tmp_path):
    interface(tmp_path, "ens5", "ena")
    gap = Ena(tmp_path, statistics=lambda _: {"tx_timeout": 0}).collect(at(0))
    assert isinstance(gap, Gap)
    assert "too old" in gap.reason


@pytest.fixture
def veth():
    """Names of both ends of a pair of virtual interfaces, whose driver has statistics."""
    ends = [f"g{secrets.token_hex(4)}{end}" for end in "ab"]
    try:
        made = subprocess.run(
            ["ip", "link", "add", ends[0], "type", "veth", "peer", "name", ends[1]],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except FileNotFoundError:
        pytest.skip("veth: the command ip is missing (package iproute2)")
    if made.returncode:
        pytest.skip(f"veth: {made.stderr.strip()} (needs root and the kernel module veth)")
    yield ends
    subprocess.run(["ip", "link", "delete", ends[0]], timeout=10, check=True)


def test_the_ioctl_reads_what_a_real_driver_counts(veth):
    first, second = (read_statistics(end) for end in veth)
    index = int(Path(f"/sys/class/net/{veth[1]}/ifindex").read_text())
    assert first["peer_ifindex"] == index
    assert first.keys() == second.keys()
    assert len(first) > 1


@pytest.mark.parametrize("name", ["lo", "guard-none0", "", "x" * 16])
def test_an_interface_without_statistics_is_an_os_error(name):
    with pytest.raises(OSError):  # noqa: PT011 - which one is the kernel's choice
        read_statistics(name)
