"""Rows under headings, for people: folded to a terminal's width, and one line a row where output is piped."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

_UNBOUNDED = 20_000
"""Columns of a pipe: more than any row can need, so that nothing is cut or folded."""


@dataclass(frozen=True, slots=True)
class Cell:
    """Text, harmless already, and rich's name of a style."""

    text: str
    style: str = ""


Row = Sequence[Cell | str]


def grid(headings: Sequence[str], rows: Sequence[Row], *, width: int | None, color: bool) -> str:
    """Write rows as text.

    Args:
        headings: of the columns; all empty: none are shown.
        rows: as many cells as headings, without anything that a terminal would act on.
        width: columns of the terminal; None where there is none.
        color: whether to write the terminal's colours.
    """
    flat = width is None
    table = Table(box=None if flat else box.SIMPLE_HEAD, pad_edge=False, show_header=any(headings))
    for heading in headings:
        table.add_column(heading, no_wrap=flat, overflow="fold")
    for row in rows:
        table.add_row(*(_text(cell) for cell in row))
    console = literal_console(width, color=color)
    with console.capture() as captured:
        console.print(table)
    # Rich pads cells to the width of their column; a pipe has no use for that.
    return "\n".join(line.rstrip() for line in captured.get().splitlines()).strip("\n")


def literal_console(width: int | None, *, color: bool) -> Console:
    """A console that takes every character for what it is. ``width`` None: as wide as its contents."""
    return Console(
        file=StringIO(),
        width=_UNBOUNDED if width is None else width,
        force_terminal=color,
        no_color=not color,
        markup=False,
        highlight=False,
        emoji=False,
        legacy_windows=False,
    )


def _text(cell: Cell | str) -> Text:
    return Text(cell) if isinstance(cell, str) else Text(cell.text, cell.style)
