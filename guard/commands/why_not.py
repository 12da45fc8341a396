"""``guard why-not NODE``: every rail's answer now. Exit code 0 all allow, 1 one does not, 2 no answer."""

import sys

import click
import msgspec

from detectors.plain import harmless, plain
from guard.bus import open_bus
from guard.commands import Session
from guard.commands.screen import screen
from guard.progress_bar import progress
from guard.tail.raw import in_ascii

_DENIED = 1


@click.command(name="why-not")
@click.argument("node", metavar="NODE")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, guard.why-not/1.")
@click.pass_obj
def command(session: Session, node: str, as_json: bool) -> None:
    """Show what every rail says to taking NODE out of service and restarting its job, at this moment.

    Reads ledger and state from the bus, and looks at the cluster where one is set. Changes nothing. Ends 0 when
    every rail allows it, 1 when one does not.
    """
    from guard.remediate.why_not import why_not  # noqa: PLC0415  (help is to be quick)

    config = session.config
    with open_bus(config.bus, config.kafka) as bus, progress("reading the ledger, and looking at the cluster"):
        rulings = why_not(bus, config.cluster, config.remediation, node)
    if as_json:
        click.echo(in_ascii(msgspec.json.encode({"schema": "guard.why-not/1", "node": node, "rails": rulings})))
    else:
        from guard.grid import grid  # noqa: PLC0415  (rich is an extra; --json does without it)

        rows = [(plain(one.rail), "yes" if one.allowed else "no", harmless(one.reason)) for one in rulings]
        click.echo(grid(("rail", "allows", "because"), rows, width=screen().width, color=screen().color))
    sys.exit(0 if all(one.allowed for one in rulings) else _DENIED)
