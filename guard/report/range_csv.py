"""A report over a time as one flat table (RFC 4180): a row for each job, node or incident.

Names come from whoever may write to the bus, and spreadsheets run what looks like a formula: such a cell gets an
apostrophe before it. Numbers are ours, and stay numbers. An empty cell is not known. Times are Unix seconds.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from io import StringIO

from detectors.plain import plain
from guard.report.measures import JobMeasures
from guard.report.ranged import NodeMeasures, Ranged
from guard.report.stories import Incident

_FORMULA = tuple("=+-@\t\r\n＝＋－＠")  # noqa: RUF001  (the wide forms are formulas to some spreadsheets, too)

Value = str | float | int | None

JOBS = (
    "cluster", "job", "nodes", "running_seconds", "hung_seconds", "starting_seconds", "between_seconds",
    "unknown_seconds", "pace_unknown_seconds", "step_time", "runs", "run_spread", "goodput", "useful_seconds",
    "lost_work_seconds", "lost_work_unknown", "node_hours", "straggler_node_hours", "straggler_unknown_node_hours",
    "failures", "mttf_seconds", "mttf_low_seconds", "mttf_high_seconds", "restarts", "restarts_by_guard",
)  # fmt: skip
NODES = (
    "cluster", "node", "instances", "accusations", "accused_seconds", "causes", "incidents",
    "straggler_node_hours", "straggler_unknown_node_hours",
)  # fmt: skip
INCIDENTS = (
    "cluster", "incident", "node", "instance", "job", "cause", "severity", "slowdown", "since", "opened", "closed",
    "out_of_service", "resumed", "state", "ending", "acts", "denied_by", "people", "node_hours",
)  # fmt: skip


def range_csv(report: Ranged) -> str:
    """Write the table that fits the question: incidents; the node; else jobs."""
    columns: tuple[str, ...]
    rows: Iterable[Mapping[str, Value]]
    if report.about == "incidents":
        columns, rows = INCIDENTS, map(_incident, report.incidents)
    elif report.about == "node":
        columns, rows = NODES, map(_node, report.nodes)
    else:
        columns, rows = JOBS, map(_job, report.jobs)
    text = StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([inert(row[column]) for column in columns] for row in rows)
    return text.getvalue()


def inert(value: Value) -> str | float | int:
    """A cell that neither a spreadsheet nor a terminal acts on."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return value
    text = plain(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _together(parts: Iterator[str]) -> str:
    return "; ".join(parts)


def _job(one: JobMeasures) -> dict[str, Value]:
    return {
        "cluster": one.cluster,
        "job": one.job,
        "nodes": one.nodes,
        "running_seconds": one.seconds.running,
        "hung_seconds": one.seconds.hung,
        "starting_seconds": one.seconds.starting,
        "between_seconds": one.seconds.between,
        "unknown_seconds": one.seconds.unknown,
        "pace_unknown_seconds": one.seconds.pace_unknown,
        "step_time": one.step_time,
        "runs": one.runs,
        "run_spread": one.run_spread,
        "goodput": one.goodput,
        "useful_seconds": one.useful,
        "lost_work_seconds": one.lost_work,
        "lost_work_unknown": one.lost_work_unknown,
        "node_hours": one.node_hours,
        "straggler_node_hours": one.stragglers.node_hours,
        "straggler_unknown_node_hours": one.stragglers.unknown_node_hours,
        "failures": one.failures,
        "mttf_seconds": one.mttf.mean,
        "mttf_low_seconds": one.mttf.low,
        "mttf_high_seconds": one.mttf.high,
        "restarts": one.restarts,
        "restarts_by_guard": one.restarts_by_guard,
    }


def _node(one: NodeMeasures) -> dict[str, Value]:
    return {
        "cluster": one.cluster,
        "node": one.node,
        "instances": _together(map(plain, one.instances)),
        "accusations": one.accusations,
        "accused_seconds": one.accused_seconds,
        "causes": _together(map(plain, one.causes)),
        "incidents": one.incidents,
        "straggler_node_hours": one.stragglers.node_hours,
        "straggler_unknown_node_hours": one.stragglers.unknown_node_hours,
    }


def _incident(one: Incident) -> dict[str, Value]:
    return {
        "cluster": one.cluster,
        "incident": one.id,
        "node": one.node,
        "instance": one.instance,
        "job": one.job,
        "cause": one.cause,
        "severity": one.severity,
        "slowdown": one.slowdown,
        "since": one.since,
        "opened": one.opened,
        "closed": one.closed,
        "out_of_service": one.out,
        "resumed": one.resumed,
        "state": one.state,
        "ending": one.ending,
        "acts": _together(f"{deed.act} {plain(deed.subject)}: {deed.result or 'not ended'}" for deed in one.acts),
        "denied_by": _together(map(plain, one.denied)),
        "people": _together(f"{plain(doing.by)}: {plain(doing.what)}" for doing in one.people),
        "node_hours": one.node_hours,
    }
