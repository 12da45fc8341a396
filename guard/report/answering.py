"""Answering a question over a time: of the fleet, a job, a node, or of incidents. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from guard.report.accusations import Accusation, accusations, withdrawn
from guard.report.between import between
from guard.report.course import Course, Range
from guard.report.history import History
from guard.report.measures import fleet, fleet_days, loss, measured
from guard.report.range_document import SCHEMA
from guard.report.ranged import Accusations, IncidentsSummary, NodeMeasures, People, Ranged, Wait
from guard.report.stories import Incident, Intervention, NotToldError

_WORTH_SAYING = 0.01
"""Share of a job's time that nobody spoke of from which on a reader is told."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: `about` one of fleet, job, node and incidents, and the `name` of a job or node."""

    about: str
    name: str | None
    now: float


def answer(told: History, asked: Question) -> Ranged:
    """The report.

    Raises:
        NotToldError: the range holds no word about what is asked.
    """
    span = told.wanted.span
    node = asked.name if asked.about == "node" else None
    courses = told.courses if asked.about in ("fleet", "job") else ()
    accused = tuple(one for one in accusations(told.verdicts) if _concerns(one, asked) and _touches(one, span))
    incidents = tuple(_priced(one, told) for one in told.chronicle.incidents if _asked_for(one, asked, span))
    people = tuple(one for one in told.chronicle.interventions if _by_people(one, asked, incidents, span))
    spoken = node is not None and bool((told.verdicts["node"] == node).any())
    told_of = any(one.whole.sums.known or one.whole.sums.running for one in courses)
    _require_something(told, asked, known=told_of or bool(accused or incidents or spoken))
    return Ranged(
        schema=SCHEMA,
        about=asked.about,
        name=asked.name,
        cluster=told.wanted.cluster,
        since=span.since,
        until=span.until,
        time=asked.now,
        answer="answered",
        exit=0,
        notices=_notices(told, courses),
        records=told.read.records,
        unreadable=told.read.unreadable,
        fleet=fleet(courses, told.costs) if courses else None,
        days=fleet_days(courses),
        jobs=tuple(measured(one, told.costs) for one in courses),
        nodes=_nodes(told, accused, incidents),
        accusations=_summed(tuple(one for one in accused if span.holds(one.began)), incidents),
        incidents_summary=_summary(incidents, span),
        people=_people(people, span) if told.chronicle.led else None,
        incidents=incidents,
    )


def _require_something(told: History, asked: Question, *, known: bool) -> None:
    if known or (asked.about == "incidents" and told.chronicle.led):
        return
    if asked.about == "incidents":
        raise NotToldError(
            "no remediator has ever led on this bus, and incidents are what it opens: start guard remediate "
            "(it only observes until it is told to act), or ask guard report fleet --since"
        )
    what = "the fleet" if asked.name is None else f"{asked.about} {asked.name}"
    raise NotToldError(
        f"nothing is known of {what} in that time: no detector spoke of it. Verdicts are kept for 90 days; see "
        "guard tail verdicts, and guard report fleet for what is there now"
    )


def _concerns(one: Accusation, asked: Question) -> bool:
    if asked.about == "node":
        return one.node == asked.name
    return asked.about != "job" or one.job == asked.name


def _touches(one: Accusation, span: Range) -> bool:
    return one.began < span.until and (one.ended is None or one.ended > span.since)


def _asked_for(one: Incident, asked: Question, span: Range) -> bool:
    if not one.within(span.since, span.until):
        return False
    return {"node": one.node == asked.name, "job": one.job == asked.name}.get(asked.about, True)


def _by_people(one: Intervention, asked: Question, incidents: Sequence[Incident], span: Range) -> bool:
    if not span.holds(one.time):
        return False
    of = {(incident.cluster, incident.id) for incident in incidents}
    return asked.about in ("fleet", "incidents") or (one.cluster, one.incident) in of


