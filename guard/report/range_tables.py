"""A report over a time for people: figures, then tables, one row to a line where output is piped."""

from collections.abc import Iterator

from detectors.plain import harmless
from guard.grid import Cell, grid
from guard.report.ranged import Ranged
from guard.report.sections import figures, sections, title

_SHOWN = 50


def render_range(report: Ranged, *, width: int | None, color: bool, limit: int | None) -> str:
    """Write a report as text.

    Args:
        report: what to show.
        width: columns of the terminal; None where there is none.
        color: whether to write the terminal's colours.
        limit: rows at most per table; None: 50.
    """
    return "\n".join(_parts(report, width, color, limit or _SHOWN)) + "\n"


def _parts(report: Ranged, width: int | None, color: bool, limit: int) -> Iterator[str]:
    yield f"{title(report)}, over a time"
    yield from (f"note: {harmless(notice)}" for notice in report.notices)
    rows = [(Cell(name, "bold"), told) for name, told in figures(report)]
    yield grid(("", ""), rows, width=width, color=color)
    for section in sections(report, limit):
        yield ""
        yield section.title
        yield grid(section.headings, section.rows, width=width, color=color)
        if section.left_out:
            yield f"and {section.left_out} more: raise --limit, or use --json"
