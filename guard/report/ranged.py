"""A report over a time, and its JSON: `guard.report-range/1`. The types are the schema."""

from msgspec import Struct

from guard.report.between import Between
from guard.report.measures import Day, FleetMeasures, JobMeasures, Loss
from guard.report.stories import Incident


class Wait(Struct, frozen=True):
    """How long something took, over `count` incidents; seconds. None: it never happened."""

    count: int
    median: float | None
    longest: float | None


class Accusations(Struct, frozen=True, kw_only=True):
    """Accusations that began in the range.

    Attributes:
        withdrawn: taken back by the detector before anybody acted. `share`: of all; None where there was none.
        standing: not ended.
    """

    count: int
    withdrawn: int
    share: float | None
    standing: int


class IncidentsSummary(Struct, frozen=True, kw_only=True):
    """Incidents opened in the range; `open` are those not closed at its end. What is None is not known.

    Attributes:
        time_to_detect: never known: nobody tells when a fault began, only since when a verdict holds.
        out_of_service, resumed: from opening until the node was out, and until the job ran again without it.
    """

    opened: int
    open: int
    time_to_detect: None
    out_of_service: Wait
    resumed: Wait


class People(Struct, frozen=True, kw_only=True):
    """Orders of people that were accepted, and nodes held until one looks; `between` them in seconds."""

    orders: int
    held: int
    between: Between


class NodeMeasures(Struct, frozen=True, kw_only=True):
    """A node that was accused or had an incident in the range; `accused_seconds` within it."""

    cluster: str
    node: str
    instances: tuple[str, ...]
    accusations: int
    accused_seconds: float
    causes: tuple[str, ...]
    incidents: int
    stragglers: Loss


class Ranged(Struct, frozen=True, kw_only=True):
    """The report, and its JSON (`guard.report-range/1`). Times in Unix seconds, lengths in seconds.

    Attributes:
        about: `fleet`, `job`, `node` or `incidents`. `name`: of the job or node. `cluster`: if one was asked for.
        notices: what a reader must not miss.
        fleet: all jobs together; None where the report is about a node, or about incidents alone.
        people: None: no remediator has ever led, so nobody knows.
    """

    schema: str
    about: str
    name: str | None
    cluster: str | None
    since: float
    until: float
    time: float
    answer: str
    exit: int
    notices: tuple[str, ...]
    records: int
    unreadable: int
    fleet: FleetMeasures | None
    days: tuple[Day, ...]
    jobs: tuple[JobMeasures, ...]
    nodes: tuple[NodeMeasures, ...]
    accusations: Accusations
    incidents_summary: IncidentsSummary
    people: People | None
    incidents: tuple[Incident, ...]
