"""Since when a job runs at its present pace: change points of the step time.

Of the present segment (the windows since the last change) every split into before and after is weighed by its
log-likelihood ratio: how much better two levels describe the segment than one. The best split is a change if that
ratio exceeds a limit that noise does not reach in 10,000 windows, and its place dates the change. What keeps it
honest (measured in tests):

- log step times are clipped around the segment's median by its robust scale, so that a checkpoint or a collection
  weighs no more than any other slow window, and tails of any weight have a variance;
- the level after must have held for some windows: a one-off never makes a change;
- windows that follow each other resemble each other, and the ratio is reduced for that;
- a change below 2 % is not worth a date, however sure.

Time and memory are bounded: old windows of a segment are merged in pairs, so that a segment of any length has at
most 128 entries, the newest of one window each, and a slow decay is still seen against its beginning.
"""

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from detectors.observed import Floats

_ENTRIES = 128
"""Entries of a segment; beyond, the older half is merged in pairs."""

_LEAST = 5
"""Windows on both sides of a change: two and a half minutes at the default."""

_LIMIT = 22.0
"""Log-likelihood ratio of a change: 6.6 standard deviations of normal noise."""

_EFFECT = 0.02
"""Least change of the log step time."""

_CLIP = 4.0
"""Scales around the median beyond which a window counts as far as at the limit."""

_FLOOR = 0.002
"""Least scale of the log step time: below is the resolution of clocks."""

_ALIKE = 0.9
"""Most that neighbours are taken to resemble each other: beyond, noise could excuse anything."""

_FASTER = 2
"""Faster windows in a row that end a slow time."""

_QUANTILE, _NORMAL = 0.85, 1.4395
"""Of the differences between neighbours, and where it lies for normal ones, in standard deviations."""

_SEGMENTS = 17
"""Segments kept, which is 16 changes."""


