"""``guard remediate``: the remediator as a service, in the foreground."""

import logging
import signal
import threading

import click

from guard.bus import open_bus
from guard.commands import Session
from guard.systemd import Notifier

_log = logging.getLogger("guard.remediate")


@click.command()
@click.option(
    "--metrics", metavar="HOST:PORT", help="Serve Prometheus here instead of where the configuration says."
)
@click.pass_obj
def command(session: Session, metrics: str | None) -> None:
    """Follow the verdicts on the bus and act on them within limits, until SIGTERM.

    Several of them stand by for each other; one leads. By default nothing is done: what guard would do is in
    `guard actions`, and `remediation.policy.modes` says for each kind of act whether it may.
    """
    from guard import exposition  # noqa: PLC0415  (help is to be quick)
    from guard.remediate.clusters import opener  # noqa: PLC0415
    from guard.remediate.metrics import Metrics  # noqa: PLC0415
    from guard.remediate.service import RemediateService  # noqa: PLC0415

    config = session.config
    settings = config.remediation
    if settings.cluster is None:
        _log.warning("no cluster is set, so nothing is seen or done: set remediation.cluster, kind: slurm say")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    counters = Metrics()
    address = metrics or settings.metrics
    if address is not None:
        exposition.serve(counters.registry, address, "--metrics" if metrics else "remediation.metrics")
    RemediateService(
        lambda: open_bus(config.bus, config.kafka),
        opener(settings.cluster),
        settings.policy,
        Notifier(),
        stop,
        cluster=config.cluster,
        look_within=settings.look_within,
        metrics=counters,
    ).run()
