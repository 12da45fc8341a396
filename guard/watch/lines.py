"""Lines of an exact width, whatever letters are in them: wide ones, and those that take no room."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.text import Text

_BARS = "▁▂▃▄▅▆▇█"
_GAP = 2
_VARIANTS = dict.fromkeys(range(0xFE00, 0xFE10))
"""Signs that ask for a picture of the letter before them: terminals disagree on how wide it is then."""


@dataclass(frozen=True, slots=True)
class Column:
    """A heading, how many columns of the terminal it takes, and whether it stands at the right."""

    title: str
    width: int
    right: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """Harmless text and rich's name of a style."""

    text: str
    style: str = ""


def fitted(text: str, width: int, *, right: bool = False) -> str:
    """Text cut or filled up to an exact width. What was cut ends in an ellipsis."""
    if width <= 0:
        return ""
    text = text.translate(_VARIANTS)
    length = cell_len(text)
    if length > width:
        return set_cell_size(text, width - 1) + "…"
    return " " * (width - length) + text if right else text + " " * (width - length)


def line(cells: Sequence[Cell], columns: Sequence[Column]) -> Text:
    """One row of a table."""
    text = Text(no_wrap=True, overflow="crop", end="")
    for number, (cell, column) in enumerate(zip(cells, columns, strict=True)):
        text.append(" " * _GAP if number else "")
        text.append(fitted(cell.text, column.width, right=column.right), cell.style)
    return text


def heading(columns: Sequence[Column]) -> Text:
    """The row above a table."""
    return line([Cell(column.title, "bold reverse") for column in columns], columns)


def spread(columns: Sequence[Column], width: int) -> list[Column]:
    """Give what is left of a width to the last column; on a narrow terminal the last ones are left out."""
    kept: list[Column] = []
    left = width
    for column in columns:
        gap = _GAP if kept else 0
        if left - gap < min(column.width, 6):
            break
        taken = min(column.width, left - gap)
        kept.append(Column(column.title, taken, column.right))
        left -= gap + taken
    if kept:
        last = kept[-1]
        kept[-1] = Column(last.title, last.width + left, last.right)
    return kept


def sparkline(points: Sequence[tuple[float, float]], now: float, width: int, span: float) -> str:
    """The course of a number over the last ``span`` seconds, a letter for each part; a space where none is known.

    The lowest bar is three quarters of the least value, so that small changes do not look like large ones.
    """
    parts: list[list[float]] = [[] for _ in range(width)]
    for time, value in points:
        place = width - 1 - int((now - time) / span * width) if now - time < span else -1
        if value > 0 and 0 <= place < width:
            parts[place].append(value)
    means = [sum(part) / len(part) if part else None for part in parts]
    known = [mean for mean in means if mean is not None]
    if not known:
        return " " * width
    low = 0.75 * min(known)
    high = max(*known, 1.25 * min(known)) if len(known) > 1 else 1.25 * known[0]
    most = len(_BARS) - 1
    return "".join(" " if mean is None else _BARS[round((mean - low) / (high - low) * most)] for mean in means)
