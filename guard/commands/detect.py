"""``guard detect``: the detector as a service, in the foreground."""

import signal
import threading

import click

from guard.bus import open_bus
from guard.commands import Session
from guard.detect import DetectService
from guard.systemd import Notifier


@click.command()
@click.pass_obj
def command(session: Session) -> None:
    """Follow the telemetry on the bus and say which nodes slow their jobs, until SIGTERM."""
    config = session.config
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    DetectService(lambda: open_bus(config.bus), config.detect, Notifier(), stop).run()
