"""The binding to neuron-monitor: a child process that writes a JSON object per line, and how it is kept in check.

The child is in a session of its own; its whole group is killed and it is waited for, always. stderr is drained (a
full pipe would block the child) and its tail kept. It is started again with growing pauses when it ends, and
when it is silent for three periods. Lines have no time of their own: arrival is stamped.
"""

import contextlib
import os
import selectors
import subprocess
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

import msgspec

from collectors import neuron_report
from collectors.child_process import Reaped, how_it_ended
from collectors.lines import Lines
from collectors.neuron_report import Report

LONGEST_LINE = 4 << 20
"""Bytes. 32 runtimes gave 444,560 (seen); 128 processes may pass 1 MB. What is longer is thrown away unread."""
_SILENT_PERIODS = 3
_PAUSE_FIRST, _PAUSE_MOST = 1.0, 60.0
_WELL_AFTER = 60.0
"""Seconds that a child must have lived for the pauses to start small again."""
_QUEUE = 64
"""Reports that wait to be taken; they are megabytes each, so there is a bound."""
_TAIL = 2048
_READ = 1 << 18
_GROUPS = ("neuroncore_counters", "execution_stats", "neuron_runtime_vcpu_usage")


@dataclass(frozen=True, slots=True)
class Arrival:
    """A report and when it came: Unix seconds and ``time.monotonic()`` seconds."""

    report: Report
    wall: float
    monotonic: float


