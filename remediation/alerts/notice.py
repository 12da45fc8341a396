"""What a channel is to tell: one state of one page, ``guard.page/1``.

A page is one incident for people, from its trigger through its updates to its resolve, under one key. All text in
a notice is printable and bounded already (`detectors.plain`); a channel escapes it for its own format.
"""

from enum import StrEnum

from msgspec import Struct

from detectors.verdict import Severity

SCHEMA = "guard.page/1"


class Kind(StrEnum):
    """What the notice does to its page."""

    TRIGGER = "trigger"
    UPDATE = "update"
    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"


class About(StrEnum):
    """What a page is about. Fixed from its trigger on; each is also the name of a runbook."""

    STRAGGLER = "straggler"
    """A node slows its job."""
    FAULT = "fault"
    """A node reported a hard error."""
    HUNG = "hung"
    """A job stands still, and nobody can be named."""
    SLOW = "slow"
    """A job is slow, and nobody can be named."""
    STORM = "storm"
    """Too many nodes at once."""
    SILENT = "silent"
    """Nodes send no telemetry."""
    BLIND = "blind"
    """guard does not see: the cluster, the telemetry, the detector or the bus is away."""
    HALTED = "halted"
    """A job that guard stopped stands still."""
    LEFTOVER = "leftover"
    """A cordon of ours that belongs to no open incident."""
    CHANNEL = "channel"
    """A channel of the pager does not take what it is sent."""
    TEST = "test"
    """`guard page test`."""


class Detail(Struct, frozen=True):
    """One line of the page: what it tells of, and the words."""

    name: str
    text: str


class Notice(Struct, frozen=True, kw_only=True):
    """One state of one page. Times are Unix seconds.

    Attributes:
        id: of this notice, a hash of page and number: the same notice sent twice has one id.
        page: the deduplication key: at most 64 of ``[a-z0-9-]``, the same from trigger to resolve.
        number: 1 for the trigger, growing within the page.
        first_severity: that of the trigger, which never changes; `severity` is that of now.
        time: when this state came about. `since`: when the trouble began.
        summary: what and where, in at most 200 characters.
        details: the rest, in the order of reading: where, since, cost, evidence, what guard did or would do.
        approve: the command that lets guard go on, where it waits for that.
        look: the command that shows more.
        runbook: the name of the runbook for this state (`guard runbook NAME`).
        runbook_url: where the same can be read, if the configuration says.
        incident: of the ledger.
    """

    schema: str = SCHEMA
    id: str
    page: str
    number: int
    kind: Kind
    about: About
    cluster: str
    node: str | None = None
    instance: str | None = None
    job: str | None = None
    team: str | None = None
    severity: Severity
    first_severity: Severity
    time: float
    since: float
    summary: str
    details: tuple[Detail, ...] = ()
    approve: str | None = None
    look: str | None = None
    runbook: str
    runbook_url: str | None = None
    incident: str | None = None
