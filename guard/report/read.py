"""Reading the newest state from the bus."""

from guard.bus import Topic, open_bus
from guard.bus.kafka_settings import KafkaSettings
from guard.report.fold import State, fold


def read_state(address: str, settings: KafkaSettings) -> State:
    """Fold everything that ``guard.state`` holds now.

    Raises:
        BusError: the address names no bus that can be read, or the bus does not answer.
    """
    with open_bus(address, settings) as bus:
        return fold(bus.scan(Topic.STATE))
