"""What the detector saw of one node, window by window, while a job's telemetry is folded anew."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from msgspec import Struct

from detectors.observed import SECTIONS, Floats, Integers
from detectors.watch import Watched

_COLLECTIVE = SECTIONS.index("collective")

_EXTREME = 0.1
"""Share of the peers at either end that their spread leaves out, at least one of 4: a culprit is no spread."""


class Seen(Struct, frozen=True):
    """One judged window of the node. Times in Unix seconds, lengths in seconds per step; None: not known.

    Attributes:
        start, end: of the window.
        step_time: of the job.
        compared: whether the node's own work was compared with its peers'.
        peers, widened: how many there were, and whether nodes with other parts in the job were among them.
        own, typical, low, high: own work of its slowest rank; of its peers the median and, without the
            extremes, the least and most, corrected for work done.
        score: own over typical in robust standard deviations of the peers.
        healthy: own work up to which it counts as healthy.
        evidence, bar: log evidence against it, and how much convicts.
        large: whether the fast path counts the window.
        waits, others_wait: time in collectives, its own and its peers' median.
        sections, others: each section of its slowest rank, and the peers' median.
        crowd: nodes that slowed together with it, where that excuses it.
        role: what it was concluded to be.
        suspects: other nodes that were concluded to be at fault, at most five.
    """

    start: float
    end: float
    step_time: float | None
    compared: bool
    peers: int
    widened: bool
    own: float | None
    typical: float | None
    low: float | None
    high: float | None
    score: float | None
    healthy: float | None
    evidence: float
    bar: float
    large: bool
    waits: float | None
    others_wait: float | None
    sections: dict[str, float]
    others: dict[str, float]
    crowd: int
    role: str | None
    suspects: list[str]


@dataclass
class Witness:
    """Looks on for one node, see `detectors.watch`. Nothing learned from one attempt counts in the next.

    Attributes:
        node: whose windows are kept.
        attempt: of the job, the newest that was judged; None: nothing was judged.
        windows: of that attempt, in order.
        devices: of the newest window in which it was compared: times what is typical that each device does.
    """

    node: str
    attempt: int | None = None
    windows: list[Seen] = field(default_factory=list)
    devices: dict[int, float] = field(default_factory=dict)

    def __call__(self, watched: Watched) -> None:
        """Keep what concerns the node."""
        if watched.attempt != self.attempt:
            self.attempt = watched.attempt
            self.windows.clear()
            self.devices.clear()
        if self.node not in watched.names:
            return
        slot = watched.names.index(self.node)
        seen = _look(watched, slot)
        self.windows.append(seen)
        if seen.compared:
            self.devices = _devices(watched, slot)


def _look(watched: Watched, slot: int) -> Seen:
    reading, observed = watched.reading, watched.observed
    found, cohorts = reading.residuals, reading.cohorts
    log, typical = float(found.log[slot]), _known(found.typical[slot])
    compared = bool(np.isfinite(log))
    peers = np.flatnonzero((cohorts.number == cohorts.number[slot]) & (cohorts.number >= 0))
    peers = peers[peers != slot]
    low, high = _spread(found.log[peers], typical)
    mine, others = _sections(reading.work.sections, found.rank, slot, peers)
    said = reading.conclusions.get(slot)
    return Seen(
        start=observed.start,
        end=observed.end,
        step_time=reading.step_time,
        compared=compared,
        peers=int(cohorts.peers[slot]),
        widened=bool(cohorts.widened[slot]),
        own=_known(found.own[slot]),
        typical=typical,
        low=low,
        high=high,
        score=_known(log / found.scale[slot]) if compared else None,
        healthy=None if typical is None else _known(typical * np.exp(reading.margin[slot])),
        evidence=float(reading.evidence[slot]),
        bar=reading.bar,
        large=bool(reading.large[slot]),
        waits=mine.get("collective"),
        others_wait=others.get("collective"),
        sections=mine,
        others=others,
        crowd=int(np.count_nonzero(reading.together.nodes)) if reading.together.nodes[slot] else 0,
        role=said.role.value if said and said.role else None,
        suspects=_suspects(watched, slot),
    )


def _suspects(watched: Watched, slot: int) -> list[str]:
    """Names of others that are at fault, or may be, the strongest first."""
    conclusions = watched.reading.conclusions
    names = [watched.names[other] for other in conclusions if other != slot]
    return [name for name in names if name is not None][:5]


def _spread(logs: Floats, typical: float | None) -> tuple[float | None, float | None]:
    logs = logs[np.isfinite(logs)]
    if typical is None or not len(logs):
        return None, None
    logs = np.sort(logs)
    cut = max(1, int(_EXTREME * len(logs))) if len(logs) > 3 else 0
    low, high = typical * np.exp(logs[[cut, -1 - cut]])
    return float(low), float(high)


def _sections(
    sections: Floats, rank: Integers, slot: int, peers: Integers
) -> tuple[dict[str, float], dict[str, float]]:
    """Each section of the node's slowest rank, and the median of its peers' slowest ones."""
    mine = {name: sections[index, slot, rank[slot]] for index, name in enumerate(SECTIONS)}
    theirs = {name: sections[index, peers, rank[peers]] for index, name in enumerate(SECTIONS)}
    return _finite(mine), _finite({name: _median(values) for name, values in theirs.items()})


def _devices(watched: Watched, slot: int) -> dict[int, float]:
    """Of each device the most that one of its ranks does, as a multiple of what is typical."""
    devices, logs = watched.observed.totals.device[slot], watched.reading.residuals.beyond[slot]
    found: dict[int, float] = {}
    for device, log in zip(devices.tolist(), logs.tolist(), strict=True):
        if device >= 0 and np.isfinite(log):
            found[device] = max(found.get(device, 0.0), float(np.exp(log)))
    return found


def _median(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else float("nan")


def _finite(values: Mapping[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items() if np.isfinite(value)}


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
