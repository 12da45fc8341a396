"""Lines of an emulated neuron-monitor, shaped like real captures. Standard library only.

Nearly all of a line never changes, so it is made once; a report only fills in numbers. An emulator of 32 runtimes
must not take the CPU that a demo or a benchmark measures.
"""

import json
import random
from dataclasses import dataclass
from typing import Any

_MODELS = 32
"""Loaded models of a runtime, as captured on trn1n.32xlarge. 32 runtimes then give lines of about 440 KB."""
_NO_DATA = "open /proc/1/stat: no such file or directory"
_PERCENTILES = ("p0", "p1", "p100", "p25", "p50", "p75", "p99")
_FLOPS_AT_FULL = 9.5e13
_INSTANCE = "i-0123456789abcdef0"
_CACHE = "/var/tmp/neuron-compile-cache/USER_neuroncc"  # noqa: S108  (a name that is printed, no file)


@dataclass(frozen=True, slots=True)
class Machine:
    """What neuron-monitor says of an instance type; memory in bytes of one device."""

    devices: int
    cores_per_device: int
    logical_core: int
    device_memory: int
    zone: str

    @property
    def cores(self) -> int:
        """Logical cores, as runtimes count them."""
        return self.devices * self.cores_per_device


MACHINES = {
    "trn1.32xlarge": Machine(16, 2, 1, 32 << 30, "use1-az6"),
    "trn1n.32xlarge": Machine(16, 2, 1, 32 << 30, "use1-az6"),
    # 8 physical cores a device, of which two make a logical one (LNC 2, the default).
    "trn2.48xlarge": Machine(16, 4, 2, 96 << 30, "use1-az4"),
}


class Emulator:
    """Lines of one machine.

    Args:
        instance_type: one of ``MACHINES``.
        runtimes: how many processes use the devices, each one core, in turn.
        seed: of the noise.
        instance_id: what ``instance_info`` says.

    Raises:
        ValueError: another instance type.
    """

    def __init__(self, instance_type: str, runtimes: int, seed: int, instance_id: str = _INSTANCE) -> None:
        if instance_type not in MACHINES:
            raise ValueError(f"instance type {instance_type!r}; expected one of {', '.join(MACHINES)}")
        self._type = instance_type
        self._machine = MACHINES[instance_type]
        self._instance = instance_id
        self._random = random.Random(seed)
        self._templates = {
            (core, broken): _template(self._machine, core, broken=broken)
            for core in {number % self._machine.cores for number in range(runtimes)}
            for broken in (False, True)
        }
        self._runtimes = [(40_000 + 7 * number, number % self._machine.cores) for number in range(runtimes)]

    def line(self, seconds: float, fault: str = "") -> str:
        """One report over ``seconds``, without its line end; faults ``null`` and ``errors`` change it."""
        broken = fault == "errors"
        runtimes = ",".join(self._runtime(pid, core, seconds, broken=broken) for pid, core in self._runtimes)
        rest = json.dumps(self._system(seconds, _NO_DATA if broken else "", null=fault == "null"))
        return f'{{"neuron_runtime_data":[{runtimes}],{rest[1:]}'

    def _runtime(self, pid: int, core: int, seconds: float, *, broken: bool) -> str:
        used = 95 + 3 * self._random.random()
        latency = 0.09 + 0.001 * self._random.random()
        return self._templates[core, broken] % {
            "pid": pid,
            "period": seconds,
            "used": used,
            "flops": int(used / 100 * _FLOPS_AT_FULL),
            "completed": int(100 * seconds),
            **{name: latency * (1 + at / 100) for at, name in enumerate(_PERCENTILES)},
        }

    def _system(self, seconds: float, error: str, *, null: bool) -> dict[str, Any]:
        machine = self._machine
        counters = ("mem_ecc_corrected", "mem_ecc_uncorrected", "sram_ecc_uncorrected", "sram_ecc_corrected")
        devices = [
            {"neuron_device_index": device, **dict.fromkeys(counters, 0)} for device in range(machine.devices)
        ]
        return {
            "system_data": {
                "memory_info": {"period": seconds, "memory_total_bytes": 532_523_487_232, "error": ""},
                "neuron_hw_counters": {
                    "period": seconds,
                    "neuron_devices": None if null else devices,
                    "error": error,
                },
            },
            "instance_info": {
                "instance_name": "",
                "instance_id": self._instance,
                "instance_type": self._type,
                "instance_availability_zone_id": machine.zone,
                "ami_id": "ami-00000000000000000",
                "subnet_id": "subnet-00000000000000000",
                "error": "",
            },
            "neuron_hardware_info": {
                "neuron_device_type": "trainium",
                "neuron_device_count": machine.devices,
                "neuroncore_per_device_count": machine.cores_per_device,
                "logical_neuroncore_config": machine.logical_core,
                "neuron_device_memory_size": machine.device_memory,
                "error": "",
            },
        }