def _priced(one: Incident, told: History) -> Incident:
    """The incident with what its node cost from its onset to its end, as far as that lies in the range."""
    until = told.wanted.span.until if one.closed is None else one.closed
    cost = told.costs.of(cluster=one.cluster, node=one.node).during(one.since, until)
    known = None if cost.unknown or not len(cost.rows) else cost.lost + cost.hung
    return msgspec.structs.replace(one, node_hours=known)


def _nodes(
    told: History, accused: Sequence[Accusation], incidents: Sequence[Incident]
) -> tuple[NodeMeasures, ...]:
    span = told.wanted.span
    both: tuple[Accusation | Incident, ...] = (*accused, *incidents)
    names = dict.fromkeys((one.cluster, one.node) for one in both)
    found = []
    for cluster, node in names:
        of = [one for one in accused if (one.cluster, one.node) == (cluster, node)]
        about = [one for one in incidents if (one.cluster, one.node) == (cluster, node)]
        told_of: tuple[Accusation | Incident, ...] = (*of, *about)
        ends = [min(span.until if one.ended is None else one.ended, span.until) for one in of]
        found.append(
            NodeMeasures(
                cluster=cluster,
                node=node,
                instances=tuple(dict.fromkeys(one.instance for one in told_of)),
                accusations=sum(span.holds(one.began) for one in of),
                accused_seconds=sum(end - max(one.began, span.since) for one, end in zip(of, ends, strict=True)),
                causes=tuple(dict.fromkeys(one.cause for one in told_of)),
                incidents=len(about),
                stragglers=loss(told.costs.of(cluster=cluster, node=node)),
            )
        )
    return tuple(sorted(found, key=lambda one: (-one.stragglers.node_hours, one.cluster, one.node)))


def _summed(accused: tuple[Accusation, ...], incidents: Sequence[Incident]) -> Accusations:
    def taken(one: Accusation) -> bool:
        ended = np.inf if one.ended is None else one.ended
        return any(
            (incident.cluster, incident.node) == (one.cluster, one.node)
            and incident.out is not None
            and incident.out <= ended
            and (incident.closed is None or incident.closed >= one.began)
            for incident in incidents
        )

    back = withdrawn(accused, taken)
    return Accusations(
        count=len(accused),
        withdrawn=back,
        share=back / len(accused) if accused else None,
        standing=sum(one.ended is None for one in accused),
    )


def _summary(incidents: Sequence[Incident], span: Range) -> IncidentsSummary:
    opened = [one for one in incidents if span.holds(one.opened)]
    return IncidentsSummary(
        opened=len(opened),
        open=sum(one.closed is None or one.closed >= span.until for one in incidents),
        time_to_detect=None,
        out_of_service=_wait([one.out - one.opened for one in opened if one.out is not None]),
        resumed=_wait([one.resumed - one.opened for one in opened if one.resumed is not None]),
    )


def _wait(lengths: Sequence[float]) -> Wait:
    if not lengths:
        return Wait(0, None, None)
    return Wait(len(lengths), float(np.median(lengths)), float(max(lengths)))


def _people(people: Sequence[Intervention], span: Range) -> People:
    held = sum(one.what == "held" for one in people)
    return People(orders=len(people) - held, held=held, between=between(len(people), span.seconds))


def _notices(told: History, courses: Sequence[Course]) -> tuple[str, ...]:
    found = []
    quiet = [sums for sums in (one.whole.sums for one in courses) if sums.unknown > _WORTH_SAYING * sums.known]
    if quiet:
        hours = sum(sums.unknown for sums in quiet) / 3600
        found.append(f"nobody spoke of {len(quiet)} of {len(courses)} jobs for {hours:.3g} h in all: left out")
    if told.costs.unknown:
        found.append(f"of {told.costs.unknown:.3g} node-hours with a straggler it is not known what it cost")
    unknown = sum(one.lost_unknown for one in courses)
    if unknown:
        found.append(f"of {unknown} restarts nobody tells how much work was lost: goodput takes it for none")
    if not told.chronicle.led:
        found.append("no remediator has led: incidents, restarts by guard and interventions are not known")
    if told.read.unreadable:
        found.append(f"{told.read.unreadable} records could not be read, the first: {told.read.problem}")
    return tuple(found)
