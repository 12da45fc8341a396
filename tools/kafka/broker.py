"""One broker: a Java process that is formatted, started, killed, stopped for a while and always reaped."""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.kafka.java import class_archive, command

_STARTED = b"Kafka Server started"
_TAIL_LINES = 25
_STOP_SECONDS = 30.0


class BrokerError(RuntimeError):
    """A broker did not come up; the message quotes the end of its log."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a broker runs: its address, and a command that runs its arguments there (``nsenter …``)."""

    address: str = "127.0.0.1"
    enter: tuple[str, ...] = ()


class Broker:
    """A node's directory, and the process over it while one runs."""

    def __init__(self, directory: Path, place: Place) -> None:
        self.log = directory / "log"
        self._settings = directory / "server.properties"
        self._place = place
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0
        self._new_archive: Path | None = None

    def format(self, cluster_id: str, settings: str, scram: Sequence[str] = ()) -> "subprocess.Popen[bytes]":
        """Start to prepare the node's storage; ``formatted`` waits for the end, the caller reaps."""
        self._settings.parent.mkdir(parents=True)
        self._settings.write_text(settings)
        users = [word for user in scram for word in ("--add-scram", user)]
        arguments = ["format", "--cluster-id", cluster_id, "--config", str(self._settings), *users]
        return self._run(command("kafka.tools.StorageTool", *arguments))

    def formatted(self, tool: "subprocess.Popen[bytes]", deadline: float) -> None:
        """Wait until ``format`` is through."""
        try:
            code = tool.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise BrokerError(f"formatting the storage took too long{self._tail()}") from None
        if code != 0:
            raise BrokerError(f"formatting the storage ended with {code}{self._tail()}")

    @property
    def running(self) -> bool:
        """Whether the process is there, busy or stopped."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the process; ``wait_started`` waits until it serves."""
        if self.running:
            raise BrokerError(f"{self._settings}: the broker runs already")
        archive = class_archive()
        write = archive is not None and not archive.exists()
        self._new_archive = archive.with_suffix(f".{os.getpid()}") if archive and write else None
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        self._process = self._run(command("kafka.Kafka", str(self._settings), write_archive=self._new_archive))

    def wait_started(self, deadline: float) -> None:
        """Wait until the broker says that it is registered and serves."""
        while _STARTED not in self._new_log():
            if self._process is None or self._process.poll() is not None:
                code = None if self._process is None else self._process.returncode
                raise BrokerError(f"the broker ended with {code} before it served{self._tail()}")
            if time.monotonic() > deadline:
                raise BrokerError(f"the broker did not serve in time{self._tail()}")
            time.sleep(0.02)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process, if it runs: ``SIGSTOP`` and ``SIGCONT`` make it deaf for a while."""
        if self._process is not None and self.running:
            self._process.send_signal(number)

    def kill(self) -> None:
        """End the process as a power cut would, and reap it."""
        self.send(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()
            self._process = None
        if self._new_archive is not None:
            self._new_archive.unlink(missing_ok=True)

    def terminate(self) -> None:
        """Ask the process to end in good order; ``ended`` waits for it."""
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)

    def ended(self) -> None:
        """Reap the process after ``terminate``; one that lingers is killed."""
        if self._process is None:
            return
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            return
        self._process = None
        archive = class_archive()
        if self._new_archive is not None and self._new_archive.exists() and archive is not None:
            self._new_archive.rename(archive)  # at once: another run sees all of it or none

    def _run(self, words: list[str]) -> "subprocess.Popen[bytes]":
        # The kernel kills the process when the thread that started it ends, however that came about.
        bound = ["setpriv", "--pdeathsig", "KILL", "--", *self._place.enter, *words]
        with self.log.open("ab") as log:
            return subprocess.Popen(
                bound, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def _new_log(self) -> bytes:
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read()

    def _tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return f"; {self.log} ends:\n" + "\n".join(lines[-_TAIL_LINES:])
