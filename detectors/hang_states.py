"""Where every rank of a job stands while no step ends."""

from dataclasses import dataclass

import numpy as np

from detectors.observed import NO_SECTION, Flags, Floats, Latest

_SETTLED = 0.5
"""Share of the time without a step that a rank must have been quiet for: one with newer events is at work."""

_AHEAD = 1.0
"""Seconds that a step may have ended after its record was made: more, and the clock was set in between."""

OLDEST = 1e9
"""Seconds, 30 years: a greater age is none."""

_COLLECTIVE = "collective"
_CHECKPOINT = "checkpoint"


@dataclass(frozen=True, slots=True)
class States:
    """Flags per node, or per node (axis 0) and local rank (axis 1).

    A rank is in at most one of the states `waiting`, `writing`, `elsewhere`, `moving` and `dead`; in none of them,
    it is not known how it stands.

    Attributes:
        idle: seconds since a rank anywhere finished a step.
        there: nodes whose newest record tells of now.
        gone: nodes of the job whose agents went quiet.
        ranks: ranks of the nodes that are there.
        waiting: in a collective, for long.
        writing: in a checkpoint, for long.
        elsewhere: in another section, for long.
        moving: in a section, with a newer event.
        dead: the process is gone.
    """

    idle: float
    there: Flags
    gone: Flags
    ranks: Flags
    waiting: Flags
    writing: Flags
    elsewhere: Flags
    moving: Flags
    dead: Flags

    @property
    def known(self) -> Flags:
        """Ranks whose section is known: waiting, writing, elsewhere or moving."""
        return self.waiting | self.writing | self.elsewhere | self.moving


def read_states(latest: Latest, active: Flags, *, now: float, fresh: float) -> States | None:
    """Sort the ranks by how they stand at `now` (Unix seconds).

    Records are held against most others' rather than against the clock: an agent that died, or whose clock is
    off by more than `fresh` seconds, tells of another time. Ages and pauses are differences of one node's own
    times, so that a clock that is merely wrong does not matter.

    Returns:
        None where no rank is known to have finished a step, or all records are old.
    """
    has_ranks = latest.rank >= 0
    stepped = has_ranks & ((latest.last_step >= 0) | (latest.current != NO_SECTION) | (latest.alive >= 0))
    member = by_node(stepped) & np.isfinite(latest.time)
    heard = member & active
    if not heard.any():
        return None
    usual = float(np.median(latest.time[heard]))
    if now - usual > fresh:
        return None
    there = heard & (np.abs(latest.time - usual) <= fresh)
    ranks = has_ranks & there[:, None]
    idle = _idle(latest, ranks, now)
    if idle is None:
        return None
    dead = ranks & (latest.alive == 0)
    known = ranks & ~dead & (latest.current != NO_SECTION) & (latest.age >= 0) & (latest.age < OLDEST)
    settled = known & (latest.age >= _SETTLED * idle)
    waiting = settled & (latest.current == _index(latest, _COLLECTIVE))
    writing = settled & (latest.current == _index(latest, _CHECKPOINT))
    return States(
        idle=idle,
        there=there,
        gone=member & ~there,
        ranks=ranks,
        waiting=waiting,
        writing=writing,
        elsewhere=settled & ~waiting & ~writing,
        moving=known & ~settled,
        dead=dead,
    )


def by_node(ranks: Flags) -> Flags:
    """Nodes with any of these ranks."""
    nodes: Flags = np.any(ranks, axis=1)
    return nodes


def _idle(latest: Latest, ranks: Flags, now: float) -> float | None:
    time = latest.time[:, None]
    with np.errstate(invalid="ignore", over="ignore"):
        pause: Floats = time - latest.last_end
        usable = ranks & np.isfinite(pause) & (pause >= -_AHEAD)
        pause = np.maximum(pause, 0) + np.maximum(now - time, 0)
    return float(pause[usable].min()) if usable.any() else None


def _index(latest: Latest, section: str) -> int:
    """The section's index; one that no rank can be in, where the job has no such section."""
    return latest.sections.index(section) if section in latest.sections else len(latest.sections)
