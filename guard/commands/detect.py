"""``guard detect``: the detector as a service, in the foreground."""

import gc
import signal
import threading

import click

from guard.bus import open_bus
from guard.commands import Session
from guard.detect import DetectService, Metrics
from guard.systemd import Notifier

_GENERATIONS = (50_000, 20, 100)
"""Of the garbage collector: what is held are millions of values without cycles, not worth a look every 700 new ones."""


@click.command()
@click.option("--metrics", metavar="HOST:PORT", help="Serve Prometheus here instead of where the configuration says.")
@click.pass_obj
def command(session: Session, metrics: str | None) -> None:
    """Follow the telemetry on the bus and say which nodes slow their jobs, until SIGTERM.

    Several of them share the jobs; one that ends or dies is taken over by the others.
    """
    config = session.config
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    counters = Metrics()
    address = metrics or config.detector.metrics
    if address is not None:
        counters.serve(address)
    gc.freeze()
    gc.set_threshold(*_GENERATIONS)
    DetectService(lambda: open_bus(config.bus, config.kafka), config.detect, Notifier(), stop, counters).run()
