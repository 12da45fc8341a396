"""How much more own work each node does per step than its peers.

In synchronous training the step takes equally long everywhere, and those who wait arrive last at the collective,
so neither names anybody. Own work does: the sections in which a rank computes, reads input, or holds its host.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from detectors.cohorts import Cohorts
from detectors.observed import OWN, Flags, Floats, Integers, Totals

_MAD = 1.4826
"""The standard deviation of normal noise over its median absolute deviation."""

_SMALL = 64
"""Members up to which each is left out of the median and the spread that it is measured by."""

_SAMPLE = 255
"""Members that say what is typical of each rank: their median is off by a twelfth of the noise at most."""

_POOL = 3
"""Cohorts needed for a pooled spread: of fewer the median could be the very one that holds the suspect."""

_LEAST = 1e-6
"""Seconds of own work per step under which nothing is compared: clock resolution, not work."""

_FARTHEST = 50.0
"""A log ratio beyond any machine; keeps exponentials finite."""


@dataclass(frozen=True, slots=True)
class Work:
    """What each rank did per step, nodes by ranks.

    Attributes:
        own: seconds of own work, NaN where unknown.
        sections: seconds of each section (first axis, as `observed.SECTIONS`), NaN where unknown.
        used: which sections of `OWN` make up own work.
    """

    own: Floats
    sections: Floats
    used: Flags


@dataclass(frozen=True, slots=True)
class Residuals:
    """How each node stands among its peers, an entry per node slot; NaN where it was not compared.

    Attributes:
        log: log of own work over the peers' median, corrected for work done: of the node's slowest rank.
        scale: robust spread of the peers' own.
        rank: row of that rank.
        own: its seconds of own work per step.
        typical: what the peers' median would have taken, seconds per step.
        beyond: of each rank, nodes by ranks: log of own work over what is typical of ranks in its place.
    """

    log: Floats
    scale: Floats
    rank: Integers
    own: Floats
    typical: Floats
    beyond: Floats


def work_of(totals: Totals, among: Flags) -> Work:
    """Seconds per step of each section, and of own work, of each rank."""
    ranks = among[:, None] & (totals.stage >= 0) & (totals.count > 0)
    count = np.where(ranks, totals.count, np.nan)
    sections = totals.sections / count
    # An endless section is no measurement, and infinities that meet are no number.
    sections[np.isinf(sections)] = np.nan
    known = np.count_nonzero(ranks)
    # A section that most report belongs to own work; then one who does not report it is unknown, not fast.
    used = np.array([2 * np.count_nonzero(~np.isnan(sections[index])) > known for index in range(len(OWN))])
    own = np.zeros_like(count)
    for index in np.flatnonzero(used):
        own += sections[index]
    own[~ranks | ~used.any() | ~(own > _LEAST)] = np.nan
    return Work(own, sections, used)


def residuals(work: Work, expected: Floats, cohorts: Cohorts, floor: float) -> Residuals:
    """Compare each node with its cohort.

    Args:
        work: what was done.
        expected: log of the own work to be expected of each rank from the work it was given, up to a constant.
        cohorts: who is compared with whom.
        floor: least spread; a handful of peers can agree by chance to within a millionth.
    """
    slots = len(work.own)
    with np.errstate(divide="ignore"):
        logs = np.where(cohorts.column, np.log(work.own) - expected, np.nan)
    residual, scale = np.full(slots, np.nan), np.full(slots, np.nan)
    rank = np.zeros(slots, dtype=int)
    ranks = np.full_like(logs, np.nan)
    spreads = []
    for block in cohorts.blocks:
        if block.shape[1] < 2:
            continue
        beyond = ranks[block] = logs[block] - _typical_rank(logs, block)
        worst = np.where(np.isnan(beyond), -np.inf, beyond)
        rank[block] = worst.argmax(axis=2)
        value = worst.max(axis=2)
        value[np.isneginf(value)] = np.nan
        residual[block] = value - _median_of_others(value)
        scale[block] = _spread_of_others(value)
        spreads.append(_spread(value))
    if spreads:
        pooled = np.concatenate(spreads)
        pooled = pooled[~np.isnan(pooled)]
        least = max(float(np.median(pooled)) if len(pooled) >= _POOL else 0.0, floor)
        scale = np.where(np.isnan(residual), np.nan, np.fmax(scale, least))
    residual = np.clip(residual, -_FARTHEST, _FARTHEST)
    own = np.where(np.isnan(residual), np.nan, work.own[np.arange(slots), rank])
    return Residuals(residual, scale, rank, own, own * np.exp(-residual), ranks)


def typical(values: Floats, cohorts: Cohorts) -> Floats:
    """The median of each node's peers, with the node itself left out of small cohorts. NaN where unknown."""
    found = np.full(len(values), np.nan)
    for block in cohorts.blocks:
        if block.shape[1] > 1:
            found[block] = _median_of_others(values[block])
    return found


