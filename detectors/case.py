"""From evidence that convicts to a conclusion about one node: its role, its trouble, and what it costs."""

from dataclasses import dataclass

import numpy as np

from detectors.board import Conclusion
from detectors.cause import cause_of_node
from detectors.cohorts import Cohorts
from detectors.instruments import Instruments
from detectors.observed import OWN, SECTIONS, Totals
from detectors.policy import Policy
from detectors.residuals import Residuals, Work
from detectors.spell import Spell
from detectors.together import Together
from detectors.verdict import Cause, Evidence, Role, Severity, Status

_COLLECTIVE = SECTIONS.index("collective")

_OTHER_DEVICES = 0.5
"""A device is named if no other one of the node exceeds its peers by more than so much of what the device does."""

_WAITS = 0.25
"""A node that waits longer than its peers, by so much of its own excess: its sections contradict each other."""

_UNDECIDED = 0.5
"""The most confidence in a suspect whom the telemetry cannot convict."""


@dataclass(frozen=True, slots=True)
class Case:
    """What a conclusion is drawn from.

    Attributes:
        found: the newest window's residuals.
        cohorts, work, totals: who was compared, and what.
        crowd: who slowed together.
        spell: figures of the whole spell of slowness.
        instruments: what hardware signals say.
        bar: log evidence that convicts.
        policy: thresholds.
    """

    found: Residuals
    cohorts: Cohorts
    work: Work
    totals: Totals
    crowd: Together
    spell: Spell
    instruments: Instruments
    bar: float
    policy: Policy


def conclude(case: Case, slot: int, *, slowdown: float | None, evidence: float, windows: int) -> Conclusion:
    """Say what a node is whose own work has stood out for long enough.

    Args:
        case: what is known.
        slot: the node.
        slowdown: share of the step time that would go if it were typical.
        evidence: log evidence against it.
        windows: how many windows that has gathered.
    """
    cause, pieces = _explain(case, slot, windows)
    device = _device(case, slot)
    confidence = _confidence(evidence / case.bar)
    slowdown = None if slowdown is None else round(slowdown, 4)
    role = _role(case, slot, slowdown)
    if role is Role.CULPRIT:
        return Conclusion(Status.STRAGGLER, role, cause, device, slowdown, Severity.WARNING, confidence, pieces)
    return Conclusion(
        Status.WATCH, role, cause, device, slowdown, Severity.INFO, min(_UNDECIDED, confidence), pieces
    )


def _role(case: Case, slot: int, slowdown: float | None) -> Role:
    if case.crowd.nodes[slot]:
        return Role.COMMON
    enough = int(case.cohorts.peers[slot]) >= case.policy.peers and not case.cohorts.widened[slot]
    if not enough or slowdown is None or slowdown < case.policy.slowdown:
        return Role.INCONCLUSIVE
    return Role.INCONCLUSIVE if _waits_longer(case, slot) else Role.CULPRIT


def _waits_longer(case: Case, slot: int) -> bool:
    mine, others = case.spell.sections(slot)
    own = case.spell.ratio(slot) - 1
    return bool(mine[_COLLECTIVE] - others[_COLLECTIVE] > _WAITS * own)


def _confidence(strength: float) -> float:
    """Grow with the evidence: 0.8 at the least that accuses, towards 0.99."""
    return round(min(0.99, 1 - 0.2 / max(1.0, strength)), 3)


def _explain(case: Case, slot: int, windows: int) -> tuple[Cause, tuple[Evidence, ...]]:
    """Name the cause; the evidence is own work, the section that takes most of the excess, and the signals."""
    score = float(case.found.log[slot] / case.found.scale[slot])
    typical = float(case.found.typical[slot])
    whole = Evidence(
        "steps.own", round(typical * case.spell.ratio(slot), 6), round(typical, 6), round(score, 2), windows
    )
    mine, others = case.spell.sections(slot)
    excess = {name: float(mine[index] - others[index]) for index, name in enumerate(OWN)}
    finding = cause_of_node(excess, case.instruments.against(slot))
    longest = max(excess, key=lambda name: excess[name])
    if not excess[longest] > 0:
        return finding.cause, (whole, *finding.support)
    index = SECTIONS.index(longest)
    section = Evidence(
        f"steps.{longest}",
        round(typical * float(mine[index]), 6),
        round(typical * float(others[index]), 6),
        round(score * min(1.0, excess[longest] / max(case.spell.ratio(slot) - 1, 1e-9)), 2),
        windows,
    )
    return finding.cause, (whole, section, *finding.support)


def _device(case: Case, slot: int) -> int | None:
    """The device at fault, if one alone exceeds what is typical."""
    devices = case.totals.device[slot]
    excess = case.spell.ranks(slot)[: len(devices)]
    known = np.unique(devices[devices >= 0])
    by_device = {int(device): float(excess[devices == device].max()) for device in known}
    if len(by_device) < 2:
        return None
    worst = max(by_device, key=lambda device: by_device[device])
    most = by_device.pop(worst)
    return worst if most > 0 and max(by_device.values()) < _OTHER_DEVICES * most else None
