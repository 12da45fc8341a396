"""The device of a rank, from its environment and what the driver shows; every doubt is null, never 0."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.steps import launch
from guard.steps.device import device, visible
from guard.steps.launch import identify

TRN1, TRN2 = 2, 8


@pytest.fixture
def machine(tmp_path):
    """Lays out devices with so many physical cores, all or some of them with a device file here."""

    def lay_out(cores, devices=16, shown=None, where="devices/virtual"):
        for index in range(devices):
            for core in range(cores):
                (tmp_path / f"sys/{where}/neuron_device/neuron{index}/neuron_core{core}/stats").mkdir(parents=True)
        (tmp_path / "dev").mkdir()
        for index in range(devices) if shown is None else shown:
            (tmp_path / f"dev/neuron{index}").touch()
        return {"sys": tmp_path / "sys", "dev": tmp_path / "dev"}

    return lay_out


@pytest.mark.parametrize(
    ("text", "cores"),
    [
        ("4", {4}),
        ("0-3", {0, 1, 2, 3}),
        ("0,1,5", {0, 1, 5}),
        ("0-1, 6-7", {0, 1, 6, 7}),
        *((wrong, set()) for wrong in ("", "all", "3-1", "-1", "0,", "0-99999", "1-2-3", "٤")),
    ],
)
def test_visible_cores_are_read_in_all_their_forms(text, cores):
    assert visible(text) == cores


@pytest.mark.parametrize(
    ("cores", "environment", "expected"),
    [
        (TRN1, {"NEURON_RT_VISIBLE_CORES": "0"}, 0),
        (TRN1, {"NEURON_RT_VISIBLE_CORES": "31"}, 15),
        (TRN1, {"NEURON_RT_VISIBLE_CORES": "6-7"}, 3),
        (TRN2, {"NEURON_RT_VISIBLE_CORES": "4-7"}, 1),  # grouped by two unless said otherwise
        (TRN2, {"NEURON_RT_VISIBLE_CORES": "4-7", "NEURON_LOGICAL_NC_CONFIG": "2"}, 1),
        (TRN2, {"NEURON_RT_VISIBLE_CORES": "4-7", "NEURON_LOGICAL_NC_CONFIG": "1"}, 0),
        (TRN2, {"NEURON_RT_VISIBLE_CORES": "127", "NEURON_RT_VIRTUAL_CORE_SIZE": "1"}, 15),
    ],
)
@pytest.mark.parametrize("where", ["devices/virtual", "class"])
def test_the_device_is_that_of_the_cores(machine, cores, environment, expected, where):
    assert device(environment, **machine(cores, where=where)) == expected


@pytest.mark.parametrize(
    ("cores", "environment"),
    [
        (TRN1, {}),
        (TRN1, {"NEURON_RT_NUM_CORES": "2"}),
        (TRN1, {"NEURON_RT_VISIBLE_CORES": "1-2"}),  # of two devices
        (TRN1, {"NEURON_RT_VISIBLE_CORES": "32"}),  # there is none such
        (TRN2, {"NEURON_RT_VISIBLE_CORES": "64"}),
        (TRN2, {"NEURON_RT_VISIBLE_CORES": "0", "NEURON_LOGICAL_NC_CONFIG": "3"}),
        (TRN2, {"NEURON_RT_VISIBLE_CORES": "0", "NEURON_LOGICAL_NC_CONFIG": "two"}),
        (4, {"NEURON_RT_VISIBLE_CORES": "0"}),  # a device that nobody knows, and nothing said of its grouping
        (0, {"NEURON_RT_VISIBLE_CORES": "0"}),
    ],
)
def test_what_is_not_known_is_null(machine, cores, environment):
    assert device(environment, **machine(cores)) is None


def test_a_container_that_sees_some_devices_counts_cores_from_there_so_nothing_is_known(machine):
    assert device({"NEURON_RT_VISIBLE_CORES": "0"}, **machine(TRN1, shown=[4, 5])) is None


def test_without_a_driver_nothing_is_known(tmp_path):
    assert device({"NEURON_RT_VISIBLE_CORES": "0"}, sys=tmp_path, dev=tmp_path) is None


def test_program_and_guard_device_come_first(monkeypatch):
    monkeypatch.setattr(launch, "visible_device", lambda _: 7)
    assert identify({}, {}).place.device == 7
    assert identify({"GUARD_DEVICE": "3"}, {}).place.device == 3
    assert identify({"GUARD_DEVICE": "3"}, {"device": 0}).place.device == 0


@given(st.text(max_size=20), st.text(max_size=3))
def test_a_wrong_environment_never_raises(cores, grouped):
    assert device({"NEURON_RT_VISIBLE_CORES": cores, "NEURON_LOGICAL_NC_CONFIG": grouped}) is None
