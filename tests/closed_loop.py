"""All of guard on a real Slurm and real brokers, around a real training job.

An agent for each node, one detector and one remediator, each a process with a configuration file, as on a fleet.
"""

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

import psutil
import yaml

from collectors.telemetry import Telemetry
from collectors.telemetry import decode as decode_telemetry
from guard.bus import Follower, Topic, open_bus
from guard.bus.kafka_settings import KafkaSettings
from guard.remediate.words import kind, subject, told
from guard.ring import HEADER_BYTES, read_header
from remediation.ledger import Act, Intent, Moved, Opened, Outcome, Record, Result
from remediation.ledger import decode as decode_record
from remediation.states import NodeState
from tests.slurm_cluster import SlurmCluster
from tests.training_job import NodeAgents, TrainingJob
from tools.kafka import KafkaCluster
from tools.kafka.topics import make_topics

RANKS = 4
"""An accusation needs three peers."""
EXCHANGE = 0.04
"""Seconds: between machines steps are not as short as on one, and so a run lasts long enough on any machine."""
HANG = 12.0
"""Seconds without a step until the job counts as hung: the start of JAX is no step, and no hang either."""
_POLL = 0.3

DETECT = {"window": 2, "lateness": 2, "warm_up": 3, "starting": 3, "hang": {"after": HANG, "dead": HANG}}
POLICY: dict[str, Any] = {
    "modes": dict.fromkeys(("cordon", "checkpoint", "restart", "repair", "release"), "auto"),
    "observe": 2,
    "confirm": {"warning": 2, "critical": 2},
    # Six nodes: of the default share one may be out, and the second is the test's matter.
    "out": {"share": 0.5},
    "attempts": {"again": 5},
    # What a restart costs a job of an hour.
    "economy": {"restart": 20, "checkpoint": 5},
    "verify": 120,
}

R = TypeVar("R")


@dataclass(slots=True)
class Timeline:
    """When each phase of an incident was over, in seconds from the onset of the fault."""

    title: str
    onset: float
    phases: dict[str, float] = field(default_factory=dict)

    def note(self, phase: str, when: float) -> None:
        """A phase was over at a Unix time."""
        self.phases[phase] = when - self.onset

    def __str__(self) -> str:
        lines = [
            f"{seconds:6.1f} s  {phase}" for phase, seconds in sorted(self.phases.items(), key=lambda p: p[1])
        ]
        return "\n".join([self.title, *lines])


@dataclass(frozen=True, slots=True)
class Kept:
    """A topic from its beginning: what was read of it is kept."""

    follower: Follower
    values: list[bytes] = field(default_factory=list)

    def all(self) -> list[bytes]:
        """All there is."""
        while messages := self.follower.poll(0.1, 500):
            self.values.extend(message.value or b"" for message in messages)
        return self.values


