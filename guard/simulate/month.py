"""A month of the job: what happens to nodes and job, in order of time. Who answers acts through this."""

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from itertools import count
from typing import Protocol

from guard.simulate.assumptions import Assumptions
from guard.simulate.faults import SLOWING, Fault, Kind
from guard.simulate.fleet import Fleet, name_of
from guard.simulate.training import Training


class Phase(StrEnum):
    """Where the job stands."""

    RUNNING = "running"
    STOPPED = "stopped"  # it makes no steps, and nobody has started it anew yet
    WAITING = "waiting"  # for nodes
    STARTING = "starting"


@dataclass(slots=True)
class Tally:
    """What is counted.

    Attributes:
        faults: stops that no one wanted. `starts`: every start anew, whatever for.
        people: times that a person had to do something, repairing broken nodes apart.
        cordons: nodes taken out of the running job. `wrong`: of these, with nothing wrong with them.
        refused: what rails said no to, by rail.
    """

    faults: int = 0
    starts: int = 0
    people: int = 0
    cordons: int = 0
    wrong: int = 0
    refused: dict[str, int] | None = None


class Answer(Protocol):
    """People, the scheduler or guard. They hear what happens, and what they then do is up to them."""

    def stopped(self, fault: Fault) -> None:
        """The job makes no more steps."""
        ...

    def suspicious(self, fault: Fault) -> None:
        """A node of the running job is slow, or is about to be accused for nothing; told in each attempt."""
        ...

    def passed(self, fault: Fault) -> None:
        """A slow node is as fast as the others again, by itself."""
        ...

    def started(self) -> None:
        """The job makes steps again."""
        ...

    def mended(self, node: int) -> None:
        """A node that was away could work again."""
        ...


class Month:
    """The event queue and the truth. `now` is in seconds since the job's start.

    Attributes:
        active: faults that slow their node now, by number.
        attempt: grows with every stop, start and placement: what was planned for an older one is void.
    """

    def __init__(self, given: Assumptions) -> None:
        self.given = given
        self.fleet, self.training, self.tally = Fleet(given), Training(given), Tally()
        self.now = 0.0
        self.phase = Phase.RUNNING
        self.attempt = 0
        self.active: dict[int, Fault] = {}
        self._answers: tuple[Answer, ...] = ()
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()

    def at(self, time: float, call: Callable[[], None]) -> None:
        """Call something later; what lies beyond the job's end is left out."""
        if time < self.given.seconds:
            heapq.heappush(self._queue, (time, next(self._numbers), call))

    def run(self, faults: Iterable[Fault], answers: Iterable[Answer]) -> None:
        """Let the month pass."""
        self._answers = tuple(answers)
        for fault in faults:
            self.at(fault.time, partial(self._begin, fault))
        while self._queue:
            self.now, _, call = heapq.heappop(self._queue)
            self.training.advance(self.now)
            call()
        self.training.advance(self.given.seconds)

    def in_job(self, node: int) -> bool:
        """Whether the job has work on the node."""
        return name_of(node) in self.fleet.job.nodes

    def suspect(self, fault: Fault) -> bool:
        """Whether the job is slowed by this fault now."""
        return fault.number in self.active and self.in_job(fault.node)

    def requeue(self) -> None:
        """Scheduler or people start the job anew."""
        self.fleet.requeue()
        self.restarted()

    def restarted(self) -> None:
        """The job was requeued: what was not saved is lost, and it waits for nodes."""
        self.training.stop()
        self.tally.starts += 1
        self.attempt += 1
        self.phase = Phase.WAITING
        self.place()

    def place(self) -> None:
        """Place the job if it waits and there are nodes enough."""
        if self.phase is not Phase.WAITING or not self.fleet.place():
            return
        self.phase = Phase.STARTING
        self.attempt += 1
        self._pace()
        self.at(self.now + self.given.restart, partial(self._start, self.attempt))

    def away(self, fault: Fault) -> None:
        """The node of `fault` is out of service and is looked after: with that the fault is gone."""
        self._forget(fault.node)
        self.at(self.now + fault.repair, partial(self.mend, fault.node))

    def mend(self, node: int) -> None:
        """The node could work again: a person's cordon is taken off, guard's is for guard."""
        there = self.fleet.node(node)
        if not there.ready:
            self.fleet.change(replace(there, ready=True))
        if there.cordoned and there.incident is None:
            self.fleet.uncordon_as_person(there.name)
        for answer in self._answers:
            answer.mended(node)
        self.place()

    def _begin(self, fault: Fault) -> None:
        node = self.fleet.node(fault.node)
        if not node.ready or (node.cordoned and not node.jobs):
            return  # it is out already
        if fault.kind in SLOWING:
            self.active[fault.number] = fault
            self._pace()
            if fault.passes is not None:
                self.at(self.now + fault.passes, partial(self._pass, fault))
        elif fault.kind is Kind.HARD:
            self.fleet.change(replace(node, ready=False))
            self._forget(fault.node)
            self.at(self.now + fault.repair, partial(self.mend, fault.node))
        if not node.jobs:
            return
        if fault.kind is Kind.HARD or (fault.kind is Kind.HANG and self.phase is Phase.RUNNING):
            self._stop(fault)
        elif fault.kind is not Kind.HANG and self.phase is Phase.RUNNING:
            for answer in self._answers:
                answer.suspicious(fault)

    def _stop(self, fault: Fault) -> None:
        if self.phase not in (Phase.RUNNING, Phase.STARTING):
            return
        self.training.stop()
        self.phase = Phase.STOPPED
        self.attempt += 1
        self.tally.faults += 1
        for answer in self._answers:
            answer.stopped(fault)

    def _start(self, attempt: int) -> None:
        if attempt != self.attempt:
            return
        self.phase = Phase.RUNNING
        self.training.start()
        for answer in self._answers:
            answer.started()
            for fault in tuple(self.active.values()):
                if self.in_job(fault.node):
                    answer.suspicious(fault)

    def _pass(self, fault: Fault) -> None:
        if self.active.pop(fault.number, None) is not None:
            self._pace()
            for answer in self._answers:
                answer.passed(fault)

    def _forget(self, node: int) -> None:
        self.active = {number: fault for number, fault in self.active.items() if fault.node != node}
        self._pace()

    def _pace(self) -> None:
        slow = [fault.factor for fault in self.active.values() if self.in_job(fault.node)]
        self.training.factor = max(slow, default=1.0)
