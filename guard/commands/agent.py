"""``guard agent``: one node's agent, in the foreground."""

import signal
import threading

import click

from guard.commands import Session


@click.command()
@click.pass_obj
def command(session: Session) -> None:
    """Collect on this node, and send one record every period, until SIGTERM."""
    from guard.agent.assembly import assemble  # noqa: PLC0415  (help is to be quick)
    from guard.agent.outbox import OutboxEndedError  # noqa: PLC0415

    stop = threading.Event()
    agent = assemble(session.config, stop)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        agent.run()
    except OutboxEndedError as error:  # its traceback is in the log already
        raise click.ClickException(str(error)) from error
