"""``guard export``: a topic as a table in a file, for notebooks."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from detectors.plain import plain
from guard.bus import Topic, open_bus
from guard.commands import Session
from guard.commands.topic_options import Point, TopicName
from guard.export.columns import COLUMNS
from guard.export.files import FORMATS, kind_of
from guard.export.run import Counts, Progress, Span, export
from guard.whole_file import output

_REFRESH = 0.2
"""Seconds between looks of the progress bar."""


@click.command(name="export")
@click.argument("topic", metavar="TOPIC", type=TopicName())
@click.option(
    "--since", required=True, type=Point(), help="What the bus took since: 6h, 3d, or 2026-11-24T03:00:00Z."
)
@click.option("--until", type=Point(), help="And before, in the same forms; else all there is now.")
@click.option(
    "--to",
    "target",
    required=True,
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help=f"What to write, whole or not at all: {', '.join(FORMATS)}.",
)
@click.pass_obj
def command(session: Session, topic: Topic, since: float, until: float | None, target: str) -> None:
    """Write the records of TOPIC to a file for a notebook: see docs/export.md for the columns.

    TOPIC is telemetry, verdicts, state, ledger, control or deadletter. Parquet and CSV are tables, telemetry with
    a row for each node, period and rank; NDJSON has the records themselves, as guard replay reads them. Ends 0
    when the file is written, and says on stderr what could not be read.
    """
    kind = kind_of(target)
    if kind is None:
        raise click.BadParameter(f"{target}: expected a name that ends in {', '.join(FORMATS)}", param_hint="--to")
    if topic not in COLUMNS:
        raise click.BadParameter(f"{topic}: holds a detector's own state, and no table", param_hint="TOPIC")
    now = time.time()
    span = Span(since, now if until is None else until)
    if span.since >= span.until:
        raise click.BadParameter("it is not before --until", param_hint="--since")
    with (
        open_bus(session.config.bus, session.config.kafka) as bus,
        _progress(span) as progress,
        output(target) as file,
    ):
        counts = export(bus, topic, span, file, kind, progress=progress)
    _sum_up(counts, target, kind)


@contextmanager
def _progress(span: Span) -> Iterator[Progress]:
    """A bar on a terminal's stderr, where rich is there to draw it."""
    try:
        from rich.console import Console  # noqa: PLC0415  (an extra)
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415
        from rich.progress import Progress as Bar  # noqa: PLC0415
    except ModuleNotFoundError:
        yield lambda *_: None
        return
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda *_: None
        return
    columns = (BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting", total=1.0)
        shown = 0.0
        first: dict[int, float] = {}

        def show(partition: int, of: int, reached: float, counts: Counts) -> None:
            nonlocal shown
            now = time.monotonic()
            start = first.setdefault(partition, reached)
            if now - shown < _REFRESH:
                return
            shown = now
            within = (reached - start) / max(span.until - start, 1e-9)
            told = f"{counts.records:,} records, {counts.rows:,} rows, partition {min(partition + 1, of)} of {of}"
            bar.update(task, completed=(partition + min(max(within, 0.0), 1.0)) / of, description=told)

        yield show


def _sum_up(counts: Counts, target: str, kind: str) -> None:
    what = "lines" if kind.startswith(".ndjson") else "rows"
    click.echo(f"{plain(target)}: {counts.records:,} records, {counts.rows:,} {what}", err=True)
    for reason, count in sorted(counts.aside.items()):
        click.echo(f"set aside, {reason}: {count:,}, first {plain(counts.example[reason])}", err=True)
    if not counts.records:
        click.echo("nothing was taken by the bus in that time", err=True)
    sys.stderr.flush()
