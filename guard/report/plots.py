"""Plots of a report over time as SVG, to stand within a page: letters are paths, and text has the page's colour.

What stands in a plot of ours is ASCII: the page's own tables have the names as they are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC
from io import StringIO
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np

from detectors.plain import plain
from guard.report.course import Course
from guard.report.ranged import Ranged

mpl.use("Agg")  # files only: there is no display
from matplotlib import dates
from matplotlib import pyplot as plt

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INK = "#010203"
"""Stands for the page's own colour of text, which is another one in the dark."""
_COLOURS = ("#4c78a8", "#f58518", "#54a24b", "#b279a2", "#72b7b2", "#9d755d")
_BAD = "#e45756"
_CURVES = len(_COLOURS)
_BARS = 9
"""Causes that there are."""
_LABEL = 32


@dataclass(frozen=True, slots=True)
class Plot:
    """One picture, and what it shows, in words."""

    title: str
    told: str
    svg: str


def plots(report: Ranged, courses: Sequence[Course]) -> list[Plot]:
    """What can be drawn of a report."""
    found = []
    drawn = sorted(courses, key=lambda one: -one.whole.sums.node_seconds)[:_CURVES]
    if any(np.isfinite(one.curve[1]).any() for one in drawn):
        more = f" The {_CURVES} largest jobs of {len(courses)}." if len(courses) > _CURVES else ""
        told = f"Seconds of a step; gaps are not known. Upright lines: incidents as they were opened.{more}"
        found.append(_plot("Step time", told, lambda axes: _steps(axes, report, drawn)))
    if any(day.goodput is not None for day in report.days):
        told = "Share of the time in which progress was made that lasted, by day (UTC). No bar: nothing is known."
        found.append(_plot("Goodput per day", told, lambda axes: _goodput(axes, report)))
    if report.fleet is not None and report.fleet.stragglers.by_cause:
        found.append(_plot("Node-hours lost to stragglers", "By cause.", lambda axes: _causes(axes, report)))
    return found


def _plot(title: str, told: str, paint: Callable[["Axes"], None]) -> Plot:
    style: dict[Any, Any] = {
        "svg.fonttype": "path",
        "svg.hashsalt": title,  # the same report gives the same bytes
        "text.color": _INK,
        "axes.edgecolor": _INK,
        "axes.labelcolor": _INK,
        "xtick.color": _INK,
        "ytick.color": _INK,
        "text.parse_math": False,
        "font.size": 9,
    }
    with mpl.rc_context(style):
        figure, axes = plt.subplots(figsize=(9, 2.6), layout="constrained")
        try:
            paint(axes)
            for side in ("top", "right"):
                axes.spines[side].set_visible(False)
            text = StringIO()
            figure.savefig(text, format="svg", transparent=True, metadata=dict.fromkeys(_METADATA))
        finally:
            plt.close(figure)
    # The prologue names a document type elsewhere; within a page there is none.
    return Plot(title, told, text.getvalue()[text.getvalue().index("<svg") :].replace(_INK, "currentColor"))


_METADATA = ("Creator", "Date", "Format", "Type")


def _steps(axes: "Axes", report: Ranged, drawn: Sequence[Course]) -> None:
    for one, colour in zip(drawn, _COLOURS, strict=False):
        time, step = one.curve
        axes.plot(_moments(time), step, color=colour, linewidth=1, label=_label(f"{one.cluster}/{one.job}"))
    for incident in report.incidents:
        if report.since <= incident.opened < report.until:
            axes.axvline(float(_moments([incident.opened])[0]), color=_BAD, linewidth=0.8, alpha=0.5)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("seconds")
    axes.legend(frameon=False, fontsize=8, loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
    _by_time(axes, report)


def _goodput(axes: "Axes", report: Ranged) -> None:
    known = [(day.start, day.goodput) for day in report.days if day.goodput is not None]
    ends = [*(day.start for day in report.days[1:]), report.until]
    lasts = {day.start: end - day.start for day, end in zip(report.days, ends, strict=True)}
    widths = [0.9 * lasts[start] / 86_400 for start, _ in known]
    starts, values = _moments([start for start, _ in known]), [value for _, value in known]
    axes.bar(starts, values, widths, align="edge", color=_COLOURS[0])
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    _by_time(axes, report)


def _causes(axes: "Axes", report: Ranged) -> None:
    if report.fleet is None:
        return
    causes = list(report.fleet.stragglers.by_cause.items())[:_BARS][::-1]
    axes.barh([_label(cause) for cause, _ in causes], [hours for _, hours in causes], color=_COLOURS[0])
    axes.set_xlabel("node-hours")


def _moments(times: Sequence[float] | np.typing.NDArray[np.float64]) -> np.typing.NDArray[np.float64]:
    return np.asarray(times, dtype=float) / 86_400


def _by_time(axes: "Axes", report: Ranged) -> None:
    locator = dates.AutoDateLocator(tz=UTC)  # type: ignore[no-untyped-call]
    formatter = dates.ConciseDateFormatter(locator, tz=UTC)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(formatter)
    axes.set_xlim(*_moments([report.since, report.until]))


def _label(name: str) -> str:
    text = plain(name).encode("ascii", "backslashreplace").decode("ascii")
    # A label that begins with an underscore would be left out of a legend.
    return (" " if text.startswith("_") else "") + (text if len(text) <= _LABEL else f"{text[:_LABEL]}...")
