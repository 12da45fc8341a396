"""Reading the newest state from the bus."""

from contextlib import suppress

import msgspec

from guard.bus import BusUnavailableError, Topic, open_bus
from guard.bus.kafka_settings import KafkaSettings
from guard.report.fold import quiet
from guard.report.newest import State, fold

SIGNS = (Topic.SNAPSHOTS, Topic.TELEMETRY)
"""What tells of a detector with nothing to say, and of agents."""


def read_state(address: str, settings: KafkaSettings, *, now: float, stale_after: float) -> State:
    """Fold everything that ``guard.state`` holds now. Where it has been quiet, ask for other signs of life.

    Args:
        address: of the bus.
        settings: how to speak with Kafka.
        now: Unix seconds.
        stale_after: seconds without a word after which it counts as quiet.

    Raises:
        BusError: the address names no bus that can be read, or the bus does not answer.
    """
    with open_bus(address, settings) as bus:
        state = fold(bus.scan(Topic.STATE))
        if quiet(state, now, stale_after):
            # Who may read the state may not read the others: then nothing is known of them.
            with suppress(BusUnavailableError):
                return msgspec.structs.replace(state, lately=bus.taken(SIGNS, now - stale_after))
    return state
