"""Trying each part of this machine's set-up: what works, what does not, and what to do about it.

Nothing is made or changed. Each check looks as the user who runs it, so run it as the user of the services.
"""

import errno
import importlib.util
import os
import shutil
import stat
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path

from collectors.clock_offset import KernelClock, kernel_clock
from guard.bus import BusError, Topic, open_bus
from guard.config import Config
from guard.identity import instance_id, node_name

_MOST_COUNTED = 1000
_CLOCK_ERROR, _STA_UNSYNC = 5, 0x40
"""TIME_ERROR and STA_UNSYNC of adjtimex(2)."""


class State(StrEnum):
    """How a check went. Skipped: there is nothing here that it could try."""

    OK = "ok"
    FAIL = "FAIL"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Check:
    """One part: how it went, what was seen, and what to do where it failed."""

    name: str
    state: State
    detail: str
    remedy: str = ""


def run_checks(
    config: Config, source: Path | None, ask_clock: Callable[[], KernelClock] = kernel_clock
) -> list[Check]:
    """Try every part, in the order in which data flows. A check that cannot look has failed.

    Args:
        config: what this machine is told.
        source: where that came from; None: the defaults.
        ask_clock: asks the kernel about its clock.
    """
    checks: list[tuple[str, Callable[[], Check]]] = [
        ("configuration", lambda: Check("configuration", State.OK, str(source or "no file: the defaults"))),
        ("node", lambda: _node(config)),
        ("rings", lambda: _rings(Path(config.agent.rings))),
        ("neuron-monitor", lambda: _neuron_monitor(config)),
        ("neuron devices", lambda: _neuron_devices(Path(config.agent.roots.sys))),
        ("kernel log", lambda: _kernel_log(Path(config.agent.roots.dev) / "kmsg")),
        ("efa", lambda: _efa(Path(config.agent.roots.sys) / "class/infiniband")),
        ("clock", lambda: _clock(ask_clock)),
        ("spool", lambda: _spool(Path(config.agent.spool))),
        ("bus", lambda: _kafka(config) if config.bus.startswith("kafka:") else _bus(config.bus)),
        ("detector", _detector),
    ]
    return [_tried(name, check) for name, check in checks]