class NeuronMonitor:
    """neuron-monitor, running.

        with NeuronMonitor(["/opt/aws/neuron/bin/neuron-monitor"], period=5) as monitor:
            for arrival in monitor:
                ...

    ``trouble`` says why there are no reports, or None. ``refused`` counts lines that were no reports, ``dropped``
    the oldest reports, which gave way because nobody took them, ``starts`` how often the child was started or
    could not be. What is over meanwhile is told by ``happened``.
    """

    def __init__(self, command: Sequence[str], period: float = 5.0) -> None:
        self.trouble: str | None = "starting"
        self.refused = 0
        self.dropped = 0
        self.starts = 0
        self._happened: str | None = None
        self._command = list(command)
        self._period = period
        self._arrivals: deque[Arrival] = deque()
        self._arrived = threading.Condition()
        self._stop_read, self._stop_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._thread = threading.Thread(target=self._run, name="neuron-monitor", daemon=True)

    def start(self) -> None:
        """Start the child, and the thread that keeps it."""
        self._thread.start()

    def take(self, until: float) -> list[Arrival]:
        """The reports that arrived by ``until`` (monotonic seconds) and were not taken yet."""
        taken = []
        with self._arrived:
            while self._arrivals and self._arrivals[0].monotonic <= until:
                taken.append(self._arrivals.popleft())
        return taken

    def happened(self) -> str | None:
        """The newest trouble since the last call, also where it is over; None where there was none.

        A child can end and be back between two looks, and reports are missing all the same.
        """
        with self._arrived:
            happened, self._happened = self._happened, None
        return happened

    def close(self) -> None:
        """End the child and its group, and wait for them."""
        with contextlib.suppress(OSError):
            os.write(self._stop_write, b"x")
        if self._thread.ident is not None:
            self._thread.join(3.0)
        if not self._thread.is_alive() and self._stop_write >= 0:
            os.close(self._stop_read)
            os.close(self._stop_write)
            self._stop_read = self._stop_write = -1
        with self._arrived:
            self._arrived.notify_all()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Arrival]:
        """Reports as they come, over restarts of the child, until the monitor is closed."""
        while self._thread.is_alive():
            with self._arrived:
                self._arrived.wait_for(lambda: self._arrivals or not self._thread.is_alive(), timeout=1.0)
                ready = list(self._arrivals)
                self._arrivals.clear()
            yield from ready

    def _run(self) -> None:
        pause = _PAUSE_FIRST
        while True:
            born = time.monotonic()
            self.starts += 1
            try:
                ended = self._live()
            except OSError as error:  # no place for its configuration, say; this thread must outlive that
                ended = f"cannot run {self._command[0]}: {error.strerror}"
            if ended is None:
                return
            pause = _PAUSE_FIRST if time.monotonic() - born > _WELL_AFTER else min(pause * 2, _PAUSE_MOST)
            wait = pause / 2
            self._tell(f"{ended}, restarting in {wait:g} s")
            if self._stopped_within(wait):
                return

    def _live(self) -> str | None:
        """One life of the child. How it ended, or None when the monitor is closed."""
        with _configuration(self._period) as path:
            try:
                child = subprocess.Popen(
                    [*self._command, "-c", str(path)],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    start_new_session=True,
                )
            except OSError as error:
                return f"cannot start {self._command[0]}: {error.strerror}"
            with Reaped(child):
                return self._follow(child)

    def _follow(self, child: subprocess.Popen[bytes]) -> str | None:
        """Read the child until it ends, is silent for too long, or the monitor is closed (None)."""
        if child.stdout is None or child.stderr is None:
            return "no pipes"
        out, err = child.stdout, child.stderr
        hearing = _Hearing(time.monotonic())
        patience = _SILENT_PERIODS * self._period
        with selectors.DefaultSelector() as selector:
            for stream in (out, err, self._stop_read):
                selector.register(stream, selectors.EVENT_READ)
            while True:
                left = max(0.0, hearing.heard + patience - time.monotonic())
                ready = {key.fileobj for key, _ in selector.select(left)}
                if self._stop_read in ready:
                    return None
                if err in ready:
                    hearing.tail = self._drain(selector, err, hearing.tail)
                if out in ready and not self._read(out, hearing):
                    return how_it_ended(child, hearing.tail)
                silence = time.monotonic() - hearing.heard
                # What is on its way may be a report that waited while this process was stopped; a line that was
                # refused, or twice the patience, shows that it is not.
                if silence >= patience and (out not in ready or hearing.refused or silence >= 2 * patience):
                    return f"{'garbage' if hearing.refused else 'silent'} for {silence:.0f} s"

    def _read(self, out: IO[bytes], hearing: "_Hearing") -> bool:
        """Read once; False at the end of the stream."""
        raw = os.read(out.fileno(), _READ)
        for line in hearing.lines.feed(raw):
            if self._accept(line, discard=hearing.first):
                hearing.heard, hearing.first, hearing.refused = time.monotonic(), False, False
            else:
                hearing.refused = True
        return bool(raw)

    def _drain(self, selector: selectors.BaseSelector, err: IO[bytes], tail: bytes) -> bytes:
        raw = os.read(err.fileno(), _READ)
        if not raw:
            selector.unregister(err)
        return (tail + raw)[-_TAIL:]

    def _accept(self, line: bytes | None, *, discard: bool) -> bool:
        """Queue a report. The first of a child covers a tiny period, so it only shows that the child speaks."""
        try:
            report = neuron_report.decode(line) if line is not None else None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self.refused += 1
            self._tell(f"a line of {len(line or b'')} bytes is no report: {str(error)[:120]}")
            return False
        if report is None:
            self.refused += 1
            self._tell(f"a line of more than {LONGEST_LINE} bytes")
            return False
        self.trouble = None
        if not discard:
            with self._arrived:
                if len(self._arrivals) == _QUEUE:
                    self._arrivals.popleft()
                    self.dropped += 1
                self._arrivals.append(Arrival(report, time.time(), time.monotonic()))
                self._arrived.notify_all()
        return True

    def _tell(self, trouble: str) -> None:
        with self._arrived:
            self.trouble = self._happened = trouble

    def _stopped_within(self, seconds: float) -> bool:
        with selectors.DefaultSelector() as selector:
            selector.register(self._stop_read, selectors.EVENT_READ)
            return bool(selector.select(seconds))


class _Hearing:
    """What was heard of one child: when it last reported, and the parts of lines on the way."""

    def __init__(self, now: float) -> None:
        self.heard = now
        self.first = True
        self.refused = False
        self.tail = b""
        self.lines = Lines(LONGEST_LINE)


@contextlib.contextmanager
def _configuration(period: float) -> Iterator[Path]:
    """A configuration file of its own for each start, removed at the end."""
    metrics: list[dict[str, str]] = [{"type": group} for group in _GROUPS]
    metrics.append({"type": "memory_used", "period": f"{max(60, period):g}s"})
    content = {
        "period": f"{period:g}s",
        "neuron_runtimes": [{"tag_filter": ".*", "metrics": metrics}],
        "system_metrics": [{"type": "neuron_hw_counters"}],
    }
    file, name = tempfile.mkstemp(prefix="guard-neuron-monitor-", suffix=".json")
    path = Path(name)
    try:
        with os.fdopen(file, "wb") as written:
            written.write(msgspec.json.encode(content))
        yield path
    finally:
        path.unlink(missing_ok=True)