def _template(machine: Machine, own: int, *, broken: bool) -> str:
    """The text of a runtime that uses core ``own``, with ``%(name)s`` where a report fills a number in."""
    error = _NO_DATA if broken else ""
    latency = None if broken else {name: f"@{name}@" for name in _PERCENTILES}
    completed: Any = 0 if broken else "@completed@"
    failed = ("completed_with_err", "completed_with_num_err", "timed_out", "incorrect_input", "failed_to_queue")
    classes = ("generic", "numerical", "transient", "model", "runtime", "hardware")
    groups: dict[str, dict[str, Any]] = {
        "execution_stats": {
            "error_summary": dict.fromkeys(classes, 0),
            "execution_summary": {"completed": completed, **dict.fromkeys(failed, 0)},
            "latency_stats": {"total_latency": latency, "device_latency": latency},
        },
        "memory_used": {
            "neuron_runtime_used_bytes": {"host": 610_705_408, "neuron_device": 102_298_328},
            "loaded_models": [_model(own, number) for number in range(_MODELS)],
        },
        "neuron_runtime_vcpu_usage": {"vcpu_usage": {"user": 19.2, "system": 3.9}},
        "neuroncore_counters": {
            "neuroncores_in_use": {
                str(core): _core(machine, core, busy=core == own and not broken) for core in range(machine.cores)
            },
        },
    }
    report = {name: {"period": "@period@", **group, "error": error} for name, group in groups.items()}
    runtime = {"pid": "@pid@", "neuron_runtime_tag": "@pid@", "error": "", "report": report}
    text = json.dumps(runtime, separators=(",", ":")).replace("%", "%%")
    text = text.replace('"neuron_runtime_tag":"@pid@"', '"neuron_runtime_tag":"%(pid)s"')
    for name in ("pid", "period", "used", "flops", "completed", *_PERCENTILES):
        text = text.replace(f'"@{name}@"', f"%({name})s")
    return text


def _core(machine: Machine, core: int, *, busy: bool) -> dict[str, Any]:
    used: Any = "@used@" if busy else 0
    found: dict[str, Any] = {"neuroncore_utilization": used, "flops": "@flops@" if busy else 0}
    if machine.logical_core > 1:
        first = core * machine.logical_core
        physical = range(first, first + machine.logical_core)
        found["v3d"] = {f"nc_v3.{number}": {"neuroncore_utilization": used} for number in physical}
    return found


def _model(core: int, number: int) -> dict[str, Any]:
    """A loaded model. Its path and its breakdown make real lines long; none of it is ours to send."""
    module = f"MODULE_{core:04}{number:016}"
    return {
        "name": f"{_CACHE}/{module}/MODULE_{number}_SyncTensorsGraph.{module}/model.neff",
        "uuid": f"{core:08x}{number:024x}",
        "model_id": 10_000 + number,
        "is_running": False,
        "subgraphs": {
            "sg_00": {
                "memory_used_bytes": {"host": 20_608, "neuron_device": 151_936},
                "neuroncore_index": core,
                "neuron_device_index": 0,
            },
        },
    }