def _tried(name: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        return Check(name, State.FAIL, what, "run this as the user of the services: sudo -u guard guard check")


def _node(config: Config) -> Check:
    detail = f"{node_name(config)}, instance {instance_id(config)}, cluster {config.cluster}"
    return Check("node", State.OK, detail)


def _rings(directory: Path) -> Check:
    remedy = f"start guard-agent.service, which makes it, or: install -d -m 1777 {directory}"
    if not directory.is_dir():
        return Check("rings", State.FAIL, f"{directory}: no such directory", remedy)
    mode = stat.S_IMODE(directory.stat().st_mode)
    if mode != 0o1777:
        why = f"{directory} has mode {mode:04o}; training processes of any user make their rings there"
        return Check("rings", State.FAIL, why, f"chmod 1777 {directory}")
    return _writable("rings", directory)


def _spool(file: Path) -> Check:
    if not file.exists():
        return _writable("spool", file.parent)
    if not file.is_file() or not os.access(file, os.R_OK | os.W_OK):
        return Check("spool", State.FAIL, f"{file} is no file that this user may write", f"chown guard {file}")
    return _writable("spool", file.parent)


def _writable(name: str, directory: Path) -> Check:
    if not directory.is_dir():
        remedy = f"install -d -o guard -g guard -m 750 {directory}"
        return Check(name, State.FAIL, f"{directory}: no such directory", remedy)
    if not os.access(directory, os.W_OK | os.X_OK):
        return Check(name, State.FAIL, f"{directory}: this user may not write there", f"chown guard {directory}")
    return Check(name, State.OK, f"{directory} is writable")


def _neuron_monitor(config: Config) -> Check:
    name, program = "neuron-monitor", config.agent.neuron_monitor.command[0]
    if "neuron_monitor" in config.agent.disabled:
        return Check(name, State.SKIP, "disabled in agent.disabled")
    if shutil.which(program):
        return Check(name, State.OK, program)
    if not _devices(Path(config.agent.roots.sys)):
        return Check(name, State.SKIP, f"{program} is not here, and neither are Neuron devices")
    remedy = "install aws-neuronx-tools, or name it in agent.neuron_monitor.command"
    return Check(name, State.FAIL, f"{program}: no such program, or not executable", remedy)


def _neuron_devices(sys: Path) -> Check:
    devices = _devices(sys)
    if not devices:
        return Check("neuron devices", State.SKIP, f"none under {sys}; is the Neuron driver loaded?")
    return Check("neuron devices", State.OK, f"{len(devices)} under {devices[0].parent}")


def _devices(sys: Path) -> list[Path]:
    """The devices' directories; the driver has moved them over time."""
    for root in ("devices/virtual/neuron_device", "class/neuron_device"):
        found = sorted(path for path in (sys / root).glob("neuron*") if path.name.removeprefix("neuron").isdigit())
        if found:
            return found
    return []


def _kernel_log(path: Path) -> Check:
    name = "kernel log"
    if not path.exists():
        return Check(name, State.SKIP, f"{path}: not here (a container?); hard errors stay unseen")
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            os.read(descriptor, 8192)
        finally:
            os.close(descriptor)
    except PermissionError:
        remedy = "needs CAP_SYSLOG, which guard-agent.service has; elsewhere try as root"
        return Check(name, State.FAIL, f"{path}: permission denied", remedy)
    except OSError as error:
        if error.errno not in (errno.EAGAIN, errno.EPIPE):  # nothing there yet; or overwritten while being read
            raise
    return Check(name, State.OK, f"{path} is readable")


def _efa(infiniband: Path) -> Check:
    adapters = [path.name for path in sorted(infiniband.glob("*")) if _is_efa(path / "device")]
    if not adapters:
        return Check("efa", State.SKIP, f"no EFA adapter under {infiniband}")
    return Check("efa", State.OK, f"{len(adapters)}: {', '.join(adapters[:4])}{'…' if len(adapters) > 4 else ''}")


def _is_efa(device: Path) -> bool:
    try:
        vendor, kind = ((device / name).read_bytes()[:16].strip() for name in ("vendor", "device"))
    except OSError:
        return False
    return vendor == b"0x1d0f" and kind.startswith(b"0xefa")


def _clock(ask: Callable[[], KernelClock]) -> Check:
    try:
        clock = ask()
    except OSError as error:
        return Check("clock", State.SKIP, f"the kernel does not say: {error}")
    if clock.state == _CLOCK_ERROR or clock.status & _STA_UNSYNC:
        remedy = "start chronyd or systemd-timesyncd: nodes are compared over the same times"
        return Check("clock", State.FAIL, "not synchronised", remedy)
    return Check("clock", State.OK, "synchronised")


def _bus(address: str) -> Check:
    path = Path(address.partition(":")[2])
    if not path.exists():  # opening it would make it, for a user who may be the wrong one
        found = _writable("bus", path.parent)
        made = f"{path} is not there yet; who opens it first makes it"
        return Check("bus", State.OK, made) if found.state is State.OK else found
    try:
        with open_bus(address) as bus:
            count = sum(1 for _ in islice(bus.scan(Topic.STATE), _MOST_COUNTED))
    except BusError as error:
        return Check("bus", State.FAIL, str(error), "see `bus` in `guard config`, and the owner of the file")
    more = " or more" if count == _MOST_COUNTED else ""
    return Check("bus", State.OK, f"{address}, {count}{more} records of state")


def _kafka(config: Config) -> Check:
    from guard.checks_kafka import look  # noqa: PLC0415  (kafka-python is loaded only where it is the bus)

    try:
        found = look(config)
    except BusError as error:
        return Check("bus", State.FAIL, str(error), "see `bus` and `kafka` in `guard config`")
    return Check("bus", State.FAIL if found.remedy else State.OK, found.detail, found.remedy)


def _detector() -> Check:
    if importlib.util.find_spec("numpy") is None:
        return Check("detector", State.SKIP, "no numpy; where it is to run: pip install 'trn-guard[detect]'")
    return Check("detector", State.OK, "its libraries are here")
