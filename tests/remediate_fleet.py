"""Remediators as real processes on one file, and what became of cluster and ledger."""

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from detectors.verdict import Status
from guard.bus import Bus, Outgoing, Topic
from guard.remediate.ledger import Ledger
from remediation.fold import fold
from remediation.incidents import Durable
from remediation.ledger import Moved, Record
from remediation.orders import Command, Order
from remediation.orders import encode as encode_order
from remediation.policy import (
    Attempts,
    Checkpoint,
    Confirm,
    CoolDown,
    Economy,
    Lead,
    Mode,
    Modes,
    Policy,
    RepairChoice,
)
from remediation.states import NodeState
from tests.remediate_training import Training
from tests.remediate_world import make_world, world
from tests.remediator import CLUSTER, open_bus, remediate

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["tests.remediator"])

NODES = tuple(f"n{number}" for number in range(8))
BUSY = NODES[:4]
BAD = "n1"
CLOSED = {NodeState.HEALTHY, NodeState.GONE}
"""Ends of an incident; a machine that was booted anew is another one to the controller once our cordon is off."""
_BEAT = 0.2


def policy(directory: Path, **changes: object) -> Policy:
    """Acts at once and by itself, with little patience."""
    auto = Modes(cordon=Mode.AUTO, checkpoint=Mode.AUTO, restart=Mode.AUTO, repair=Mode.AUTO, release=Mode.AUTO)
    quick = Policy(
        modes=auto, observe=0.5, confirm=Confirm(warning=0, critical=0), cool_down=CoolDown(first=0),
        attempts=Attempts(again=0.2), economy=Economy(restart=1, checkpoint=1), lead=Lead(deadline=2, expires=5),
        checkpoint=Checkpoint(path=f"{directory}/{{job}}.json", margin=1), repair=RepairChoice.REBOOT, actions=100,
    )  # fmt: skip
    return msgspec.structs.replace(quick, **changes)


@dataclass
class Scene:
    """A cluster, a job on it, a bus, and remediators."""

    directory: Path
    bus: Bus
    training: Training
    book: Ledger
    remediators: list[multiprocessing.process.BaseProcess] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    durable: Durable = field(default_factory=Durable)

    def start(self, point: str = "", act: str = "") -> multiprocessing.process.BaseProcess:
        process = _processes.Process(target=remediate, args=(str(self.directory), point, act), daemon=True)
        process.start()
        self.remediators.append(process)
        return process

    def order(self, command: Command, subject: str = "", reason: str = "") -> None:
        order = Order(cluster=CLUSTER, time=time.time(), by="ann", command=command, subject=subject, reason=reason)
        self.bus.publish([Outgoing(Topic.CONTROL, CLUSTER, encode_order(order))], 5.0)

    def ledger(self) -> list[Record]:
        """Every record until now."""
        while found := self.book.poll():
            for entered in found:
                self.records.append(entered.record)
                self.durable = fold(self.durable, entered.record, entered.offset)
        return self.records

    def of(self, kind: type) -> list:
        return [record for record in self.ledger() if isinstance(record, kind)]

    def open(self) -> set[str]:
        """Intents whose end nobody has told, incidents, and restarts that are still being seen through."""
        self.ledger()
        durable = self.durable
        return {*durable.alive, *durable.incidents, *(job for job, _ in durable.verifying)}

    def revived(self) -> bool:
        """Whether the newest remediator lives; one that was killed is started again, unharmed."""
        if self.remediators[-1].is_alive():
            return True
        self.start()
        return False

    def states(self) -> list[NodeState]:
        return [record.after for record in self.of(Moved)]

    def effects(self) -> list[tuple[str, str]]:
        with world(self.directory) as cluster:
            return list(cluster.acts)

    def until(self, true: Callable[[], bool], patience: float = 80.0) -> None:
        """Let time pass, beat by beat, until it holds."""
        deadline = time.monotonic() + patience
        while not true():
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {patience:g} s\n{self.told()}")
            self.training.beat()
            time.sleep(_BEAT)

    def told(self) -> str:
        log = self.directory / "log"
        lines = [f"{type(record).__name__} {record}" for record in self.ledger()]
        return "\n".join([*lines, str(self.effects()), log.read_text() if log.exists() else ""])


@contextmanager
def scene(directory: Path, **changes: object) -> Iterator[Scene]:
    make_world(directory, NODES, BUSY)
    (directory / "policy.json").write_bytes(msgspec.json.encode(policy(directory, **changes)))
    with (
        open_bus(directory) as bus,
        contextlib.closing(Ledger(bus, CLUSTER)) as book,
    ):
        made = Scene(directory, bus, Training(bus, directory), book)
        try:
            yield made
        finally:
            for process in made.remediators:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid or 0, signal.SIGKILL) if process.is_alive() else None
                process.join(10)


def carry_through(it: Scene, status: Status) -> None:
    """A node is accused, drained, its job goes on elsewhere, it is repaired where it is broken, and given back.

    A remediator that was killed is started again.
    """
    drained = {NodeState.HELD, NodeState.REPAIRING}
    it.training.accused[BAD] = status
    it.until(lambda: it.revived() and bool(drained & set(it.states())))
    it.training.accused[BAD] = Status.OK
    it.order(Command.RELEASE, BAD, "looked at it")
    it.until(lambda: it.revived() and bool(CLOSED & set(it.states())) and not it.open())
