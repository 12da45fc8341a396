"""``guard export``: a topic as a table in a file, for notebooks."""

import sys
import time

import click

from detectors.plain import plain
from guard.bus import Topic, open_bus
from guard.commands import Session
from guard.commands.global_options import inform
from guard.commands.topic_options import Point, TopicName
from guard.export.columns import COLUMNS
from guard.export.files import FORMATS, kind_of
from guard.export.run import Counts, Progress, Span, export
from guard.progress_bar import Told, progress
from guard.whole_file import output


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
        progress(f"exporting {topic}") as told,
        output(target) as file,
    ):
        counts = export(bus, topic, span, file, kind, progress=_teller(span, told))
    _sum_up(counts, target, kind)


def _teller(span: Span, told: Told) -> Progress:
    """Turns what an export tells into how far it is: partition for partition, each by its records' times."""
    first: dict[int, float] = {}

    def tell(partition: int, of: int, reached: float, counts: Counts) -> None:
        start = first.setdefault(partition, reached)
        within = (reached - start) / max(span.until - start, 1e-9)
        share = (partition + min(max(within, 0.0), 1.0)) / of
        told(counts.records, counts.records / share if share else None)

    return tell


def _sum_up(counts: Counts, target: str, kind: str) -> None:
    what = "lines" if kind.startswith(".ndjson") else "rows"
    inform(f"{plain(target)}: {counts.records:,} records, {counts.rows:,} {what}")
    for reason, count in sorted(counts.aside.items()):
        click.echo(f"set aside, {reason}: {count:,}, first {plain(counts.example[reason])}", err=True)
    if not counts.records:
        click.echo("nothing was taken by the bus in that time: try an earlier --since", err=True)
    sys.stderr.flush()
