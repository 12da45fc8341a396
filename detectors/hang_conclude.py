"""What is said of a hang, and of a node that the others wait for."""

import math
from dataclasses import dataclass

from detectors.board import Conclusion
from detectors.verdict import Cause, Evidence, Role, Severity, Status

_CAUSES = {
    "compute": Cause.COMPUTE,
    "data": Cause.INPUT,
    "host": Cause.HOST,
    "checkpoint": Cause.STORAGE,
    "collective": Cause.NETWORK,
}

_SURE = 0.95
_SUSPECTED = 0.3


@dataclass(frozen=True, slots=True)
class Stuck:
    """A node that others may be waiting for.

    Attributes:
        slot: its row.
        ranks: global ranks that are stuck, ascending.
        section: that they are stuck in; None where not known.
        dead: whether their training processes are gone.
        age: seconds since the last event of any of them; NaN where not known.
        behind: their last finished step and that of the others, where they are behind.
    """

    slot: int
    ranks: tuple[int, ...]
    section: str | None = None
    dead: bool = False
    age: float = math.nan
    behind: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Hang:
    """A job in which no step ends.

    Attributes:
        since: when the last step ended, Unix seconds of event time.
        waited: seconds that the others have waited in a collective, their median; NaN where none does.
        culprits: slots of the nodes that the others wait for, ascending.
        suspects: slots of nodes that may be it, where the telemetry cannot tell.
        stuck: what is known of each of both.
        reason: what is seen, for people.
    """

    since: float
    waited: float
    culprits: tuple[int, ...]
    suspects: tuple[int, ...]
    stuck: tuple[Stuck, ...]
    reason: str

    def of(self, slot: int) -> Stuck:
        """What is known of a culprit or a suspect.

        Raises:
            KeyError: the slot is neither.
        """
        return {stuck.slot: stuck for stuck in self.stuck}[slot]


def conclude_hang(hang: Hang, slot: int) -> Conclusion:
    """What is concluded of one of the hang's culprits or suspects.

    A hang costs the whole step time, so a culprit's slowdown is 1. Scores are 0, as for a fault: there is no
    spread among peers to measure with. The device is for the caller to add, where the totals show one.

    Raises:
        KeyError: the slot is neither.
    """
    stuck = hang.of(slot)
    cause = Cause.UNKNOWN if stuck.dead else _CAUSES.get(stuck.section or "", Cause.UNKNOWN)
    evidence = _evidence(stuck, hang.waited)
    if slot not in hang.culprits:
        return Conclusion(Status.WATCH, Role.INCONCLUSIVE, cause, confidence=_SUSPECTED, evidence=evidence)
    return Conclusion(
        Status.STRAGGLER,
        Role.CULPRIT,
        cause,
        slowdown=1.0,
        severity=Severity.CRITICAL,
        confidence=_SURE,
        evidence=evidence,
    )


def _evidence(stuck: Stuck, waited: float) -> tuple[Evidence, ...]:
    """Why it is this node, the most telling first."""
    found = []
    if stuck.dead:
        found.append(Evidence("steps.alive", 0.0, 1.0, 0.0, 1))
    if stuck.behind is not None:
        own, others = stuck.behind
        found.append(Evidence("steps.last_step", float(own), float(others), 0.0, 1))
    if math.isfinite(stuck.age) or not found:
        # A node that is merely quiet has no age: what is known is that the others wait.
        age = stuck.age if math.isfinite(stuck.age) else 0.0
        typical = waited if math.isfinite(waited) else 0.0
        found.append(Evidence("steps.current_age", age, typical, 0.0, 1))
    return tuple(found)
