"""Hard errors of Neuron devices from the kernel log, ``/dev/kmsg``.

A record of ``/dev/kmsg`` is ``<priority>,<sequence>,<microseconds>,<flags>;<message>`` and continuation lines
that start with a space (kernel documentation, ABI/testing/dev-kmsg). A hard error reads
``NEURON_HW_ERR=<CODE> instance-id=… hostname=… nd-id=<device> nc-id=<core> serial-num=… action=<ACTION>``.
Only code, device, core and action leave the node; who it is and serial numbers do not.
"""

import errno
import os
import re
from pathlib import Path

from collectors.reading import Gap, Now, Reading
from collectors.telemetry import Fault

LARGEST_MESSAGE = 8192
"""Bytes. The kernel gives a record whole or fails with EINVAL; its own largest is 8 KiB (CONSOLE_EXT_LOG_MAX)."""
MOST_READS = 2000
"""Records per collect. A flood goes on in the next one, or overruns the kernel's buffer, which is noted."""
MOST_FAULTS = 64
"""Per period. A device that repeats its error every few microseconds says nothing new."""

_ERROR = re.compile(rb"NEURON_HW_ERR=([A-Z0-9_]{1,64})(?![A-Za-z0-9_])")
_FIELD = re.compile(rb"(?<![\w-])(nd-id|nc-id|action)=([A-Z0-9_]{1,64})(?!\S)")
_STAMP = re.compile(rb"\d{1,10},\d{1,20},(\d{1,18}),")


class KernelLog:
    """Collector of ``faults``. It starts at the end of the log: what was there before is not reported again.

    Args:
        path: the log; tests give a regular file or a FIFO.
    """

    name = "kernel_log"
    deadline = 1.0

    def __init__(self, path: Path = Path("/dev/kmsg")) -> None:
        self._path = path
        self._rest = b""
        self._since: float | None = None
        self._failed = False
        self._descriptor: int | None = None
        self._refusal = self._open()

    def collect(self, now: Now) -> Reading | Gap:
        """Read the messages since the last call."""
        if self._descriptor is None:
            self._refusal = self._open()
        if self._descriptor is None:
            self._failed = True
            return Gap(self._refusal)
        notes = (
            {"kernel_log.lost": f"{self._path} was away: messages of that time are lost"} if self._failed else {}
        )
        self._failed = False
        try:
            lines, overran, drained = self._read(self._descriptor)
        except OSError as error:
            self.close()
            self._failed = True
            return Gap(f"{self._path}: {error.strerror}; opening it again")
        if overran:
            notes["kernel_log.lost"] = f"lost messages: {self._path} overran {overran} times"
        faults = [fault for line in lines if (fault := self._fault(line, now))]
        if len(faults) > MOST_FAULTS:
            notes["kernel_log.faults"] = f"{len(faults)} errors, the first {MOST_FAULTS} are reported"
        if drained:
            self._since = now.wall
        return Reading(faults=tuple(faults[:MOST_FAULTS]), notes=notes)

    def close(self) -> None:
        """Close the log."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        self._rest = b""

    def _open(self) -> str:
        """Open at the end; the answer is why that failed, or empty."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except PermissionError:
            return f"{self._path}: permission denied; the agent needs CAP_SYSLOG and DeviceAllow={self._path}"
        except OSError as error:
            return f"{self._path}: {error.strerror}"
        try:
            os.lseek(descriptor, 0, os.SEEK_END)
        except OSError as error:
            if error.errno != errno.ESPIPE:  # a FIFO has no end to go to, and no past either
                os.close(descriptor)
                return f"{self._path}: {error.strerror}"
        self._descriptor = descriptor
        return ""

    def _read(self, descriptor: int) -> tuple[list[bytes], int, bool]:
        """Read complete lines; also how often messages were overwritten unread, and whether all was read."""
        lines: list[bytes] = []
        overran = 0
        for _ in range(MOST_READS):
            try:
                piece = os.read(descriptor, LARGEST_MESSAGE)
            except BlockingIOError:
                return lines, overran, True
            except OSError as error:
                if error.errno != errno.EPIPE:
                    raise
                # The next read goes on with the oldest message that is still there.
                overran += 1
                continue
            if not piece:
                return lines, overran, True
            *complete, self._rest = (self._rest + piece).split(b"\n")
            self._rest = self._rest[:LARGEST_MESSAGE]
            lines += [line for line in complete if b"NEURON_HW_ERR=" in line and not line.startswith(b" ")]
        return lines, overran, False

    def _fault(self, line: bytes, now: Now) -> Fault | None:
        match = _ERROR.search(line)
        if match is None:
            return None
        # The first of each name: what follows in a message may be repeated from elsewhere.
        fields = dict(reversed(_FIELD.findall(line, match.end())))
        device, core, action = (fields.get(name, b"").decode() for name in (b"nd-id", b"nc-id", b"action"))
        detail = [f"nc-id={core}"] if core.isdigit() and len(core) <= 4 else []
        detail += [f"action={action}"] if action else []
        return Fault(
            code=match[1].decode(),
            device=int(device) if device.isdigit() and len(device) <= 4 else None,
            time=self._time(line, now),
            detail=" ".join(detail) or None,
        )

    def _time(self, line: bytes, now: Now) -> float:
        """Wall time of a message: its age on the monotonic clock, held inside the time since the last collect.

        The kernel stamps with a clock that is not steered, so after weeks of uptime it is off by up to a minute.
        """
        stamp = _STAMP.match(line)
        wall = now.wall - (now.monotonic - int(stamp[1]) / 1e6) if stamp else now.wall
        return min(now.wall, max(wall, self._since if self._since is not None else wall))
