"""Small charts for a terminal: one node's series over its peers' median and spread.

A column is a stretch of time, a row a range of values. Where several values fall into a column, the one farthest
from the peers' median is drawn, so that no spike is hidden by being short.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

Series = Sequence[float | None]

_WIDTHS = (20, 200)
_HEIGHTS = (3, 40)

_FARTHEST = 1e300
"""Beyond this a value is drawn here, so that no difference overflows."""

_MARGIN = 0.05
"""Share of the value around it that is drawn when all values are the same."""


@dataclass(frozen=True, slots=True)
class _Glyphs:
    node: str
    typical: str
    band: str
    corner: str
    side: str
    floor: str


_UNICODE = _Glyphs(node="█", typical="─", band="░", corner="└", side="┤", floor="─")
_ASCII = _Glyphs(node="#", typical="-", band=".", corner="+", side="|", floor="-")


def chart(
    series: Series,
    band_low: Series,
    band_high: Series,
    typical: Series,
    *,
    width: int,
    height: int,
    unit: str = "",
    ends: tuple[str, str] = ("", ""),
    unicode: bool = True,
) -> list[str]:
    """Draw a node against its peers.

    Args:
        series: the node's values, equally far apart in time; None and NaN are gaps.
        band_low: the lower end of the peers' spread at the same times.
        band_high: the upper end.
        typical: the peers' median.
        width: columns of the whole, 20 to 200; others are brought to that.
        height: rows of the plot, 3 to 40. The axis and, if there are `ends`, their line come below it.
        unit: `s` is written as s or ms, `ratio` as %; any other is written as it is.
        ends: what the first and the last moment are called.
        unicode: whether the terminal can; else ASCII alone.

    Returns:
        The lines, none longer than the width.

    Raises:
        ValueError: the series are not of one length.
    """
    width, height = _within(width, _WIDTHS), _within(height, _HEIGHTS)
    drawn = [_clean(one) for one in (series, band_low, band_high, typical)]
    if len({len(one) for one in drawn}) > 1:
        raise ValueError(f"series of {', '.join(str(len(one)) for one in drawn)} values, expected as many in each")
    known = [value for one in drawn for value in one if value is not None]
    if not known:
        return ["no values"]
    low, high = _range(known)
    labels = _labels(low, high, height, unit)
    room = max(len(label) for label in labels)
    columns = width - room - 2
    glyphs = _UNICODE if unicode else _ASCII
    rows = _plot(drawn, (low, high), columns, height, glyphs)
    lines = [f"{label:>{room}} {glyphs.side}{row}".rstrip() for label, row in zip(labels, rows, strict=True)]
    lines.append(f"{'':{room}} {glyphs.corner}{glyphs.floor * columns}")
    if any(ends):
        first, last = (end[: columns // 2] for end in ends)
        lines.append(f"{'':{room + 2}}{first}{last:>{columns - len(first)}}".rstrip())
    return lines


def legend(*, unicode: bool = True) -> str:
    """What the characters mean."""
    glyphs = _UNICODE if unicode else _ASCII
    return f"{glyphs.node} this node  {glyphs.typical} median of its peers  {glyphs.band} their spread"


def _within(value: int, limits: tuple[int, int]) -> int:
    return min(max(value, limits[0]), limits[1])


def _clean(series: Series) -> list[float | None]:
    """Infinite values are drawn at the edge; what is not a number is a gap."""
    return [
        None if value is None or math.isnan(value) else min(max(float(value), -_FARTHEST), _FARTHEST)
        for value in series
    ]


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    if high - low <= 1e-12 * max(abs(low), abs(high)):
        margin = abs(low) * _MARGIN or 1.0
        low, high = low - margin, high + margin
    return low, high


def _labels(low: float, high: float, height: int, unit: str) -> list[str]:
    """Of the top, the middle and the bottom row; the others have none."""
    labels = [""] * height
    most = max(abs(low), abs(high))
    for row in {0, height // 2, height - 1}:
        labels[row] = _quantity(high - (high - low) * row / (height - 1), most, unit)
    return labels


def _quantity(value: float, most: float, unit: str) -> str:
    """A value in the unit that suits the largest of the axis."""
    if unit == "s" and most < 1:
        return f"{1000 * value:.3g} ms"
    if unit == "ratio":
        return f"{100 * value:.3g} %"
    return f"{value:.3g} {unit[:8]}".rstrip()


def _plot(
    drawn: Sequence[Sequence[float | None]], ends: tuple[float, float], columns: int, height: int, glyphs: _Glyphs
) -> list[str]:
    low, high = ends
    grid = [[" "] * columns for _ in range(height)]

    def row(value: float) -> int:
        return round((high - value) / (high - low) * (height - 1))

    for column in range(columns):
        series, band_low, band_high, typical = (_bucket(one, column, columns) for one in drawn)
        middle = _middle(typical)
        if band_low and band_high:
            for place in range(row(max(band_high)), row(min(band_low)) + 1):
                grid[place][column] = glyphs.band
        if middle is not None:
            grid[row(middle)][column] = glyphs.typical
        if series:
            grid[row(_farthest(series, middle))][column] = glyphs.node
    return ["".join(line) for line in grid]


def _bucket(values: Sequence[float | None], column: int, columns: int) -> list[float]:
    """The known values of a column's stretch of time: at least one moment, if there are fewer than columns."""
    first = column * len(values) // columns
    last = max(first + 1, (column + 1) * len(values) // columns)
    return [value for value in values[first:last] if value is not None]


def _middle(values: Sequence[float]) -> float | None:
    return sorted(values)[len(values) // 2] if values else None


def _farthest(values: Sequence[float], typical: float | None) -> float:
    """From what is typical; the largest, where that is not known."""
    return max(values) if typical is None else max(values, key=lambda value: abs(value - typical))