class ClosedLoop:
    """A job and the guard around it, in ``directory``, with topics of its own."""

    def __init__(
        self, slurm: SlurmCluster, kafka: KafkaCluster, directory: Path, prefix: str, *, steps: int, every: int
    ) -> None:
        self.slurm, self.directory = slurm, directory
        self.job = TrainingJob(slurm, directory, nodes=RANKS, steps=steps, every=every, exchange=EXCHANGE)
        self._url, self._kafka = kafka.url, KafkaSettings(prefix=prefix, session_timeout=6)
        make_topics(kafka.bootstrap, prefix)
        self._open = contextlib.ExitStack()
        self._configuration = directory / "guard.yaml"
        self._agents = NodeAgents(slurm, directory, kafka.url, "slurm")
        self._services: list[subprocess.Popen[bytes]] = []
        self._configure({"prefix": prefix, "session_timeout": 6})

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            bus = stack.enter_context(open_bus(self._url, self._kafka))
            self._ledger = Kept(stack.enter_context(contextlib.closing(bus.follow([Topic.LEDGER], since=0.0))))
            self._said = Kept(stack.enter_context(contextlib.closing(bus.follow([Topic.TELEMETRY], since=0.0))))
            stack.enter_context(self._agents)
            stack.callback(self._end)
            for service in ("detect", "remediate"):
                with (self.directory / f"{service}.log").open("ab") as log:
                    self._services.append(subprocess.Popen(self._command(service), stdout=log, stderr=log))
            self._open = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def until(self, condition: Callable[[], R], seconds: float) -> R:
        """What the condition gave once it was true."""
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < deadline, f"not within {seconds} s; the ledger:\n{self.told()}"
            time.sleep(_POLL)
        return found

    def guard(self, *command: str) -> str:
        """What one of guard's commands prints."""
        done = subprocess.run(self._command(*command), capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def ledger(self) -> list[Record]:
        """All that guard has written of what it did."""
        return [decode_record(value) for value in self._ledger.all()]

    def of(self, kind: type[R], node: str) -> list[R]:
        """Records of one kind that belong to the incidents of a node."""
        records = self.ledger()
        own = {record.incident for record in records if isinstance(record, Opened) and record.node == node}
        return [record for record in records if isinstance(record, kind) and record.incident in own]

    def done(self, act: Act, node: str) -> Outcome | None:
        """How an act for a node ended well, if it did."""
        intents = {intent.id for intent in self.of(Intent, node) if intent.act is act}
        ended = [o for o in self.of(Outcome, node) if o.intent in intents and o.result is Result.DONE]
        return ended[0] if ended else None

    def states(self, node: str) -> list[NodeState]:
        """The states that a node went through."""
        return [moved.after for moved in self.of(Moved, node)]

    def told(self) -> str:
        """The ledger in words."""
        return "\n".join(
            f"{time.strftime('%X', time.gmtime(r.time))}  {subject(r) or '-':4}  {kind(r):12}  {told(r)}"
            for r in self.ledger()
        )

    def nodes(self) -> set[str]:
        """Where the job runs."""
        return {node for node in self.slurm.nodes if self.slurm.ranks(node)}

    def running(self, restarts: int) -> bool:
        """Whether the job runs, started anew so many times."""
        return self.slurm.job(self.job.number)[:2] == ("RUNNING", restarts)

    def telemetry(self, restarts: int) -> list[Telemetry]:
        """What agents said of an attempt of the job."""
        records = [decode_telemetry(value) for value in self._said.all()]
        return [
            r for r in records if r.job is not None and r.job.attempt // 1000 == restarts and r.steps is not None
        ]

    def steps_made(self, restarts: int, least: int) -> bool:
        """Whether every rank of an attempt has made so many steps since its agent first heard of it."""
        made: dict[str, int] = {}
        for record in self.telemetry(restarts):
            assert record.steps is not None
            made[record.node] = made.get(record.node, 0) + sum(count or 0 for count in record.steps.count)
        return len(made) == RANKS and min(made.values()) >= least

    def resumed(self, restarts: int) -> dict[int, tuple[int, float]]:
        """For each rank of an attempt the step from which it went on, and when that was first told."""
        found: dict[int, tuple[int, float]] = {}
        for record in sorted(self.telemetry(restarts), key=lambda record: record.time):
            assert record.steps is not None
            assert record.ranks is not None
            for rank, step in zip(record.ranks.rank, record.steps.resumed_step or [], strict=False):
                if step is not None:
                    found.setdefault(rank, (step, record.time))
        return found

    def hard_fault(self, node: str) -> None:
        """The kernel of a node reports broken memory of a device."""
        stamp = int(time.monotonic() * 1e6)
        with (self.directory / f"dev-{node}" / "kmsg").open("a") as log:
            log.write(f"3,1,{stamp},-;NEURON_HW_ERR=HBM_UNCORRECTABLE_ERROR nd-id=3 nc-id=1 action=REPLACE\n")

    def stop_rank(self, node: str) -> None:
        """The rank on a node stops for good, in its own work: within a collective all would look alike."""
        (rank,) = self.slurm.ranks(node)
        (ring,) = (self.directory / "rings" / node).iterdir()

        def stopped_at_work() -> bool:
            rank.suspend()
            self.slurm.until(lambda: rank.status() == psutil.STATUS_STOPPED, 10)
            with ring.open("rb") as file:
                if read_header(file.read(HEADER_BYTES)).section == "compute":
                    return True
            rank.resume()
            return False

        self.until(stopped_at_work, 60)

    def _configure(self, kafka: dict[str, Any]) -> None:
        remediation = {
            "cluster": {"kind": "slurm", "configuration": str(self.slurm.configuration)},
            "metrics": None,
            "policy": POLICY
            | {"checkpoint": {"path": f"{self.directory}/{{job}}.json", "margin": 2, "within": 60}},
        }
        ours = {"cluster": "slurm", "bus": self._url, "kafka": kafka}
        whole = ours | {"detect": DETECT, "detector": {"metrics": None}, "remediation": remediation}
        self._configuration.write_text(yaml.safe_dump(whole))
        for node, path in self._agents.configurations.items():
            devices = self.directory / f"dev-{node}"
            devices.mkdir()
            (devices / "kmsg").touch()
            settings = yaml.safe_load(path.read_text()) | ours
            settings["agent"]["roots"] = {"dev": str(devices)}
            path.write_text(yaml.safe_dump(settings))

    def _command(self, *command: str) -> Sequence[str]:
        return [sys.executable, "-m", "guard.commands", "--config", str(self._configuration), *command]

    def _end(self) -> None:
        for service in self._services:
            service.send_signal(signal.SIGTERM)
        for service in self._services:
            try:
                service.wait(15)
            except subprocess.TimeoutExpired:
                service.kill()
                service.wait(10)
