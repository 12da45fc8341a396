"""Who is told of what, and when: part of the section `page` of the configuration."""

from typing import Annotated

from msgspec import Meta, Struct

from detectors.verdict import Severity
from remediation.rail_policy import TimeOfWeek

Pattern = Annotated[str, Meta(min_length=1, max_length=253)]
Url = Annotated[str, Meta(pattern=r"^https?://[^\s@]+$", max_length=1000)]
Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


class Team(Struct, frozen=True, forbid_unknown_fields=True):
    """Whose a job or a node is. The first team that matches has it."""

    name: Annotated[str, Meta(min_length=1, max_length=63)]
    jobs: Annotated[list[Pattern], Meta(description="patterns such as vit-*")] = []
    nodes: Annotated[list[Pattern], Meta(description="patterns such as ip-10-0-*")] = []


class Route(Struct, frozen=True, forbid_unknown_fields=True):
    """Pages that match all that is named go to `channels`. What names nothing matches everything."""

    channels: Annotated[list[Name], Meta(description="names of page.channels; none: nobody is told")]
    severities: Annotated[list[Severity], Meta(description="critical, warning, info")] = []
    teams: Annotated[list[str], Meta(description="names of page.teams")] = []
    clusters: Annotated[list[Pattern], Meta(description="patterns")] = []
    jobs: Annotated[list[Pattern], Meta(description="patterns; pages that concern no job do not match")] = []
    hours: Annotated[list[TimeOfWeek], Meta(description="times of the week, in UTC")] = []
    further: Annotated[bool, Meta(description="also look at the routes after this one")] = False


class Quiet(Struct, frozen=True, forbid_unknown_fields=True):
    """Maintenance: what begins in these times is told at their end, if it stands then."""

    hours: Annotated[list[TimeOfWeek], Meta(min_length=1, description="times of the week, in UTC")]
    clusters: Annotated[list[Pattern], Meta(description="patterns")] = []
    jobs: Annotated[list[Pattern], Meta(description="patterns")] = []


class Storm(Struct, frozen=True, forbid_unknown_fields=True):
    """More pages about nodes than this become one."""

    nodes: Annotated[int, Meta(ge=1, le=10000, description="nodes of a cluster paged one by one")] = 5
    within: Annotated[float, Meta(ge=10, le=86400, description="seconds in which they are counted")] = 600.0


class Paging(Struct, frozen=True, forbid_unknown_fields=True):
    """What becomes a page, and whose. Times in seconds."""

    routes: Annotated[
        list[Route],
        Meta(description="the first that matches; where none does, every channel is told: nothing is lost"),
    ] = []
    teams: Annotated[list[Team], Meta(description="whose a job or a node is: the first that matches")] = []
    maintenance: Annotated[
        list[Quiet], Meta(description="what begins in these times is told at their end, if it stands then")
    ] = []
    gather: Annotated[
        float,
        Meta(ge=0, le=600, description="seconds that a new page waits, so that a storm shows and texts fill"),
    ] = 10.0
    storm: Storm = Storm()
    slow: Annotated[
        float,
        Meta(ge=0, le=86400, description="seconds that a job is slow with nobody accused until a page says so"),
    ] = 900.0
    silent: Annotated[
        float, Meta(ge=0, le=86400, description="seconds that a node sends nothing until a page says so")
    ] = 900.0
    blind: Annotated[
        float, Meta(ge=10, le=86400, description="seconds without telemetry, detector or bus until guard is blind")
    ] = 180.0
    trouble: Annotated[
        float, Meta(ge=10, le=86400, description="seconds that a channel fails until the others say so")
    ] = 300.0
    runbooks: Annotated[
        Url | None, Meta(description="where they are published: a page's link is this and /NAME.md")
    ] = None
