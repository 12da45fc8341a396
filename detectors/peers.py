"""Nodes compared with their peers: who does more own work per step than others with the same part.

In synchronous training the step takes equally long everywhere, and those who wait arrive last at the
collective, so neither names anybody. Own work does, between ranks of the same pipeline stage and machine.
"""

from dataclasses import dataclass

import numpy as np

from detectors.observed import OWN, Flags, Floats, Integers, Totals
from detectors.policy import Policy

_MAD = 1.4826
"""The standard deviation of normal noise over its median absolute deviation."""

_SMALL = 64
"""Nodes up to which each is left out of the spread that it is measured by."""

_POOL = 3
"""Groups needed for a pooled spread."""

_LEAST = 1e-6
"""Seconds of own work per step under which nothing is compared: clock resolution, not work."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One window's comparison, an entry per node slot.

    Attributes:
        compared: whether the node had anybody to be compared with.
        score: robust standard deviations above the peers' median, in the group where the node stands out most.
        ratio: own work over the peers' median there.
        peers: other nodes in that group.
        group: that group, -1 where there is none.
        rank: row of the slowest rank in that group.
        own: seconds of own work per step of that rank.
        recovered: seconds per step that go if this node, and every other bad one, were typical.
        bad: whether score and ratio exceed the fast path's.
        common: whether so many of the group are bad that it is nobody's own trouble.
        sections: seconds per step, sections (as in `OWN`) by slots by ranks; NaN where unknown.
    """

    compared: Flags
    score: Floats
    ratio: Floats
    peers: Integers
    group: Integers
    rank: Integers
    own: Floats
    recovered: Floats
    bad: Flags
    common: Flags
    sections: Floats


def compare(totals: Totals, among: Flags, policy: Policy) -> Comparison:
    """Compare the nodes that `among` marks, each with the others of its groups."""
    sections, own = _own(totals, among)
    groups = int(totals.stage.max(initial=-1)) + 1
    seconds = _slowest(own, totals.stage, groups)
    rated = _slowest(own / _typical_work(totals, own), totals.stage, groups)
    score, ratio, peers = _against_peers(rated, policy)
    bad = (score > policy.fast.score) & (ratio > policy.fast.ratio)
    common = _common(bad, rated, policy)
    recovered = _recovered(seconds, ratio, bad)

    slots = np.arange(len(own))
    worst = np.where(np.isnan(score), -np.inf, score).argmax(axis=1) if groups else np.zeros(len(own), dtype=int)
    if not groups:
        return _nobody(len(own), sections)
    compared = ~np.isnan(score[slots, worst])
    mine = np.where(totals.stage == worst[:, None], own, np.nan)
    return Comparison(
        compared=compared,
        score=score[slots, worst],
        ratio=ratio[slots, worst],
        peers=peers[slots, worst],
        group=np.where(compared, worst, -1),
        rank=np.where(np.isnan(mine), -np.inf, mine).argmax(axis=1),
        own=seconds[slots, worst],
        recovered=recovered[slots, worst],
        bad=compared & bad[slots, worst],
        common=compared & common[worst],
        sections=sections,
    )


def score_among(value: Floats, policy: Policy) -> Floats:
    """Robust score of each value among all of them, NaN for unknown ones: how far one section stands out."""
    return _against_peers(value[:, None], policy)[0][:, 0]


def _nobody(slots: int, sections: Floats) -> Comparison:
    nothing, none = np.full(slots, np.nan), np.zeros(slots, dtype=bool)
    zero = np.zeros(slots, dtype=int)
    return Comparison(none, nothing, nothing, zero, zero - 1, zero, nothing, nothing, none, none, sections)


def _own(totals: Totals, among: Flags) -> tuple[Floats, Floats]:
    """Seconds per step of each section, and of own work, of each rank."""
    ranks = among[:, None] & (totals.stage >= 0) & (totals.count > 0)
    count = np.where(ranks, totals.count, np.nan)
    sections = totals.sections[: len(OWN)] / count
    own = np.zeros_like(count)
    used = np.zeros(len(OWN), dtype=bool)
    for index, section in enumerate(sections):
        # A section that most report belongs to own work; then one who does not report it is unknown, not fast.
        used[index] = 2 * np.count_nonzero(~np.isnan(section)) > np.count_nonzero(ranks)
        if used[index]:
            own = own + section
    own[~ranks | ~used.any() | ~(own > _LEAST)] = np.nan
    return sections, own


