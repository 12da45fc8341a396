"""The explanation for people: headings, sentences, charts and figures, in a given width."""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import click

from detectors.plain import moment, plain
from guard.explain.charts import chart, legend
from guard.explain.explanation import Explanation, Link, Row
from guard.explain.seen import Seen

_INDENT = "  "
_HEIGHT = 6
_MOST_POINTS = 4000
"""Of a chart: no terminal has so many columns."""

_SAME = 0.01
"""Share of the longest section by which one may differ and is still called the same."""

_ACT = {"info": "", "warning": ", act at the next checkpoint", "critical": ", act now"}

_Values = list[float | None]


@dataclass(frozen=True, slots=True)
class Page:
    """What it is written on.

    Attributes:
        width: columns.
        color: whether to write the terminal's colours.
        unicode: whether it can show more than ASCII.
    """

    width: int
    color: bool
    unicode: bool


def render(told: Explanation, page: Page) -> str:
    """Write an explanation as text."""
    return "\n".join(_lines(told, page)) + "\n"


def _lines(told: Explanation, page: Page) -> Iterator[str]:
    for line in _wrapped(told.headline, page.width):
        yield click.style(line, bold=True) if page.color else line
    yield from _wrapped(_about(told), page.width)
    for text in told.unknown:
        for line in _wrapped(f"note: {text}", page.width, hanging="      "):
            yield click.style(line, fg="yellow") if page.color else line
    for link in told.chain:
        yield ""
        yield click.style(link.about, bold=True) if page.color else link.about
        yield from _link(link, told, page)


def _about(told: Explanation) -> str:
    said, job = told.said, "in no job" if told.job is None else f"job {plain(told.job)}"
    attempt = f" attempt {said.job.attempt}" if said.job else ""
    confidence = "" if said.role is None else f", {100 * said.confidence:.3g} % sure{_ACT[said.severity]}"
    return (
        f"{plain(told.cluster)}/{plain(told.node)}, {plain(said.instance)}, {job}{attempt}. Verdict of "
        f"{moment(said.time)}{confidence}. Shown: {_length(told.span)} of telemetry from {told.source}, until"
        f" {moment(told.at)}."
    )


def _length(seconds: float) -> str:
    return f"{seconds:g} s" if seconds < 120 else f"{seconds / 60:g} min"


def _link(link: Link, told: Explanation, page: Page) -> Iterator[str]:
    if any(line.startswith(("yes  ", "NO   ")) for line in link.text) or link.about.startswith("Errors"):
        for line in link.text:
            yield from _wrapped(line, page.width, _INDENT, _INDENT + "     ")
    else:
        yield from _wrapped(" ".join(link.text), page.width, _INDENT)
    if link.plot is not None:
        yield from (_INDENT + line for line in _plot(link.plot, told, page))
    if link.rows:
        yield from (_INDENT + line for line in _table(link.rows, page.width - len(_INDENT)))


def _wrapped(text: str, width: int, indent: str = "", hanging: str | None = None) -> list[str]:
    return textwrap.wrap(
        text, width, initial_indent=indent, subsequent_indent=indent if hanging is None else hanging
    )


def _plot(name: str, told: Explanation, page: Page) -> list[str]:
    windows = _evenly(told.windows, told.window)
    series, low, high, typical = _series(name, windows)
    first, last = told.windows[0].start, told.windows[-1].end
    lines = chart(
        series,
        low,
        high,
        typical,
        width=page.width - len(_INDENT),
        height=_HEIGHT,
        unit="" if name == "evidence" else "s",
        ends=(moment(first)[11:19], moment(last)[11:19]),
        unicode=page.unicode,
    )
    words = legend(unicode=page.unicode)
    if name == "evidence":
        words = words.replace("median of its peers", "needed to accuse").rpartition("  ")[0]
    elif name == "waiting":
        words = words.rpartition("  ")[0]
    return [*lines, words]


def _series(name: str, windows: Sequence[Seen | None]) -> tuple[_Values, _Values, _Values, _Values]:
    """The node's values, the ends of its peers' spread, and their median."""
    nothing: _Values = [None] * len(windows)
    if name == "evidence":
        mine: _Values = [seen.evidence if seen and seen.compared else None for seen in windows]
        return mine, nothing, nothing, [seen.bar if seen else None for seen in windows]
    if name == "waiting":
        waits: _Values = [seen.waits if seen else None for seen in windows]
        return waits, nothing, nothing, [seen.others_wait if seen else None for seen in windows]
    return (
        [seen.own if seen else None for seen in windows],
        [seen.low if seen else None for seen in windows],
        [seen.high if seen else None for seen in windows],
        [seen.typical if seen else None for seen in windows],
    )


def _evenly(windows: Sequence[Seen], step: float) -> list[Seen | None]:
    """A window for each stretch of time; None where there is none. Joined windows fill several."""
    first, last = windows[0].start, windows[-1].end
    points = min(max(1, round((last - first) / step)), _MOST_POINTS)
    even: list[Seen | None] = [None] * points
    for seen in windows:
        begin = int((seen.start - first) / (last - first) * points + 0.5)
        end = int((seen.end - first) / (last - first) * points + 0.5)
        even[begin:end] = [seen] * (min(end, points) - begin)
    return even


def _table(rows: Sequence[Row], width: int) -> list[str]:
    """Names on the left, cut where there is no room; figures under each other."""
    head = ("", "this node", "peers", "difference", "windows")
    largest = max(max(row.value, row.typical or 0.0) for row in rows if row.unit or row is rows[0])
    cells = [head, *(_cells(row, _SAME * largest) for row in rows)]
    used = [index for index in range(len(head)) if index == 0 or any(row[index] for row in cells[1:])]
    widths = {index: max(len(row[index]) for row in cells) for index in used}
    room = max(12, width - sum(widths[index] + 2 for index in used[1:]))
    widths[0] = min(widths[0], room)
    return [_aligned(row, used, widths) for row in cells]


def _aligned(row: Sequence[str], used: Sequence[int], widths: dict[int, int]) -> str:
    name = row[0] if len(row[0]) <= widths[0] else row[0][: widths[0] - 1] + "…"
    return "  ".join([f"{name:<{widths[0]}}", *(f"{row[index]:>{widths[index]}}" for index in used[1:])]).rstrip()


def _cells(row: Row, same: float) -> tuple[str, ...]:
    apart = f"{row.score:.3g} sigma" if row.score is not None else _excess(row, same)
    return (
        plain(row.name),
        _figure(row.value, row.unit),
        "-" if row.typical is None else _figure(row.typical, row.unit),
        apart,
        "" if row.windows is None else str(row.windows),
    )


def _excess(row: Row, same: float) -> str:
    if row.typical is None:
        return ""
    apart = row.value - row.typical
    if abs(apart) < same:
        return "same"
    return f"{'+' if apart >= 0 else '-'}{_figure(abs(apart), row.unit)}"


def _figure(value: float, unit: str) -> str:
    return f"{value:.3g} {unit}".rstrip()
