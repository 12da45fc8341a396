"""Which Neuron device a rank uses, where neither the program nor the launcher says it.

The knowledge sits in the hook because only the training process has the environment that names its cores; how many
cores a device has stands in sysfs. A wrong device would point at sound hardware, so every doubt gives None: a rank
on several devices, a core that there is not, a container that sees some of the devices and counts from there.
"""

import re
from collections.abc import Mapping
from pathlib import Path

_CORES = "NEURON_RT_VISIBLE_CORES"
_GROUPED = ("NEURON_LOGICAL_NC_CONFIG", "NEURON_RT_VIRTUAL_CORE_SIZE")
"""Physical cores to a logical one; the second is the older name. Visible cores are counted in logical ones."""
_GROUPED_UNSAID = {2: 1, 8: 2}
"""The runtime's default by the physical cores of a device: trn1 has two and no grouping, trn2 groups by two."""
_MOST = 4096
_RANGE = re.compile(r"([0-9]{1,4})(?:-([0-9]{1,4}))?")
_DEVICE = re.compile(r"neuron(\d{1,4})")
_CORE = re.compile(r"neuron_core\d{1,4}")


def device(environment: Mapping[str, str], sys: Path = Path("/sys"), dev: Path = Path("/dev")) -> int | None:
    """The device of this process's cores, or None where it is not known. Never raises.

    Args:
        environment: of the training process.
        sys: root of sysfs.
        dev: where the device files are.
    """
    cores = visible(environment.get(_CORES, ""))
    if not cores:
        return None
    counts = _cores_of_devices(sys)
    if not counts or set(counts) != set(range(len(counts))) or set(counts) != set(_indices(dev)):
        return None
    physical = set(counts.values())
    each = _logical(environment, physical.pop()) if len(physical) == 1 else None
    if not each or max(cores) >= each * len(counts):
        return None
    devices = {core // each for core in cores}
    return devices.pop() if len(devices) == 1 else None


def visible(text: str) -> set[int]:
    """The cores that ``0-3``, ``0,1,5`` or ``4`` name; none where any part of it is something else."""
    cores: set[int] = set()
    for part in text.split(","):
        match = _RANGE.fullmatch(part.strip())
        if match is None:
            return set()
        first, last = int(match[1]), int(match[2] or match[1])
        if not first <= last < _MOST:
            return set()
        cores.update(range(first, last + 1))
    return cores


def _logical(environment: Mapping[str, str], physical: int) -> int | None:
    """Logical cores of a device."""
    said = next((value for name in _GROUPED if (value := environment.get(name))), None)
    grouped = _GROUPED_UNSAID.get(physical) if said is None else {"1": 1, "2": 2}.get(said)
    return physical // grouped if grouped and physical % grouped == 0 else None


def _cores_of_devices(sys: Path) -> dict[int, int]:
    """Physical cores by device, as the driver shows them."""
    for root in (sys / "class/neuron_device", sys / "devices/virtual/neuron_device"):
        found = {
            index: sum(_CORE.fullmatch(name) is not None for name in _names(root / f"neuron{index}"))
            for index in _indices(root)
        }
        if found:
            return found
    return {}


def _indices(directory: Path) -> list[int]:
    matches = (_DEVICE.fullmatch(name) for name in _names(directory))
    return [int(match[1]) for match in matches if match]


def _names(directory: Path) -> list[str]:
    try:
        return [entry.name for entry in directory.iterdir()]
    except OSError:
        return []
