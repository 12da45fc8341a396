"""``guard explain``: the chain of evidence about one node. Exit code 0 explained, 2 not answered."""

import sys
import time
from typing import Any

import click

from guard.commands import Session
from guard.commands.screen import screen
from guard.commands.topic_options import Point
from guard.progress_bar import progress
from guard.timespan import TimespanError, length

_PIPE = 100
"""Columns where there is no terminal to ask."""
_WIDTHS = (60, 200)
_LONGEST = 86_400.0
"""Seconds of telemetry that may be asked for; the bus keeps six hours."""


class _Span(click.ParamType[float]):
    """A length of time: ``30m``."""

    name = "LENGTH"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Turn text into seconds."""
        if isinstance(value, float):
            return value
        try:
            seconds = length(value.strip().removesuffix("in") if value.strip().endswith("min") else value)
        except TimespanError as error:
            self.fail(str(error), param, ctx)
        if not 0 < seconds <= _LONGEST:
            self.fail("expected more than nothing, and at most 24h", param, ctx)
        return seconds


@click.command(name="explain")
@click.argument("node", metavar="NODE")
@click.option("--at", type=Point(), help="The verdict as it was then: 2h before now, or 2026-11-24T03:00:00Z.")
@click.option("--cluster", help="Only this cluster; needed where two have a node of one name.")
@click.option("--span", type=_Span(), default="30m", help="How much telemetry before that moment; 30m.")
@click.option(
    "--from",
    "files",
    multiple=True,
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    help="Telemetry files instead of the bus (.ndjson, .ndjson.gz, .ndjson.zst); may be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object, guard.explain/1.")
@click.option("--width", type=click.IntRange(*_WIDTHS), help="Columns; those of the terminal.")
@click.pass_obj
def command(
    session: Session,
    *,
    node: str,
    at: float | None,
    cluster: str | None,
    span: float,
    files: tuple[str, ...],
    as_json: bool,
    width: int | None,
) -> None:
    """Show why NODE is accused, watched or ok: against whom it was compared, and what was seen when.

    Reads the newest verdict and the job's telemetry of the last half hour, and folds it through the very detector
    once more. Ends 0 when explained, 2 when not: no such node, no bus, or no telemetry kept of that time.
    """
    from detectors.plain import harmless  # noqa: PLC0415
    from guard.bus import BusError, open_bus  # noqa: PLC0415  (help is to be quick)
    from guard.explain.document import document, unanswered  # noqa: PLC0415
    from guard.explain.material import Question, from_bus, from_files  # noqa: PLC0415
    from guard.explain.tell import tell  # noqa: PLC0415
    from guard.report.fold import NotAnsweredError  # noqa: PLC0415

    config, now = session.config, time.time()
    question = Question(node, cluster, at, span, now)
    try:
        with progress("reading") as seen:
            if files:
                material = from_files(files, question)
            else:
                with open_bus(config.bus, config.kafka) as bus:
                    material = from_bus(bus, question)
            seen.what = "detecting once more"
            told = tell(material, question, config.detect, seen)
    except (NotAnsweredError, BusError, OSError) as error:
        if as_json:
            click.echo(unanswered(str(error), now))
        click.echo(f"guard explain: {harmless(str(error))}", err=True)
        sys.exit(2)
    if as_json:
        click.echo(document(told))
        return
    _show(told, width)


def _show(told: Any, width: int | None) -> None:
    from guard.explain.text import Page, render  # noqa: PLC0415

    out = screen()
    columns = width or min(max(out.width or _PIPE, _WIDTHS[0]), _WIDTHS[1])
    encoding = sys.stdout.encoding or "utf-8"
    text = render(told, Page(columns, out.color, _shows_blocks(encoding)))
    click.echo(text.encode(encoding, "backslashreplace").decode(encoding), nl=False)


def _shows_blocks(encoding: str) -> bool:
    try:
        "█─░└┤…".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