class Segment(msgspec.Struct, frozen=True, array_like=True):
    """A time at one pace.

    Attributes:
        since: Unix seconds at which its first window began.
        level: step time in seconds, the median of its windows.
        well: the same of its windows in which no node stood out; None without any.
        windows: how many it has.
        nodes: how many nodes the job had at its end.
    """

    since: float
    level: float
    well: float | None
    windows: int
    nodes: int


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One window, or several that were merged.

    Attributes:
        since: Unix seconds at which it began.
        pace: mean log step time.
        windows: how many.
        well: in how many of them no node stood out.
        nodes: how many nodes the job had.
    """

    since: float
    pace: float
    windows: int
    well: int
    nodes: int


class ChangesState(msgspec.Struct):
    """What a snapshot holds of it."""

    entries: list[Entry]
    past: list[Segment]
    limits: tuple[float, float] | None


class Changes:
    """The segments of one job's step time."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._past: list[Segment] = []
        self._limits: tuple[float, float] | None = None

    def note(self, step_time: float, time: float, *, healthy: bool = True, nodes: int = 0) -> bool:
        """Take in one window.

        Args:
            step_time: its median step time in seconds. Not finite or not above zero: not known, and left out.
            time: when it began, Unix seconds.
            healthy: whether no node stood out.
            nodes: how many nodes the job has.

        Returns:
            Whether a change was found. It began before this window: see `segments`.
        """
        if not (math.isfinite(step_time) and step_time > 0):
            return False
        self._entries.append(Entry(time, math.log(step_time), 1, int(healthy), nodes))
        first = _split(self._entries, self._limits)
        if first is not None:
            self._past = _newest([*self._past, _segment(self._entries[:first])])
            self._entries = self._entries[first:]
            self._limits = None
        elif len(self._entries) > _ENTRIES:
            # One clip for the whole segment from here on: means of pairs clipped otherwise are another level.
            self._limits = self._limits or _clip(self._entries)
            self._entries = _merged(self._entries, self._limits)
        return first is not None

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Oldest first; the last is the present one. Empty before the first window.

        Of more than 17 the newest are there, and the fastest one, which is what a slow decay is held against.
        """
        return (*self._past, _segment(self._entries)) if self._entries else ()

    @property
    def noise(self) -> float:
        """Standard deviation of the log step time from one window to the next: a change of level hardly counts.

        From a high quantile, as in a job whose steps are of two lengths most neighbours may be equal.
        """
        pace = np.array([entry.pace for entry in self._entries[-_ENTRIES // 2 :]])
        if len(pace) < 2:
            return _FLOOR
        apart = float(np.quantile(np.abs(np.diff(pace)), _QUANTILE))
        return max(apart / (_NORMAL * math.sqrt(2)), _FLOOR)

    def above(self, level: float) -> float | None:
        """When the windows that are slower than a level began, of those that lead up to now.

        Args:
            level: step time in seconds.

        Returns:
            Unix seconds; a single faster window between slower ones does not count. None: the newest two are not.
        """
        since, faster = None, 0
        for entry in reversed(self._entries):
            if entry.pace > math.log(level):
                since, faster = entry.since, 0
                continue
            faster += 1
            if faster == _FASTER:
                break
        return since

    def freeze(self) -> ChangesState:
        """All of it."""
        return ChangesState(list(self._entries), list(self._past), self._limits)

    def restore(self, state: ChangesState) -> None:
        """Go on from there."""
        self._entries, self._past = list(state.entries), list(state.past)
        self._limits = state.limits


def _split(entries: Sequence[Entry], limits: tuple[float, float] | None) -> int | None:
    """Index of the first entry after the change, if there is one. Paces are clipped at the limits."""
    pace = np.array([entry.pace for entry in entries])
    weight = np.array([float(entry.windows) for entry in entries])
    before = np.cumsum(weight)[:-1]
    after = weight.sum() - before
    usable = (before >= _LEAST) & (after >= _LEAST)
    if not usable.any():
        return None
    low, high = limits or _clip(entries)
    pace = np.clip(pace, low, high) - (low + high) / 2
    summed = np.cumsum(weight * pace)
    total = summed[-1]
    one, two = summed[:-1] / before, (total - summed[:-1]) / after
    gain = np.where(usable, (two - one) ** 2 * before * after / (before + after), 0.0)
    place = int(gain.argmax())
    rest = pace - np.where(np.arange(len(pace)) <= place, one[place], two[place])
    noise = float((weight * rest**2).sum()) + len(pace) * _FLOOR**2
    alike = _alike(np.concatenate([_flat(rest[: place + 1]), _flat(rest[place + 1 :])]))
    ratio = len(pace) / 2 * math.log1p(float(gain[place]) / noise) * (1 - alike) / (1 + alike)
    if ratio < _LIMIT or abs(_level(entries[place + 1 :]) - _level(entries[: place + 1])) < _EFFECT:
        return None
    return place + 1


def _flat(rest: Floats) -> Floats:
    """Without its linear trend: a decay is what is looked for, not neighbours that resemble each other."""
    index = np.arange(len(rest)) - (len(rest) - 1) / 2
    flat: Floats = rest - index * (index @ rest) / max(float(index @ index), 1.0)
    return flat


def _alike(rest: Floats) -> float:
    """How much neighbours resemble each other: their correlation, within 0 and `_ALIKE`."""
    together = float(rest[1:] @ rest[:-1]) / (float(rest @ rest) + _FLOOR**2)
    return min(max(together, 0.0), _ALIKE)


def _scale(pace: Floats) -> tuple[float, float]:
    """Median and robust standard deviation."""
    middle = float(np.median(pace))
    return middle, max(1.4826 * float(np.median(np.abs(pace - middle))), _FLOOR)


def _clip(entries: Sequence[Entry]) -> tuple[float, float]:
    """Log step times beyond which a window counts as far as at the limit."""
    middle, scale = _scale(np.array([entry.pace for entry in entries]))
    return middle - _CLIP * scale, middle + _CLIP * scale


def _level(entries: Sequence[Entry]) -> float:
    """Median log step time of the windows: entries weigh as many as they hold."""
    pace = np.array([entry.pace for entry in entries])
    weight = np.array([entry.windows for entry in entries])
    order = np.argsort(pace, kind="stable")
    summed = np.cumsum(weight[order])
    return float(pace[order][np.searchsorted(summed, summed[-1] / 2)])


def _segment(entries: Sequence[Entry]) -> Segment:
    well = [entry for entry in entries if 2 * entry.well > entry.windows]
    return Segment(
        since=entries[0].since,
        level=math.exp(_level(entries)),
        well=math.exp(_level(well)) if well else None,
        windows=sum(entry.windows for entry in entries),
        # The end of a segment is dated to within a few windows: its last ones may have the next one's nodes.
        nodes=int(np.median([entry.nodes for entry in entries[-2 * _LEAST :]])),
    )


def _newest(past: list[Segment]) -> list[Segment]:
    """As many as are kept beside the present one."""
    if len(past) < _SEGMENTS:
        return past
    oldest_is_fastest = past[0].level == min(segment.level for segment in past)
    return [past[0], *past[2:]] if oldest_is_fastest else past[1:]


def _merged(entries: Sequence[Entry], limits: tuple[float, float]) -> list[Entry]:
    """The older half in pairs, clipped before, so that no single window outweighs the others by being merged."""
    half = len(entries) // 4 * 2
    low, high = limits
    paces = [min(max(entry.pace, low), high) for entry in entries[:half]]
    pairs = []
    for index in range(0, half, 2):
        one, two = entries[index], entries[index + 1]
        windows = one.windows + two.windows
        pace = (paces[index] * one.windows + paces[index + 1] * two.windows) / windows
        pairs.append(Entry(one.since, pace, windows, one.well + two.well, two.nodes))
    return [*pairs, *entries[half:]]
