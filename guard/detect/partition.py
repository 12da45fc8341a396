"""One partition of the telemetry: its detector, how far it has come, and its snapshots."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from collectors.telemetry import Compared, RecordError, UnknownVersionError
from detectors.board import Board
from detectors.detector import Detector
from detectors.policy import Policy
from detectors.verdict import Saying
from guard.bus import Bus, Message, Outgoing, Topic
from guard.deadletter import dead_letter
from guard.detect.intake import SetAsideError, admit
from guard.detect.metrics import Metrics
from guard.detect.snapshots import Shelf

_log = logging.getLogger(__name__)


class PartitionFold:
    """The jobs of one partition.

    Args:
        partition: its number.
        policy: thresholds.
        board: what was said of nodes, shared by all partitions of this process.
        metrics: counts what is read.

    Attributes:
        detector: the fold.
    """

    def __init__(self, partition: int, policy: Policy, board: Board, metrics: Metrics) -> None:
        self.detector = Detector(policy, board)
        self._metrics = metrics
        self._partition = partition
        self._shelf = Shelf(partition, partition)
        self._next: int | None = None

    def restore(self, bus: Bus) -> int:
        """Go on from the snapshots that lie beside the partition; how many there were.

        Raises:
            BusUnavailableError: the bus is away.
        """
        beside = self._partition % bus.partitions(Topic.SNAPSHOTS)
        self._shelf = Shelf(self._partition, beside)
        restored = 0
        for snapshot in self._shelf.read(bus.scan(Topic.SNAPSHOTS, partition=beside)):
            name = f"{snapshot.cluster}/{snapshot.job or 'idle nodes'}"
            try:
                self.detector.restore(snapshot)
            except UnknownVersionError as error:
                _log.warning("%s is starting: %s", name, error)
            except RecordError as error:
                _log.warning("%s is starting, its snapshot is damaged: %s", name, error)
            else:
                restored += 1
        return restored

    def fold(self, messages: Sequence[Message]) -> tuple[list[Saying], list[Outgoing]]:
        """Fold what was read.

        Returns:
            What is said, and dead letters for what could not be read.
        """
        records: list[Compared] = []
        offsets: list[int] = []
        letters: list[Outgoing] = []
        for message in messages:
            try:
                record = admit(message)
            except SetAsideError as error:
                letters.append(dead_letter(message, str(error)))
                self._metrics.letter(error.reason)
                continue
            records.append(record)
            offsets.append(message.position.offset)
        self._next = messages[-1].position.offset + 1
        self._metrics.read(len(records), messages[-1].time, time.time())
        with self._timed():
            return self.detector.fold(records, offsets), letters

    def tick(self, now: float) -> list[Saying]:
        """Notice what only the absence of records can tell; ``now`` as the detector's."""
        with self._timed():
            return self.detector.tick(now)

    @contextmanager
    def _timed(self) -> Iterator[None]:
        judged, began = self.detector.counts["judged"], time.monotonic()
        yield
        self._metrics.judged(self.detector.counts["judged"] - judged, time.monotonic() - began)

    def snapshots(self) -> list[Outgoing]:
        """Snapshots that were taken, as records. What was said until now goes to the bus before them."""
        return [record for snapshot in self.detector.snapshots() for record in self._shelf.put(snapshot)]

    def resume(self) -> int | None:
        """The offset from which one that takes over must read; None where nothing was read yet."""
        uncovered = self.detector.uncovered()
        return self._next if uncovered is None else uncovered
