"""``guard watch``: the fleet, live. Exit code 0 ended by q, 2 no answer (``--once``), 128 + signal else."""

import os
import sys

import click

from guard.commands import Session


@click.command(name="watch")
@click.option(
    "--interval",
    type=click.FloatRange(0.5, 3600),
    default=2.0,
    show_default=True,
    help="Seconds between pictures.",
)
@click.option("--once", is_flag=True, help="Print one picture, and end.")
@click.pass_obj
def command(session: Session, interval: float, once: bool) -> None:
    """Watch the fleet live: jobs, nodes that are not ok, what guard does about them, and what happened.

    On a pipe or a dumb terminal a plain picture is printed every interval. Keys: q quits, arrows or j and k
    scroll, / filters by name, p pauses.
    """
    from guard.watch.feed import Feed  # noqa: PLC0415  (help is to be quick)
    from guard.watch.run import Watch  # noqa: PLC0415
    from guard.watch.terminal import live  # noqa: PLC0415

    config = session.config
    color = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    feed = Feed(config.bus, config.kafka, config.report.stale_after)
    watch = Watch(feed, config.cluster, interval, config.report.stale_after)
    feed.start()
    try:
        code = watch.live(color=color) if live() and not once else watch.plain(color=color, once=once)
    finally:
        feed.stop()
    sys.exit(code)
