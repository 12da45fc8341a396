"""The demo from start to end: start all, let it train, slow one worker, wait for name and page, let it go."""

import contextlib
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from types import FrameType

import msgspec
from rich.console import Console

from collectors import telemetry
from collectors.telemetry import RecordError
from detectors import verdict
from guard.bus import BusUnavailableError, Follower, Topic, open_bus
from guard.bus.kafka_settings import KafkaSettings
from guard.demo.cluster import Cluster, guard, outcomes
from guard.demo.display import Display, said
from guard.demo.options import CannotRunError, InterruptedRunError, Options
from guard.demo.pager import Pager
from guard.demo.processes import Child, Processes
from guard.demo.result import Result
from guard.demo.topics import TopicsMissingError, ready
from guard.demo.watch import Watch

STARTUP = 40.0
"""Seconds until every node's steps are on the bus, on a slow machine with a cold disk."""

DETECTION = 60.0
"""Seconds that the detector has for the name."""

SETTLING = 6.0
"""Seconds after the name in which a wrongly blamed victim would show: three windows."""

PAGE = 20.0
"""Seconds within which the pager has told of an accusation that has stood that long."""

RECOVERY = 90.0
"""Seconds until the page of a worker that runs freely again has ended."""

_WITHOUT_FAULT = 15.0
_POLL = 0.25
_REPORT_DEADLINE = 20.0
_ENDING = 5.0


