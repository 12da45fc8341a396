"""What the demo is asked to show, and how it says that it could not."""

import random
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from guard.bus.kafka_settings import KafkaSettings


class Fault(StrEnum):
    """What is done to one worker."""

    STOP = "stop"
    NONE = "none"


class CannotRunError(Exception):
    """The demo could not be shown: nothing is said about the detector."""


class InterruptedRunError(Exception):
    """A signal asked the demo to end."""


@dataclass(frozen=True, slots=True)
class Options:
    """What to show. ``node`` None: the seed chooses. ``bus`` None: a new file in ``directory``, which is empty."""

    directory: Path
    nodes: int = 4
    fault: Fault = Fault.STOP
    node: int | None = None
    seed: int = 0
    healthy_seconds: float = 20.0
    bus: str | None = None
    kafka: KafkaSettings = field(default_factory=KafkaSettings)

    @property
    def slowed(self) -> str | None:
        """The node that will be slowed, or None where none is."""
        if self.fault is Fault.NONE:
            return None
        chosen = self.node if self.node is not None else random.Random(self.seed).randrange(self.nodes)
        return f"demo-node-{chosen}"
