"""A report over a time as one page that needs nothing else: no scripts, no fonts, no pictures from elsewhere."""

from collections.abc import Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from detectors.plain import harmless, moment
from guard.report.course import Course
from guard.report.plots import plots
from guard.report.ranged import Ranged
from guard.report.sections import figures, sections, title

_ROWS = 1000
"""Rows of a table at most: a browser must still show the page."""


def page(report: Ranged, courses: Sequence[Course], limit: int | None) -> str:
    """Write the page as HTML.

    Everything in it is escaped but the plots, which hold nothing from outside that was not drawn as paths.
    """
    environment = Environment(
        loader=PackageLoader("guard.report", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    drawn = [
        {"title": plot.title, "told": plot.told, "svg": Markup(plot.svg)}  # noqa: S704  (our own drawing)
        for plot in plots(report, courses)
    ]
    return environment.get_template("page.html.jinja").render(
        title=title(report),
        made=moment(report.time),
        since=moment(report.since),
        until=moment(report.until),
        notices=[harmless(notice) for notice in report.notices],
        figures=list(figures(report)),
        plots=drawn,
        sections=list(sections(report, limit or _ROWS)),
        records=f"{report.records:,}",
    )