class _Run:
    """One demo while its processes run."""

    def __init__(
        self, options: Options, cluster: Cluster, processes: Processes, follower: Follower, pager: Pager
    ) -> None:
        self._options, self._pager = options, pager
        self._cluster = cluster
        self._processes = processes
        self._follower = follower
        self._workers: list[Child] = []
        self._fault: Child | None = None
        self.watch = Watch(cluster.name, [node.name for node in cluster.nodes])
        self.result = Result(options.slowed, options.seed)

    def play(self, display: Display) -> None:
        """All phases up to the report, with everything still running."""
        options, watch, result = self._options, self.watch, self.result
        display.phase(f"starting {options.nodes} nodes, each with its agent and its worker, and guard's services")
        self._cluster.start_services(self._processes)
        self._workers = self._cluster.start_workers(self._processes)
        if not self._until(lambda: watch.training, STARTUP, display):
            missing = [node.name for node in watch.nodes.values() if not node.phase.steps]
            raise CannotRunError(f"no steps of {', '.join(missing)} on the bus after {STARTUP:g} s")
        watch.begin_phase()
        display.phase("healthy: all workers train in lockstep")
        self._until(lambda: False, options.healthy_seconds, display)
        result.healthy = watch.begin_phase()
        if result.slowed is None:
            display.phase("still healthy: no fault was asked for, and nobody should be accused")
            self._until(lambda: False, _WITHOUT_FAULT, display)
        else:
            self._slow(result.slowed, display)
        result.with_fault = watch.begin_phase()
        display.phase("asking for the health report")
        result.report = self._report()
        if result.slowed is not None:
            self._let_go(result.slowed, display)
        result.accused, result.unjudged = sorted(watch.ever_accused), watch.unjudged
        result.pages = self._pager.notices

    def end_training(self) -> None:
        """End the workers in good order, and see that they kept in lockstep to the last bit."""
        self._processes.end(self._workers, _ENDING)
        ended = outcomes(self._workers)
        if len(ended) == len(self._workers):
            self.result.steps = max(outcome["step"] for outcome in ended)
            self.result.same_parameters = len({outcome["parameters"] for outcome in ended}) == 1

    def _slow(self, name: str, display: Display) -> None:
        watch, result = self.watch, self.result
        index = next(node.index for node in self._cluster.nodes if node.name == name)
        display.phase(f"{name} is slowed: its worker is stopped for most of the time")
        start = time.monotonic()
        pid = self._workers[index].pid
        self._fault = self._processes.start("fault", [sys.executable, "-m", "guard.demo.fault", "--pid", str(pid)])
        if self._until(lambda: name in watch.accused, DETECTION, display):
            result.seconds_to_verdict = time.monotonic() - start
            newest = watch.nodes[name].verdict
            result.said = said(newest) if newest else None
            display.phase(f"{name} is named; a few more seconds, to see that no victim is")
            self._until(lambda: False, SETTLING, display)
            if self._until(lambda: bool(self._pager.notices), PAGE, display):
                display.phase(f"a page: {self._pager.notices[0].summary}")

    def _let_go(self, name: str, display: Display) -> None:
        """End the fault, and wait until the page about it has ended, if there was one."""
        if self._fault is not None:
            self._processes.end([self._fault])
        display.phase(f"{name} runs freely again: its page ends when the detector sees that it is well")
        if self._pager.notices and self._until(lambda: self._pager.resolved(name), RECOVERY, display):
            display.phase(f"resolved: {self._pager.notices[-1].summary}")

    def _until(self, condition: Callable[[], bool], seconds: float, display: Display) -> bool:
        """Follow the bus until the condition holds, which is returned, or the time is over."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._processes.check()
            self._follow()
            display.update()
            if condition():
                return True
        return False

    def _follow(self) -> None:
        try:
            messages = self._follower.poll(_POLL)
        except BusUnavailableError:
            time.sleep(_POLL)
            return
        for message in messages:
            # What cannot be read is the detector's to count; the demo shows the rest.
            with contextlib.suppress(RecordError):
                if message.position.topic is Topic.TELEMETRY:
                    self.watch.telemetry(telemetry.decode(message.value or b""))
                else:
                    self.watch.saying(verdict.decode(message.value or b""))

    def _report(self) -> str:
        command = guard(self._cluster.services, "report", "fleet", "--cluster", self._cluster.name)
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_REPORT_DEADLINE, check=False)
        except subprocess.TimeoutExpired as error:
            raise CannotRunError(f"guard report gave no answer within {_REPORT_DEADLINE:g} s") from error
        if done.returncode not in (0, 1):
            raise CannotRunError(f"guard report ended with exit code {done.returncode}: {done.stderr.strip()}")
        return done.stdout


def run(options: Options, console: Console) -> Result:
    """Show the demo on ``console``, and return what happened. All processes have ended by then.

    Raises:
        CannotRunError: it could not be shown.
        ChildDiedError: one of its processes ended early.
        InterruptedRunError: SIGINT, SIGTERM or SIGHUP.
        BusError: the bus refused.
    """
    start = time.monotonic()
    bus_address = options.bus or f"file:{options.directory / 'bus.sqlite'}"
    kafka = _own_topics(bus_address, options.kafka, console)
    where = {"bus": bus_address, "kafka": msgspec.to_builtins(kafka)}
    name, opened = f"demo-{secrets.token_hex(3)}", open_bus(bus_address, kafka)
    with (
        _ending_on_signals(),
        opened as bus,
        Pager(options.directory) as pager,
        Processes(options.directory) as processes,
    ):
        cluster = Cluster(name, options.directory, options.nodes, options.seed, bus=where, pager=pager)
        # From now on, and in no group: earlier demos are of no interest, and nothing of this one stays behind.
        follower = bus.follow([Topic.TELEMETRY, Topic.VERDICTS])
        playing = _Run(options, cluster, processes, follower, pager)
        with contextlib.closing(follower), Display(console, playing.watch) as display:
            playing.play(display)
            display.phase("ending")
            playing.end_training()
    playing.result.elapsed = time.monotonic() - start
    return playing.result


def _own_topics(bus: str, kafka: KafkaSettings, console: Console) -> KafkaSettings:
    """On Kafka the demo has topics of its own; see ``guard.demo.topics``."""
    if not bus.startswith("kafka:"):
        return kafka
    own = msgspec.structs.replace(kafka, prefix=f"{kafka.prefix}demo.")
    try:
        made = ready(bus, own)
    except TopicsMissingError as error:
        raise CannotRunError(str(error)) from error
    if made:
        console.print(f"made the demo's topics, {own.prefix}guard.*, with one copy each", highlight=False)
    return own


@contextlib.contextmanager
def _ending_on_signals() -> Iterator[None]:
    """Turn the first signal to end into an exception, and let no second one disturb the ending."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def end(number: int, _frame: FrameType | None) -> None:
        for other in signals:
            signal.signal(other, signal.SIG_IGN)
        raise InterruptedRunError(signal.Signals(number).name)

    previous = {number: signal.signal(number, end) for number in signals}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
