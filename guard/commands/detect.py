"""``guard detect``: the detector as a service, in the foreground."""

import signal
import threading

import click

from guard.bus import open_bus
from guard.commands import Session
from guard.systemd import Notifier


@click.command()
@click.option(
    "--metrics", metavar="HOST:PORT", help="Serve Prometheus here instead of where the configuration says."
)
@click.pass_obj
def command(session: Session, metrics: str | None) -> None:
    """Follow the telemetry on the bus and say which nodes slow their jobs, until SIGTERM.

    Several of them share the jobs; one that ends or dies is taken over by the others.
    """
    from guard import exposition  # noqa: PLC0415  (2 s of libraries in all; help is to be quick)
    from guard.detect import DetectService, Metrics  # noqa: PLC0415
    from guard.detect.memory import collect_rarely  # noqa: PLC0415

    config = session.config
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    counters = Metrics()
    address = metrics or config.detector.metrics
    if address is not None:
        exposition.serve(counters.registry, address, "--metrics" if metrics else "detector.metrics")
    collect_rarely()
    DetectService(lambda: open_bus(config.bus, config.kafka), config.detect, Notifier(), stop, counters).run()
