"""A run of `guard report` over a bus, without a configuration file."""

from types import SimpleNamespace

from guard.bus.kafka_settings import KafkaSettings


def session(bus: str) -> SimpleNamespace:
    report = SimpleNamespace(stale_after=180.0)
    return SimpleNamespace(config=SimpleNamespace(bus=bus, kafka=KafkaSettings(), report=report))
