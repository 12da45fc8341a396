"""``guard report``: the health of the fleet, a job or a node. Exit code 0 healthy, 1 accused, 2 not answered."""

import os
import shutil
import sys
import time
from collections.abc import Callable

import click

from detectors.plain import plain
from guard.bus import BusError
from guard.commands import Session
from guard.report.document import document, unanswered
from guard.report.fold import Answer, Health, NotAnsweredError, fleet_health, job_health, node_health
from guard.report.newest import State
from guard.report.read import read_state

_Options = Callable[[Callable[..., None]], Callable[..., None]]


def _options(function: Callable[..., None]) -> Callable[..., None]:
    chosen: tuple[_Options, ...] = (
        click.option("--cluster", help="Only this cluster; needed where two have a job or node of one name."),
        click.option("--json", "as_json", is_flag=True, help="One JSON object, guard.report/1."),
        click.option("--limit", type=click.IntRange(min=1), help="Rows at most in each table."),
    )
    for option in reversed(chosen):
        function = option(function)
    return function


@click.group(name="report", invoke_without_command=True)
@_options
@click.pass_context
def command(context: click.Context, cluster: str | None, as_json: bool, limit: int | None) -> None:
    """Show the health of the fleet, a job or a node, from what the detectors said last.

    Ends 0 when healthy, 1 when a node is accused, 2 when the question could not be answered: no such job or
    node, no bus, or no word from the detector for longer than report.stale_after.
    """
    if context.invoked_subcommand is None:
        context.invoke(fleet, cluster=cluster, as_json=as_json, limit=limit)
    elif cluster or as_json or limit:
        raise click.UsageError(
            f"put the options behind the word: guard report {context.invoked_subcommand} --json"
        )


@command.command()
@_options
@click.pass_obj
def fleet(session: Session, cluster: str | None, as_json: bool, limit: int | None) -> None:
    """Show every job, and the nodes that are not ok (the default)."""
    _report(session, lambda state, now, stale: fleet_health(state, now, stale, cluster), as_json, limit)


@command.command()
@click.argument("name", metavar="JOB")
@_options
@click.pass_obj
def job(session: Session, name: str, cluster: str | None, as_json: bool, limit: int | None) -> None:
    """Show one job and its nodes."""
    _report(session, lambda state, now, stale: job_health(state, name, now, stale, cluster), as_json, limit)


@command.command()
@click.argument("name", metavar="NODE")
@_options
@click.pass_obj
def node(session: Session, name: str, cluster: str | None, as_json: bool, limit: int | None) -> None:
    """Show everything that is said of one node, with all the evidence."""
    _report(session, lambda state, now, stale: node_health(state, name, now, stale, cluster), as_json, limit)


def _report(
    session: Session, ask: Callable[[State, float, float], Health], as_json: bool, limit: int | None
) -> None:
    """Read the bus, ask, show the answer, and end with its exit code."""
    config = session.config
    now = time.time()
    try:
        stale = config.report.stale_after
        health = ask(read_state(config.bus, config.kafka, now=now, stale_after=stale), now, stale)
    except (NotAnsweredError, BusError) as error:
        if as_json:
            click.echo(unanswered(str(error), now))
        click.echo(f"guard report: {plain(str(error))}", err=True)
        sys.exit(Answer.UNANSWERED)
    click.echo(document(health, limit) if as_json else _text(health, limit), nl=as_json)
    sys.exit(health.answer)


def _text(health: Health, limit: int | None) -> str:
    """The report for people, in letters that the output can carry."""
    try:
        from guard.report.tables import render  # noqa: PLC0415  (rich is an extra; --json does without it)
    except ModuleNotFoundError as error:
        click.echo(f"guard report: {error.name} is missing: pip install 'trn-guard[report]', or --json", err=True)
        sys.exit(Answer.UNANSWERED)

    terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if terminal else None
    color = terminal and not os.environ.get("NO_COLOR")
    text = render(health, width=width, color=color, limit=limit)
    encoding = sys.stdout.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
