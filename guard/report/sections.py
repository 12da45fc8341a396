"""A report over a time as sentences and rows for people, the same in a terminal and on a page.

Nothing in them steers a terminal; a page escapes them once more.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from detectors.plain import harmless, lasting, moment, plain, seconds, share
from guard.report.between import Between
from guard.report.measures import JobMeasures, Loss
from guard.report.ranged import NodeMeasures, Ranged, Wait
from guard.report.stories import Incident

_SHOWN = 3
_JOBS = ("job", "nodes", "goodput", "step", "spread", "lost to stragglers", "MTTF", "restarts", "unknown")
_NODES = ("node", "instance", "accused", "for", "cause", "incidents", "cost")
_INCIDENTS = ("opened", "node", "job", "cause", "for", "what guard did", "people", "how it ended", "cost")


@dataclass(frozen=True, slots=True)
class Section:
    """A table; `left_out` rows are not in it."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left_out: int = 0


def title(report: Ranged) -> str:
    """What it is about."""
    return report.about if report.name is None else f"{report.about} {plain(report.name)}"


def figures(report: Ranged) -> Iterator[tuple[str, str]]:
    """The measures of all that was asked for, each with its name."""
    yield "time", f"{moment(report.since)} to {moment(report.until)} ({lasting(report.until - report.since)})"
    if report.about == "job" and len(report.jobs) == 1:
        one = report.jobs[0]
        yield "step time", f"{seconds(one.step_time)}, run-to-run spread {_spread(one)}"
    if report.fleet is not None and report.about != "incidents":
        fleet = report.fleet
        goodput = report.jobs[0].goodput if report.about == "job" and len(report.jobs) == 1 else fleet.goodput
        yield "goodput", f"{share(goodput)} of {_hours(fleet.node_hours)} node-hours of which something is known"
        yield "node-hours lost to stragglers", _lost(fleet.stragglers)
        yield "MTTF", apart(fleet.mttf, "failure")
        yield "restarts", f"{fleet.restarts}, {fleet.restarts_by_guard} of them by guard"
    people = report.people
    yield (
        "time between interventions",
        "not known: no remediator has led" if people is None else apart(people.between, "intervention"),
    )
    if people is not None:
        yield "interventions", f"{people.orders} orders, {people.held} nodes held for a person to look"
    accused = report.accusations
    back = f", {accused.withdrawn} withdrawn ({share(accused.share)})" if accused.count else ""
    yield "accusations", f"{accused.count}{back}, {accused.standing} standing"
    summary = report.incidents_summary
    yield "incidents", f"{summary.opened} opened, {summary.open} open at the end"
    yield "from fault to accusation", "not known: nobody tells when a fault began"
    yield "from accusation to out of service", _waited(summary.out_of_service)
    yield "from accusation to running again", _waited(summary.resumed)


def sections(report: Ranged, limit: int) -> Iterator[Section]:
    """The tables, with at most ``limit`` rows each."""
    if report.jobs:
        yield _section("jobs", _JOBS, [_job(one) for one in report.jobs[:limit]], len(report.jobs))
    if report.nodes and report.about != "incidents":
        yield _section("nodes", _NODES, [_node(one) for one in report.nodes[:limit]], len(report.nodes))
    if report.incidents:
        newest = report.incidents[-limit:]
        rows = [_incident(one, report.until) for one in newest]
        yield _section("incidents", _INCIDENTS, rows, len(report.incidents))


def _section(name: str, headings: tuple[str, ...], rows: list[tuple[str, ...]], of: int) -> Section:
    return Section(name, headings, tuple(rows), of - len(rows))


def apart(found: Between, event: str) -> str:
    """The mean time between events, with its interval; without an event never a number."""
    if found.mean is None or found.low is None or found.high is None:
        return f"no {event} in {lasting(found.observed)}"
    many = f"{found.events} {event}" + ("" if found.events == 1 else "s")
    return f"{lasting(found.mean)} ({lasting(found.low)} to {lasting(found.high)}): {many}"


def _hours(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _lost(loss: Loss) -> str:
    causes = ", ".join(f"{plain(cause)} {_hours(value)}" for cause, value in loss.by_cause.items())
    unknown = f"; unknown for {_hours(loss.unknown_node_hours)}" if loss.unknown_node_hours else ""
    return _hours(loss.node_hours) + (f" ({causes})" if causes else "") + unknown


def _spread(one: JobMeasures) -> str:
    return share(one.run_spread) + f" of {one.runs} run" + ("" if one.runs == 1 else "s")


def _waited(wait: Wait) -> str:
    if not wait.count:
        return "never"
    return f"{lasting(wait.median)} (median of {wait.count}), at most {lasting(wait.longest)}"


def _job(one: JobMeasures) -> tuple[str, ...]:
    return (
        plain(f"{one.cluster}/{one.job}"),
        str(one.nodes),
        share(one.goodput),
        seconds(one.step_time),
        _spread(one),
        f"{_hours(one.stragglers.node_hours)} h",
        apart(one.mttf, "failure"),
        f"{one.restarts} ({one.restarts_by_guard} by guard)",
        lasting(one.seconds.unknown),
    )


def _node(one: NodeMeasures) -> tuple[str, ...]:
    return (
        plain(one.node),
        _some(one.instances),
        "once" if one.accusations == 1 else f"{one.accusations} times",
        lasting(one.accused_seconds),
        _some(one.causes),
        str(one.incidents),
        _lost(one.stragglers),
    )


def _some(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(plain(name) for name in names[:_SHOWN]) + more


def _incident(one: Incident, until: float) -> tuple[str, ...]:
    acts = [f"{deed.act} {deed.result or 'not ended'}" for deed in one.acts]
    acts += [f"refused by {plain(rail)}" for rail in one.denied]
    people = ", ".join(f"{plain(doing.by)}: {plain(doing.what)}" for doing in one.people)
    still = ", open" if one.closed is None else ""
    ended = f"{one.state}: {harmless(one.ending[:500])}" if one.ending else one.state
    return (
        moment(one.opened),
        f"{plain(one.node)} ({plain(one.instance)})",
        plain(one.job) if one.job else "-",
        f"{plain(one.cause)}, {plain(one.severity)}",
        lasting((until if one.closed is None else one.closed) - one.opened) + still,
        ", ".join(acts) or "nothing",
        people or "nobody",
        ended,
        "-" if one.node_hours is None else f"{_hours(one.node_hours)} h",
    )
