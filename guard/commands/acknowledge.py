"""``guard acknowledge``: somebody looks after a page. Exit code 0: the bus has taken it, 2: it has not."""

import getpass
import time

import click
import msgspec

from detectors.plain import harmless, plain
from guard.commands import Session
from guard.tail.raw import in_ascii

_PUBLISH = 5.0


@click.command(name="acknowledge")
@click.argument("subject", metavar="PAGE|NODE|JOB")
@click.option("--reason", default="", metavar="TEXT", help="What you are doing about it; the channels are told.")
@click.option("--by", metavar="NAME", help="Who looks after it; your login name.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def command(session: Session, subject: str, reason: str, by: str | None, as_json: bool) -> None:
    """Say that you look after a page: by its key, its node or its job.

    The channels are told, and of that page nothing more than what is worse or over. Nobody answers this order: it
    is done when the bus has it, and guard page acts on it as it reads it. `guard page list` shows it.
    """
    from guard.bus import Outgoing, Topic, open_bus  # noqa: PLC0415  (help is to be quick)
    from remediation.orders import Command, Order, OrderError, encode  # noqa: PLC0415

    config = session.config
    order = Order(
        cluster=config.cluster,
        time=time.time(),
        by=by or _login(),
        command=Command.ACKNOWLEDGE,
        subject=subject,
        reason=reason,
    )
    try:
        value = encode(order)
    except OrderError as error:
        raise click.UsageError(harmless(str(error))) from error
    with open_bus(config.bus, config.kafka) as bus:
        bus.publish([Outgoing(Topic.CONTROL, order.cluster, value)], _PUBLISH)
    if as_json:
        click.echo(in_ascii(msgspec.json.encode({"schema": "guard.acknowledged/1", "order": order})))
    else:
        click.echo(f"{plain(subject)}: the bus has it; guard page tells the channels as it reads it")


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        return "unknown"
