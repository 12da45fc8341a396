"""``guard report`` over a time: reading it, with a bar where that takes long, and showing it as was asked."""

import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import click

from detectors.plain import plain
from guard.bus import BusError, open_bus
from guard.commands import Session
from guard.commands.screen import screen
from guard.progress_bar import progress
from guard.report.stories import NotToldError
from guard.whole_file import output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guard.report.course import Course
    from guard.report.history import History
    from guard.report.ranged import Ranged

_UNANSWERED = 2


@dataclass(frozen=True, slots=True)
class Asked:
    """What a report over a time is to be of, and how it is to be shown.

    Attributes:
        about: fleet, job, node or incidents; `name` of a job or node.
        since, until: Unix seconds; None: now.
        html: a file, or `-`.
        limit: rows of tables.
    """

    about: str
    name: str | None
    cluster: str | None
    since: float
    until: float | None
    as_json: bool
    as_csv: bool
    html: str | None
    limit: int | None


def show_range(session: Session, asked: Asked) -> None:
    """Answer, and end with 0; or say why not, and end with 2."""
    now = time.time()
    until = now if asked.until is None else min(asked.until, now)
    if asked.since >= until:
        raise click.BadParameter("it is not before --until, or lies in the future", param_hint="--since")
    try:
        told, report = _read(session, asked, until, now)
        text = _shown(asked, report, told.courses)
    except ModuleNotFoundError as error:
        _give_up(asked, f"{error.name} is missing: pip install 'trn-guard[report]'", now)
    except BusError as error:
        _give_up(asked, f"{error}: see guard check, and bus in the configuration", now)
    except NotToldError as error:
        _give_up(asked, str(error), now)
    if asked.html is None:
        click.echo(_writable(text), nl=asked.as_json)
        return
    with output(asked.html) as file:
        file.write(text.encode())
    if asked.html != "-":
        click.echo(f"guard report: wrote {plain(asked.html)}", err=True)


def _read(session: Session, asked: Asked, until: float, now: float) -> "tuple[History, Ranged]":
    from guard.report.answering import Question, answer  # noqa: PLC0415  (pandas, which is an extra)
    from guard.report.course import Range  # noqa: PLC0415
    from guard.report.history import Wanted, history  # noqa: PLC0415

    config = session.config
    job = asked.name if asked.about == "job" else None
    wanted = Wanted(Range(asked.since, until), config.report.stale_after, asked.cluster, job)
    with open_bus(config.bus, config.kafka) as bus, progress("reading") as bar:
        told = history(bus, wanted, lambda share, records: bar(records, records / share if share else None))
    return told, answer(told, Question(asked.about, asked.name, now))


def _shown(asked: Asked, report: "Ranged", courses: "Sequence[Course]") -> str:
    if asked.as_json:
        from guard.report.range_document import range_document  # noqa: PLC0415  (what is not asked for is not loaded)

        return range_document(report)
    if asked.as_csv:
        from guard.report.range_csv import range_csv  # noqa: PLC0415

        return range_csv(report)
    if asked.html is not None:
        from guard.report.page import page  # noqa: PLC0415

        return page(report, courses if asked.about in ("fleet", "job") else (), asked.limit)
    from guard.report.range_tables import render_range  # noqa: PLC0415

    return render_range(report, width=screen().width, color=screen().color, limit=asked.limit)


def _writable(text: str) -> str:
    """In letters that the output can carry."""
    encoding = sys.stdout.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _give_up(asked: Asked, reason: str, now: float) -> NoReturn:
    if asked.as_json:
        from guard.report.range_document import range_unanswered  # noqa: PLC0415

        click.echo(range_unanswered(reason, now))
    click.echo(f"guard report: {plain(reason)}", err=True)
    sys.exit(_UNANSWERED)
