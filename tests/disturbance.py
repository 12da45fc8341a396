"""Trouble for brokers and detectors, at random moments of a seed."""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.detector_processes import DetectorProcesses
from tools.kafka import KafkaCluster


@dataclass(frozen=True)
class Network:
    """Cutting a broker off, where that is to be had."""

    cut: Callable[[int], None]
    heal: Callable[[], None]


@contextmanager
def disturbed(
    cluster: KafkaCluster,
    detectors: DetectorProcesses,
    chance: random.Random,
    events: list[str],
    network: Network | None,
) -> Iterator[None]:
    """Trouble on threads of its own, until the end of the block; then everything is whole again."""
    trouble = _Trouble(cluster, detectors, chance, events, network)
    ended = [threading.Event() for _ in trouble.kinds]
    for what, end in zip(trouble.kinds, ended, strict=True):
        threading.Thread(target=trouble.guarded, args=(what, end), daemon=True).start()
    try:
        yield
    finally:
        trouble.stop.set()
        for end in ended:
            end.wait(90)
    for error in trouble.failed:
        raise error


class _Trouble:
    def __init__(
        self,
        cluster: KafkaCluster,
        detectors: DetectorProcesses,
        chance: random.Random,
        events: list[str],
        network: Network | None,
    ) -> None:
        self.stop = threading.Event()
        self.failed: list[BaseException] = []
        self.kinds = (self._brokers, self._readers)
        self._cluster, self._detectors, self._network = cluster, detectors, network
        self._chance, self._events = chance, events

    def guarded(self, what: Callable[[], None], end: threading.Event) -> None:
        """Run one kind of trouble; its failure is the test's."""
        try:
            what()
        except BaseException as error:  # noqa: BLE001  (raised again at the end of the block)
            self.failed.append(error)
        end.set()
        # A broker is killed when the thread that started it ends: this one lives as long as the process.
        threading.Event().wait()

    def _brokers(self) -> None:
        """One at a time: killed, ended in good order (which moves its leaders), or cut off."""
        while not self.stop.wait(self._chance.uniform(3, 8)):
            node = self._chance.choice(self._cluster.nodes).id
            what = self._chance.choice(["kill", "leave", "cut"] if self._network else ["kill", "leave"])
            self._events.append(f"{what} broker {node}")
            self._away(node, what)

    def _away(self, node: int, what: str) -> None:
        length = self._chance.uniform(2, 7)
        if what == "cut" and self._network:
            self._network.cut(node)
            self.stop.wait(length)
            self._network.heal()
            return
        if what == "kill":
            self._cluster.kill(node)
        else:
            self._cluster.stop(node)
        self.stop.wait(length)
        self._cluster.restart(node)

    def _readers(self) -> None:
        while not self.stop.wait(self._chance.uniform(10, 20)):
            number = self._detectors.kill(self._chance.randrange(self._detectors.count))
            self._events.append(f"kill detector {number}")
