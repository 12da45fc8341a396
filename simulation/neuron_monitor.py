"""An emulator of neuron-monitor: same command line, same configuration file, output of the same shape.

    python -m simulation.neuron_monitor -c CONFIG

What the real one finds in the machine comes from the environment: ``GUARD_EMULATE_INSTANCE_TYPE`` (trn1.32xlarge,
trn1n.32xlarge, trn2.48xlarge), ``GUARD_EMULATE_RUNTIMES``, ``GUARD_EMULATE_SEED``, and ``GUARD_EMULATE_FAULT``: a
list of ``kind@report`` parted by commas, each on the report of that number. With ``GUARD_EMULATE_STATE``, a file,
faults happen once and not again after a restart. Standard library only, so that it starts quickly.
"""

import json
import os
import random
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

USAGE = "Usage of neuron-monitor:\n  -c, --config-file FILE\n  --verbose 0-4\n"
MACHINES = {
    # devices, cores per device as the runtime counts them, logical core configuration, memory, zone
    "trn1.32xlarge": (16, 2, 1, 32 << 30, "use1-az6"),
    "trn1n.32xlarge": (16, 2, 1, 32 << 30, "use1-az6"),
    "trn2.48xlarge": (16, 4, 2, 96 << 30, "use1-az4"),
}
FAULTS = ("garbage", "half", "huge", "silence", "exit", "null", "errors", "flood")
_LEAST_PERIOD = 0.05
_MODELS = 24
"""Loaded models of a runtime: 32 runtimes then give lines of about 440 KB, as was seen."""


def main() -> None:
    """Emulate until the reader is gone."""
    period = _period(_arguments(sys.argv[1:]))
    emulator = Emulator(
        os.environ.get("GUARD_EMULATE_INSTANCE_TYPE", "trn1.32xlarge"),
        int(os.environ.get("GUARD_EMULATE_RUNTIMES", "2")),
        int(os.environ.get("GUARD_EMULATE_SEED", "0")),
    )
    faults = _faults(os.environ.get("GUARD_EMULATE_FAULT", ""))
    due = time.monotonic()
    for number in range(sys.maxsize):
        seconds = 0.0005 if number == 0 else period
        kind = faults.get(number)
        if kind and _first_time(f"{kind}@{number}"):
            _misbehave(kind, emulator.line(seconds, kind))
        else:
            _write(emulator.line(seconds) + "\n")
        due += period
        time.sleep(max(0.0, due - time.monotonic()))


class Emulator:
    """Lines of one machine. The heavy part of a line is made once."""

    def __init__(self, machine: str, runtimes: int, seed: int) -> None:
        self._machine = machine
        self._devices, self._per_device, self._lnc, self._memory, self._zone = MACHINES[machine]
        self._random = random.Random(seed)
        self._pids = [40_000 + 7 * number for number in range(runtimes)]
        self._models = {pid: json.dumps([_model(pid, number) for number in range(_MODELS)]) for pid in self._pids}
        self._ecc = [0] * self._devices

    def line(self, seconds: float, fault: str = "") -> str:
        """One report over ``seconds``, without its line end."""
        error = "open /proc/1/stat: no such file or directory" if fault == "errors" else ""
        runtimes = ",".join(self._runtime(pid, seconds, error) for pid in self._pids)
        rest = json.dumps(self._system(seconds, error, null=fault == "null"))
        return f'{{"neuron_runtime_data":[{runtimes}],{rest[1:]}'

    def _runtime(self, pid: int, seconds: float, error: str) -> str:
        own = self._pids.index(pid) % (self._devices * self._per_device)
        cores = {
            str(core): self._core(core, busy=core == own and not error)
            for core in range(self._devices * self._per_device)
        }
        latency = {
            p: 0.09 + 0.001 * self._random.random() for p in ("p0", "p1", "p25", "p50", "p75", "p99", "p100")
        }
        report = {
            "execution_stats": {
                "period": seconds,
                "error_summary": dict.fromkeys(
                    ("generic", "numerical", "transient", "model", "runtime", "hardware"), 0
                ),
                "execution_summary": {
                    "completed": 0 if error else int(100 * seconds),
                    **dict.fromkeys(
                        (
                            "completed_with_err",
                            "completed_with_num_err",
                            "timed_out",
                            "incorrect_input",
                            "failed_to_queue",
                        ),
                        0,
                    ),
                },
                "latency_stats": {"total_latency": None if error else latency, "device_latency": None},
                "error": error,
            },
            "neuron_runtime_vcpu_usage": {
                "period": seconds,
                "vcpu_usage": {"user": 19.2, "system": 3.9},
                "error": error,
            },
            "neuroncore_counters": {"period": seconds, "neuroncores_in_use": cores, "error": error},
            "memory_used": {
                "period": seconds,
                "neuron_runtime_used_bytes": {"host": 610_705_408, "neuron_device": 102_298_328},
                "loaded_models": [],
                "error": error,
            },
        }
        text = json.dumps({"pid": pid, "neuron_runtime_tag": str(pid), "error": "", "report": report})
        return text.replace('"loaded_models": []', f'"loaded_models": {self._models[pid]}')

    def _core(self, core: int, *, busy: bool) -> dict[str, Any]:
        used = 95 + 3 * self._random.random() if busy else 0
        found: dict[str, Any] = {"neuroncore_utilization": used, "flops": int(used * 1e11)}
        if self._lnc > 1:
            first = core * self._lnc
            found["v3d"] = {f"nc_v3.{first + n}": {"neuroncore_utilization": used} for n in range(self._lnc)}
        return found

    def _system(self, seconds: float, error: str, *, null: bool) -> dict[str, Any]:
        devices = [
            {
                "neuron_device_index": device,
                "mem_ecc_corrected": self._ecc[device],
                "mem_ecc_uncorrected": 0,
                "sram_ecc_uncorrected": 0,
                "sram_ecc_corrected": 0,
            }
            for device in range(self._devices)
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
                "instance_id": os.environ.get("GUARD_EMULATE_INSTANCE_ID", "i-0123456789abcdef0"),
                "instance_type": self._machine,
                "instance_availability_zone_id": self._zone,
                "ami_id": "ami-00000000000000000",
                "subnet_id": "subnet-00000000000000000",
                "error": "",
            },
            "neuron_hardware_info": {
                "neuron_device_type": "trainium",
                "neuron_device_count": self._devices,
                "neuroncore_per_device_count": self._per_device,
                "logical_neuroncore_config": self._lnc,
                "neuron_device_memory_size": self._memory,
                "error": "",
            },
        }