def middle(values: Floats, cohorts: Cohorts) -> Floats:
    """The median of each node's cohort in every column of `values` (nodes by columns). NaN where unknown."""
    found = np.full(values.shape, np.nan)
    for block in cohorts.blocks:
        if block.shape[1] > 1:
            found[block] = nanmedian(values[block], 1)[:, None, :]
    return found


def _typical_rank(logs: Floats, block: Integers) -> Floats:
    """What is typical of each rank row in each cohort: cohorts by one by ranks."""
    return nanmedian(logs[sample(block)], axis=1)[:, None, :]


def sample(block: Integers) -> Integers:
    """At most `_SAMPLE` members of each cohort (rows), evenly spread."""
    members = block.shape[1]
    return block[:, np.linspace(0, members - 1, min(members, _SAMPLE)).astype(int)]


def nanmedian(values: Floats, axis: int) -> Floats:
    """As numpy's, quick where nothing is unknown, and quiet where all is."""
    if not np.isnan(values).any():
        plain: Floats = np.median(values, axis=axis)
        return plain
    ordered = np.sort(values, axis=axis)  # unknown ones come last
    known = np.count_nonzero(~np.isnan(values), axis=axis, keepdims=True)
    low, high = np.maximum(known - 1, 0) // 2, np.maximum(known, 1) // 2
    middle: Floats = np.take_along_axis(ordered, low, axis) / 2 + np.take_along_axis(ordered, high, axis) / 2
    return middle.squeeze(axis)


def _spread(values: Floats) -> Floats:
    """Robust standard deviation of each row. Half of two values' own distance is no measure of noise: NaN."""
    if values.shape[1] < 3:
        return np.full(len(values), np.nan)
    return _MAD * nanmedian(np.abs(values - nanmedian(values, 1)[:, None]), 1)


def _spread_of_others(values: Floats) -> Floats:
    """For each value of a row the spread of all others: a suspect's own distance is no noise of its peers.

    Among four nodes that distance is half of what a common median is taken over, and would hide the suspect. In a
    large cohort one value changes nothing, and all share one spread.
    """
    rows, members = values.shape
    if not 3 < members <= _SMALL:
        return np.repeat(_spread(values)[:, None], members, axis=1)
    return _spread(values[:, _others(members)].reshape(rows * members, members - 1)).reshape(rows, members)


def _median_of_others(values: Floats) -> Floats:
    """For each value of a row the median of all others (of all, in large rows)."""
    rows, members = values.shape
    if members > _SMALL:
        return np.repeat(nanmedian(values, 1)[:, None], members, axis=1)
    others = values[:, _others(members)].reshape(rows * members, members - 1)
    return nanmedian(others, 1).reshape(rows, members)


@cache
def _others(members: int) -> Integers:
    """For each of `members` places all others, a row each."""
    place = np.arange(members)
    return np.array([np.delete(place, one) for one in place])
