"""What a report over time tells of single happenings. Times are Unix seconds; None: not known, or not yet."""

import msgspec
from msgspec import Struct


class NotToldError(Exception):
    """A question about a time that cannot be answered. The text says why, and what to do."""


class Deed(Struct, frozen=True):
    """An act of guard, and how it ended; `result` None: it is under way, or nobody told."""

    time: float
    act: str
    subject: str
    result: str | None
    ended: float | None
    approved_by: str | None

    def ended_with(self, result: str, time: float) -> "Deed":
        """The same, with its end."""
        return msgspec.structs.replace(self, result=result, ended=time)


class Doing(Struct, frozen=True):
    """An order of a person that was accepted."""

    time: float
    what: str
    by: str


class Incident(Struct, frozen=True, kw_only=True):
    """One machine's trouble.

    Attributes:
        since: since when it holds, as the verdict dates it. `opened`: when the remediator heard of it.
        closed: when the node was healthy or gone.
        state: of the node now, or at the end. `ending`: why it came there.
        out: when it was first out of service. `resumed`: when the job was seen to run again without it.
        denied: rails that refused an act.
        node_hours: what its slowing cost within the range; None where that is not known.
    """

    id: str
    cluster: str
    node: str
    instance: str
    job: str | None
    cause: str
    severity: str
    slowdown: float | None
    since: float
    opened: float
    closed: float | None
    state: str
    ending: str
    out: float | None
    resumed: float | None
    acts: tuple[Deed, ...]
    denied: tuple[str, ...]
    people: tuple[Doing, ...]
    node_hours: float | None = None

    def within(self, since: float, until: float) -> bool:
        """Whether any of it falls into a range."""
        return self.opened < until and (self.closed is None or self.closed >= since)

    @property
    def withdrawn(self) -> bool:
        """The detector took the accusation back before the node was out of service."""
        return self.closed is not None and self.out is None and self.state == "healthy" and not self.people


class Restart(Struct, frozen=True, kw_only=True):
    """A restart of a job by guard.

    Attributes:
        asked: when guard decided it. `took`: when it was done, as the ledger tells; None: it was not.
        lost_work: seconds of work since the checkpoint, as weighed before. `step_time`: by which they were made.
        stood_still: the job hung or its node was broken: it made no steps that were worth anything.
    """

    cluster: str
    job: str
    incident: str | None
    asked: float
    took: float | None
    lost_work: float | None
    step_time: float | None
    stood_still: bool


class Intervention(Struct, frozen=True):
    """A person ordered something (`what`, `by`), or a node was `held` until a person looks at it."""

    time: float
    cluster: str
    what: str
    by: str
    subject: str
    incident: str | None


class Failure(Struct, frozen=True):
    """A job stopped making steps, and nobody asked for it: it `hung`, was `restarted`, or a `fault` broke it."""

    time: float
    kind: str
