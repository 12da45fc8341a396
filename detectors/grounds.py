"""What a window showed that bears on why nobody of a slow job is accused."""

from dataclasses import replace

import numpy as np

from detectors.judge import Reading
from detectors.members import Members
from detectors.observed import Flags, Integers, Latest
from detectors.skew import clock_skew
from detectors.standing import Grounds
from detectors.window import Window

_ADRIFT = 2.0
"""Seconds by which the clock of a node that did other steps than the rest must be off to be the reason."""


def grounds_of(
    reading: Reading, window: Window, members: Members, *, apart: Integers, start: float, peers: int
) -> Grounds:
    """Sum up a window.

    Args:
        reading: what it came to.
        window: it.
        members: the nodes.
        apart: slots that were not compared, as they did other steps; none where nobody asks why.
        start: when the window began, Unix seconds.
        peers: how many an accusation needs.
    """
    slots = len(reading.evidence)
    few = [int(size) for size in (reading.cohorts.peers[slot] for slot in reading.conclusions) if size < peers]
    most = int(reading.evidence.argmax()) if slots else 0
    suspect = members.at(most) if slots and reading.evidence[most] > 0 else None
    return Grounds(
        common=_crowd(reading, window),
        storage=reading.storage,
        peers=min(few, default=None),
        network=reading.network,
        suspect=(suspect.node, float(reading.evidence[most]) / reading.bar) if suspect else None,
        adrift=_adrift(_heard(window.latest(slots), start), members, apart, reading.step_time)
        if len(apart)
        else None,
    )


def _crowd(reading: Reading, window: Window) -> str | None:
    """Name the fault domains that slowed, but not those inside another one: a rack, not its UltraServers too."""
    found: list[tuple[str, Flags]] = []
    for label, number in reading.together.domains:
        numbers = window.domains(len(reading.evidence))[label]
        found.append((f"the nodes of {label} {window.domain_name(label, number)}", numbers == number))
    found.sort(key=lambda one: -int(one[1].sum()))
    named: list[tuple[str, Flags]] = []
    for name, nodes in found:
        if not any((wider | ~nodes).all() for _, wider in named):
            named.append((name, nodes))
    return " and ".join(name for name, _ in named) or None


def _heard(latest: Latest, start: float) -> Latest:
    """Without the ends of steps that nodes told of before the window."""
    return replace(latest, last_end=np.where((latest.time > start)[:, None], latest.last_end, np.nan))


def _adrift(
    latest: Latest, members: Members, apart: Integers, step_time: float | None
) -> tuple[str, float] | None:
    """The node of those not compared whose clock is off most, and by how many seconds."""
    skew = np.nan_to_num(clock_skew(latest, step_time)[apart])
    most = int(np.abs(skew).argmax())
    member = members.at(int(apart[most]))
    if member is None or abs(skew[most]) < _ADRIFT:
        return None
    return member.node, float(skew[most])
