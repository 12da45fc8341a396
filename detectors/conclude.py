"""From a comparison that has held to a conclusion about one node."""

import math

import numpy as np

from detectors.board import Conclusion
from detectors.observed import OWN, Totals
from detectors.peers import Comparison, score_among
from detectors.policy import Policy
from detectors.verdict import Cause, Evidence, Role, Severity, Status

_CAUSES = {"compute": Cause.COMPUTE, "data": Cause.INPUT, "host": Cause.HOST}

_DEVICE_APART = 1.2
"""A device is named if its slowest rank takes so much longer than the median of the node's other devices."""

_UNDECIDED = 0.5
"""The most confidence in a suspect whom the telemetry cannot convict."""


def conclude(
    slot: int,
    comparison: Comparison,
    totals: Totals,
    *,
    windows: int,
    step_time: float | None,
    policy: Policy,
) -> Conclusion:
    """Say what a node is whose own work has stood out for long enough.

    Args:
        slot: the node.
        comparison: the newest window's.
        totals: what was compared.
        windows: how many windows the deviation has held.
        step_time: the job's present step time in seconds, None if not known.
        policy: thresholds.
    """
    cause, evidence = _explain(slot, comparison, windows, policy)
    score = float(comparison.score[slot])
    confidence = _confidence(score, windows, policy)
    device = _device(slot, comparison, totals)
    slowdown = None
    if step_time:
        slowdown = round(min(1.0, float(comparison.recovered[slot]) / step_time), 4)
    enough = int(comparison.peers[slot]) >= policy.peers
    if comparison.common[slot]:
        role = Role.COMMON
    elif enough and slowdown is not None and slowdown >= policy.slowdown:
        return Conclusion(
            Status.STRAGGLER,
            Role.CULPRIT,
            cause,
            device,
            slowdown,
            Severity.WARNING,
            confidence,
            evidence,
        )
    else:
        role = Role.INCONCLUSIVE
    return Conclusion(
        Status.WATCH,
        role,
        cause,
        device,
        slowdown,
        Severity.INFO,
        min(_UNDECIDED, confidence),
        evidence,
    )


def _confidence(score: float, windows: int, policy: Policy) -> float:
    """Grow with the score and the windows it has held: 0.8 at the least that accuses, towards 0.99."""
    strength = max(0.0, score) / policy.fast.score * windows / policy.fast.held
    return round(min(0.99, 1 - 0.2 / max(1.0, strength)), 3)


def _explain(
    slot: int, comparison: Comparison, windows: int, policy: Policy
) -> tuple[Cause, tuple[Evidence, ...]]:
    """Name the section that takes most of the excess; the evidence is own work, then that section."""
    rank = int(comparison.rank[slot])
    members = comparison.group == comparison.group[slot]
    chosen, excess = None, 0.0
    for index, name in enumerate(OWN):
        mine = float(comparison.sections[index, slot, rank])
        values = comparison.sections[index, np.flatnonzero(members), comparison.rank[members]]
        others = values[~np.isnan(values)]
        if math.isnan(mine) or not len(others):
            continue
        if mine - float(np.median(others)) > excess:
            chosen, excess = index, mine - float(np.median(others))
            typical = float(np.median(others))
            column = np.where(
                members, comparison.sections[index, np.arange(len(members)), comparison.rank], np.nan
            )
            score = float(score_among(np.maximum(column, 1e-6), policy)[slot])
            section = Evidence(f"steps.{name}", round(mine, 6), round(typical, 6), round(score, 2), windows)
    own, ratio = float(comparison.own[slot]), float(comparison.ratio[slot])
    whole = Evidence(
        "steps.own", round(own, 6), round(own / ratio, 6), round(float(comparison.score[slot]), 2), windows
    )
    if chosen is None:
        return Cause.UNKNOWN, (whole,)
    strongest = sorted((whole, section), key=lambda piece: -piece.score)
    return _CAUSES[OWN[chosen]], tuple(strongest)


def _device(slot: int, comparison: Comparison, totals: Totals) -> int | None:
    """The device of the slowest rank, if it stands out from the node's other devices of the same group."""
    own = np.nansum(comparison.sections[:, slot], axis=0)
    device, mine = totals.device[slot], totals.stage[slot] == comparison.group[slot]
    suspect = int(device[comparison.rank[slot]])
    if suspect < 0:
        return None
    slowest = {
        int(other): float(own[mine & (device == other)].max()) for other in np.unique(device[mine]) if other >= 0
    }
    worst = slowest.pop(suspect)
    if not slowest or worst <= _DEVICE_APART * float(np.median(list(slowest.values()))):
        return None
    return suspect