def _model(pid: int, number: int) -> dict[str, Any]:
    """A loaded model, with the long path that makes real lines long; none of it is ours to send."""
    name = f"/var/tmp/neuron-compile-cache/USER_neuroncc-2.3/MODULE_{pid}{number:04}/MODULE_{number}.neff"  # noqa: S108
    return {"name": name + "x" * 150, "uuid": f"{pid:08x}{number:024x}", "model_id": number, "subgraphs": {}}


def _misbehave(kind: str, line: str) -> None:
    if kind == "exit":
        sys.stderr.write("fatal: device lost\n")
        sys.exit(1)
    elif kind == "silence":
        time.sleep(3600)
    elif kind == "garbage":
        _write("\x00\x01 this is not JSON {{{\n")
    elif kind == "half":
        _write(line[: len(line) // 2])
        sys.exit(1)
    elif kind == "huge":
        _write(line[:-1] + ',"padding":"' + "x" * (2 << 20) + '"}\n')
    else:
        if kind == "flood":
            sys.stderr.write("warning: nothing is wrong\n" * 200_000)
        _write(line + "\n")


def _first_time(fault: str) -> bool:
    state = os.environ.get("GUARD_EMULATE_STATE")
    if not state:
        return True
    path = Path(state)
    done = path.read_text().split() if path.exists() else []
    path.write_text("\n".join([*done, fault]))
    return fault not in done


def _write(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(0)


def _faults(text: str) -> dict[int, str]:
    found = {}
    for one in filter(None, text.split(",")):
        kind, _, number = one.partition("@")
        if kind not in FAULTS or not number.isdecimal():
            sys.exit(f"GUARD_EMULATE_FAULT: {one!r}; expected KIND@REPORT with KIND one of {', '.join(FAULTS)}")
        found[int(number)] = kind
    return found


def _arguments(words: list[str]) -> Path | None:
    """The configuration file. As the real one does, a wrong flag prints the usage on stdout and ends."""
    path = None
    while words:
        word = words.pop(0)
        if word in ("-c", "--config-file") and words:
            path = Path(words.pop(0))
        elif word == "--verbose" and words and words[0] in "01234":
            words.pop(0)
        else:
            _usage()
    return path


def _usage() -> NoReturn:
    sys.stdout.write(USAGE)
    sys.exit(2)


def _period(path: Path | None) -> float:
    """The shortest period in the configuration, at its root, a runtime or a group; 5 s without one.

    The real one takes no less than a second; here less is taken too, so that tests are quick.
    """
    found: list[float] = []

    def look(part: Any) -> None:
        if isinstance(part, dict):
            if isinstance(part.get("period"), str):
                found.append(float(part["period"].removesuffix("s")))
            for inner in part.values():
                look(inner)
        elif isinstance(part, list):
            for inner in part:
                look(inner)

    if path is not None:
        look(json.loads(path.read_text()))
    return max(_LEAST_PERIOD, min(found, default=5.0))


if __name__ == "__main__":
    main()
