"""Scores as tables: the same rows for a terminal and for the page."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from guard.bench.lineup import OURS, Lineup
from guard.bench.published import PUBLISHED
from simulation.intervals import Estimate, Rate, Share
from simulation.outcome import Outcome
from simulation.score import Score, score

_TOGETHER = (("healthy", "faulty"), ("faulty", "mild"))
"""Suites scored together: a precision needs healthy cases, and the least slowdown found mild ones."""


class Table(NamedTuple):
    """Rows under headings."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]


def scores(outcomes: Sequence[Outcome], lineup: Lineup) -> dict[str, list[Score]]:
    """Score every contestant on each group of suites, and our judge's parts on the cases that all of them saw.

    Returns:
        By the name of the group, the first one being healthy and faulty cases together where both were run.
    """
    suites = list(dict.fromkeys(outcome.suite for outcome in outcomes))
    joined = {" and ".join(some): some for some in _TOGETHER if all(name in suites for name in some)}
    groups = joined | {name: (name,) for name in suites}
    found = {title: _scores(outcomes, lineup.names, members) for title, members in groups.items()}
    if lineup.parts and outcomes:
        title, members = next(iter(groups.items()))
        shared = {(one.suite, one.case) for one in outcomes if one.detector == lineup.parts[-1]}
        both = [one for one in outcomes if (one.suite, one.case) in shared]
        found[f"parts of ours, {title}"] = _scores(both, lineup.parts, members)
    return found


def _scores(outcomes: Sequence[Outcome], names: Sequence[str], suites: Sequence[str]) -> list[Score]:
    by_name: dict[str, list[Outcome]] = {name: [] for name in names}
    for one in outcomes:
        if one.detector in by_name and one.suite in suites:
            by_name[one.detector].append(one)
    return [score(name, mine) for name, mine in by_name.items()]


def tables(groups: Mapping[str, Sequence[Score]], lateness: float) -> list[Table]:
    """Who was found, and when and what was said, per group of suites.

    Args:
        groups: scores by the name of the group.
        lateness: seconds that our detector waits for late records beyond a window's end; baselines here do not.
    """
    made = []
    for number, (title, rows) in enumerate(groups.items()):
        about = f"{title}, {rows[0].cases:,} cases" if rows else title
        made.append(_who(about, rows, published=not number))
        if any(row.found for row in rows):
            made.append(_when(about, rows, lateness))
    return made


def markdown(table: Table) -> str:
    """A table for the page."""
    lines = [table.headings, ["---"] * len(table.headings), *table.rows]
    return "\n".join([f"### {table.title}", "", *(f"| {' | '.join(line)} |" for line in lines), ""])


def _who(about: str, rows: Sequence[Score], *, published: bool) -> Table:
    others = [
        (one.system, one.precision, one.recall, one.f1, one.false_positives, one.false_negatives, "", "")
        for one in PUBLISHED
    ]
    return Table(
        f"Who ({about})",
        (
            "detector",
            "precision",
            "recall",
            "F1",
            "false positives",
            "false negatives",
            "victims blamed",
            "false accusations per 1,000 node-days (95 % bound)",
        ),
        [
            (
                row.detector,
                _number(row.precision),
                _number(row.recall),
                _number(row.f1),
                _percent(row.false_positives),
                _percent(row.false_negatives),
                f"{row.victims:,}",
                _rate(row.rate),
            )
            for row in rows
        ]
        + (others if published else []),
    )


def _when(about: str, rows: Sequence[Score], lateness: float) -> Table:
    return Table(
        f"When and what ({about})",
        (
            "detector",
            "delay p50, s",
            "delay p95, s",
            "p95 with lateness, s",
            "least factor found in 90 %",
            "cause right",
            "device right",
            "among the first three",
        ),
        [
            (
                row.detector,
                _seconds(row.delay_p50),
                _seconds(row.delay_p95),
                _late(row, lateness),
                "" if row.least is None else f"{row.least:.2f}",
                _percent(row.cause) if _names_causes(row) else "",
                _percent(row.device) if _names_causes(row) else "",
                _percent(row.top_three),
            )
            for row in rows
        ],
    )


def _names_causes(row: Score) -> bool:
    """Whether a contestant says more than a name: only our judge and its ablations do."""
    return row.detector == OURS or row.detector.startswith("without")


def _late(row: Score, lateness: float) -> str:
    if row.delay_p95 is None:
        return ""
    return f"{row.delay_p95.value + (lateness if _names_causes(row) else 0):.0f}"


def _number(value: Share | Estimate | None) -> str:
    return "" if value is None else f"{value.value:.3f} ({value.low:.3f} to {value.high:.3f})"


def _percent(value: Share | None) -> str:
    return "" if value is None else f"{value.value:.1%} ({value.low:.1%} to {value.high:.1%})".replace("%", " %")


def _seconds(value: Estimate | None) -> str:
    return "" if value is None else f"{value.value:.0f} ({value.low:.0f} to {value.high:.0f})"


def _rate(value: Rate | None) -> str:
    return "" if value is None else f"{value.value:.3g} (< {value.upper:.3g})"