def _typical_work(totals: Totals, own: Floats) -> Floats:
    """Work per step relative to the job's median rank, one everywhere unless every compared rank gives it."""
    known = ~np.isnan(own)
    work = np.where(known, totals.work, np.nan) / np.where(totals.count > 0, totals.count, np.nan)
    if not known.any() or not (work[known] > 0).all():
        return np.ones_like(own)
    relative: Floats = work / float(np.median(work[known]))
    return relative


def _slowest(own: Floats, group: Integers, groups: int) -> Floats:
    """The slowest rank of each node in each group: nodes by groups, NaN where it has none."""
    slots = len(own)
    table = np.full(slots * groups, -np.inf)
    node, rank = np.nonzero(~np.isnan(own))
    np.maximum.at(table, node * groups + group[node, rank], own[node, rank])
    table[np.isneginf(table)] = np.nan
    return table.reshape(slots, groups)


def _against_peers(value: Floats, policy: Policy) -> tuple[Floats, Floats, Integers]:
    """Score, ratio and number of peers of each node in each group (columns)."""
    score, ratio = np.full_like(value, np.nan), np.full_like(value, np.nan)
    peers: Integers = np.zeros(value.shape, dtype=int)
    residuals: list[tuple[Integers, int, Floats, Floats]] = []
    spreads: list[float] = []
    for column in range(value.shape[1]):
        rows = np.flatnonzero(value[:, column] > 0)
        if len(rows) < 2:
            continue
        logs = np.log(value[rows, column])
        spreads.append(_spread(logs))
        residuals.append((rows, column, logs - _median_of_others(logs), _spread_of_others(logs)))
        peers[rows, column] = len(rows) - 1
    known = [spread for spread in spreads if not np.isnan(spread)]
    # Of fewer groups the median could be the very group that holds the suspect.
    pooled = float(np.median(known)) if len(known) >= _POOL else 0.0
    for place, column, residual, spread in residuals:
        scale = np.fmax(max(pooled, policy.floor), spread)
        score[place, column] = residual / scale
        # A log ratio of 50 is beyond any machine; the limit keeps the exponential finite.
        ratio[place, column] = np.exp(np.clip(residual, -50, 50))
    return score, ratio, peers


def _spread(logs: Floats) -> float:
    """Robust standard deviation. Half of two values' own distance is no measure of noise: NaN."""
    return _MAD * float(np.median(np.abs(logs - np.median(logs)))) if len(logs) > 2 else np.nan


def _spread_of_others(logs: Floats) -> Floats:
    """For each value the spread of all others: a suspect's own distance is no noise of its peers.

    Among four nodes that distance is half of what a common median is taken over, and would hide the suspect. In
    a large group one value changes nothing, and all share one spread.
    """
    if not 3 < len(logs) <= _SMALL:
        return np.full(len(logs), _spread(logs))
    others = np.tile(logs, (len(logs), 1))[~np.eye(len(logs), dtype=bool)].reshape(len(logs), -1)
    middle = np.median(others, axis=1, keepdims=True)
    spread: Floats = _MAD * np.median(np.abs(others - middle), axis=1)
    return spread


def _median_of_others(values: Floats) -> Floats:
    """For each of at least two values, the median of all others."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    place = np.empty_like(order)
    place[order] = np.arange(len(values))
    others = len(values) - 1
    low, high = (others - 1) // 2, others // 2
    lower = ordered[low + (place <= low)]
    upper = ordered[high + (place <= high)]
    median: Floats = (lower + upper) / 2
    return median


def _common(bad: Flags, value: Floats, policy: Policy) -> Flags:
    """Groups in which more than one, and more than the allowed share, are bad in the same window."""
    slow, members = bad.sum(axis=0), (~np.isnan(value)).sum(axis=0)
    together: Flags = (slow > 1) & (slow > policy.common * members)
    return together


def _recovered(seconds: Floats, ratio: Floats, bad: Flags) -> Floats:
    """What a step would lose if the node were typical: the stage's maximum with and without it.

    Stages add up along a pipeline, so what a stage's maximum loses, the step loses. Other bad nodes are taken
    as typical too: two equally slow ones would otherwise excuse each other.
    """
    rest = np.where(bad | np.isnan(seconds), 0.0, seconds).max(axis=0, initial=0.0)
    without: Floats = np.fmax(seconds / ratio, rest[None, :])
    return np.maximum(0.0, seconds - without)
