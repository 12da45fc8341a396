"""``guard report``: the health of the fleet, a job or a node. Exit code 0 healthy, 1 accused, 2 not answered."""

import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from detectors.plain import plain
from guard.bus import BusError
from guard.commands import Session
from guard.commands.report_range import Asked, show_range
from guard.commands.topic_options import Point
from guard.progress_bar import progress
from guard.report.document import document, unanswered
from guard.report.fold import Answer, Health, NotAnsweredError, fleet_health, job_health, node_health
from guard.report.newest import State
from guard.report.read import read_state

_WEEK = 7 * 86_400.0
_Options = Callable[[Callable[..., None]], Callable[..., None]]


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The options that all reports have."""

    cluster: str | None = None
    as_json: bool = False
    as_csv: bool = False
    html: str | None = None
    since: float | None = None
    until: float | None = None
    limit: int | None = None

    def __post_init__(self) -> None:
        if self.until is not None and self.since is None:
            raise click.UsageError("--until needs --since: from when on?")
        if self.as_json + self.as_csv + (self.html is not None) > 1:
            raise click.UsageError("choose one of --json, --csv and --html")

    @property
    def of_a_time(self) -> bool:
        """Whether a time is asked about, rather than the present."""
        return self.since is not None or self.as_csv or self.html is not None

    def asked(self, about: str, name: str | None = None) -> Asked:
        """The question about a time; of the last week where none is given."""
        since = time.time() - _WEEK if self.since is None else self.since
        return Asked(
            about, name, self.cluster, since, self.until, self.as_json, self.as_csv, self.html, self.limit
        )


def _options(function: Callable[..., None]) -> Callable[..., None]:
    chosen: tuple[_Options, ...] = (
        click.option("--cluster", help="Only this cluster; needed where two have a job or node of one name."),
        click.option("--since", type=Point(), help="Over a time, from here: 24h, 7d, or 2026-11-24T03:00:00Z."),
        click.option("--until", type=Point(), help="And to here, in the same forms; else now."),
        click.option("--json", "as_json", is_flag=True, help="One JSON object; see docs/reports.md."),
        click.option("--csv", "as_csv", is_flag=True, help="One flat table, over a time (else a week)."),
        click.option(
            "--html",
            metavar="FILE",
            help="One page with plots, over a time (else a week).",
        ),
        click.option("--limit", type=click.IntRange(min=1), help="Rows at most in each table."),
    )
    for option in reversed(chosen):
        function = option(function)
    return function


@click.group(name="report", invoke_without_command=True)
@_options
@click.pass_context
def command(context: click.Context, /, **options: Any) -> None:
    """Show the health of the fleet, a job or a node, now or over a time, and incidents.

    Of the present it ends 0 when healthy, 1 when a node is accused, 2 when the question could not be answered: no
    such job or node, no bus, or no word from the detector for longer than report.stale_after. Over a time it ends
    0 when answered, 2 when nothing is known.
    """
    if context.invoked_subcommand is None:
        context.invoke(fleet, **options)
    elif _Chosen(**options) != _Chosen():
        raise click.UsageError(
            f"put the options behind the word: guard report {context.invoked_subcommand} --json"
        )


@command.command()
@_options
@click.pass_obj
def fleet(session: Session, /, **options: Any) -> None:
    """Show every job, and the nodes that are not ok (the default)."""
    chosen = _Chosen(**options)
    if chosen.of_a_time:
        show_range(session, chosen.asked("fleet"))
        return
    _report(session, lambda state, now, stale: fleet_health(state, now, stale, chosen.cluster), chosen)


@command.command()
@click.argument("name", metavar="JOB")
@_options
@click.pass_obj
def job(session: Session, /, name: str, **options: Any) -> None:
    """Show one job and its nodes."""
    chosen = _Chosen(**options)
    if chosen.of_a_time:
        show_range(session, chosen.asked("job", name))
        return
    _report(session, lambda state, now, stale: job_health(state, name, now, stale, chosen.cluster), chosen)


@command.command(short_help="Show everything that is said of one node.")
@click.argument("name", metavar="NODE")
@_options
@click.pass_obj
def node(session: Session, /, name: str, **options: Any) -> None:
    """Show everything that is said of one node, with all the evidence."""
    chosen = _Chosen(**options)
    if chosen.of_a_time:
        show_range(session, chosen.asked("node", name))
        return
    _report(session, lambda state, now, stale: node_health(state, name, now, stale, chosen.cluster), chosen)


@command.command(short_help="Show every incident of a time, and what it cost.")
@_options
@click.pass_obj
def incidents(session: Session, /, **options: Any) -> None:
    """Show every incident of a time: what guard and people did, how it ended, and what it cost (a week)."""
    show_range(session, _Chosen(**options).asked("incidents"))


def _report(session: Session, ask: Callable[[State, float, float], Health], chosen: _Chosen) -> None:
    """Read the bus, ask, show the answer, and end with its exit code."""
    config = session.config
    now = time.time()
    try:
        stale = config.report.stale_after
        with progress("reading"):
            state = read_state(config.bus, config.kafka, now=now, stale_after=stale)
        health = ask(state, now, stale)
    except (NotAnsweredError, BusError) as error:
        if chosen.as_json:
            click.echo(unanswered(str(error), now))
        click.echo(f"guard report: {plain(str(error))}", err=True)
        sys.exit(Answer.UNANSWERED)
    click.echo(
        document(health, chosen.limit) if chosen.as_json else _text(health, chosen.limit), nl=chosen.as_json
    )
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
