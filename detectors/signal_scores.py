"""How each node's gauges and counters stand among its peers', window by window.

Peers share load, weather and time of day, so what is common to them says nothing of one of them. A score is how
many robust standard deviations a node lies from the median of its peers; the scale is the spread of the peers, now
or as it is usual for this signal (a handful of peers can agree by chance to within a millionth), and at least the
floor of the signal's kind. Scores are smoothed over some windows: noise goes, a fault stays.

Inside, arrays lie signal by signal, so that a signal's values are next to each other.
"""

from collections.abc import Sequence
from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.observed import Flags, Floats, Integers, Signals
from detectors.signal_groups import Group, find_groups, median, typical
from detectors.signal_kinds import Bad, Kind, Trait, guess, known_trait
from detectors.signal_units import comparable, compare
from detectors.verdict import Evidence

_T = TypeVar("_T", bound=np.generic)

BEYOND = 4.0
"""Smoothed score from which a window counts as held."""

_NEWEST = 2 / 7
"""Weight of the newest window in the smoothed score: as that of a mean over six windows."""

_STALE = 0.97
"""What is left of a smoothed score after a window without a value: some sources speak once a minute."""

_MOST = 30.0
"""Score beyond which nothing is told apart: one absurd value must be forgotten within a few windows."""

_USUAL = 0.9
"""Weight that the usual scale keeps when a window tells it anew."""

_BLOCK = 1 << 18
"""Values worked on at a time: they stay in the cache, and copies stay small."""


class SignalScoresState(msgspec.Struct):
    """What a snapshot holds: arrays as bytes, signal by signal. `held` only where it is not 0: places, counts."""

    names: list[str]
    slots: int
    smooth: bytes
    usual: bytes
    places: bytes
    held: bytes
    guessed: dict[str, Trait]


class SignalScores:
    """Scores of one job's nodes."""

    def __init__(self) -> None:
        self._names: tuple[str, ...] = ()
        self._traits: tuple[Trait, ...] = ()
        self._guessed: dict[str, Trait] = {}
        # Half precision: a three-digit score is enough, and a snapshot of 62,500 nodes stays small.
        self._smooth = np.zeros((0, 0), dtype=np.float16)
        self._held = np.zeros((0, 0), dtype=np.uint16)
        self._usual = np.zeros(0)
        self._strength = np.zeros(0, dtype=np.float32)
        self._last: tuple[Signals, list[Group]] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """All signals seen so far, sorted: the columns of every matrix here."""
        return self._names

    @property
    def traits(self) -> tuple[Trait, ...]:
        """How each is compared."""
        return self._traits

    @property
    def smooth(self) -> Floats:
        """Smoothed scores, slots by signals (a view, half precision); 0 where nothing is known."""
        return self._smooth.T

    @property
    def held(self) -> Integers:
        """For how many windows each smoothed score has been beyond `BEYOND`, slots by signals (a view)."""
        return self._held.T

    @property
    def overall(self) -> Floats:
        """Sum of the squares of each slot's adverse smoothed scores."""
        return self._strength

    def push(self, signals: Signals, cohort: Integers, active: Flags) -> Floats:
        """Score one window.

        Args:
            signals: of it.
            cohort: number of each slot's peer cohort, negative for none.
            active: slots that are there and heard of.

        Returns:
            Scores, slots by `names`, NaN where there is none.
        """
        slots = len(active)
        self._reach(signals.names, slots)
        self._learn_kinds(signals)
        groups = find_groups(cohort, active)
        self._last = (signals, groups)
        self._strength = np.zeros(slots, dtype=np.float32)
        scores = np.full((len(self._names), slots), np.nan, dtype=np.float32)
        column = {name: index for index, name in enumerate(signals.names)}
        many = max(1, _BLOCK // max(1, slots))
        for kind in Kind:
            rows = np.array([row for row, trait in enumerate(self._traits) if trait.kind is kind], dtype=int)
            for start in range(0, len(rows), many):
                block = rows[start : start + many]
                there = np.array([row for row in block if self._names[row] in column], dtype=int)
                if len(there):
                    taken = [column[self._names[row]] for row in there]
                    values = comparable(kind, [self._traits[row] for row in there], signals, np.array(taken))
                    scores[there] = self._scores(kind, there, values, groups)[:, :-1]
                self._follow(block, scores[block])
        return scores.T

    def adverse(self, slots: Integers) -> Floats:
        """How much each smoothed score speaks against these slots, slots by signals, 0 or more."""
        return _adverse(self._smooth[:, slots].astype(np.float32), self._traits).T

    def strength(self, slot: int, most: int = 8) -> list[Evidence]:
        """What speaks against a node, strongest first: what was measured in the newest window."""
        if self._last is None or slot >= self._smooth.shape[1]:
            return []
        signals, groups = self._last
        column = {name: index for index, name in enumerate(signals.names)}
        against = self.adverse(np.array([slot]))[0]
        found: list[Evidence] = []
        for row in np.argsort(-against, kind="stable"):
            name = self._names[row]
            if against[row] <= 0 or len(found) == most:
                break
            if name not in column or not np.isfinite(value := signals.values[slot, column[name]]):
                continue
            usual = typical(signals.values[:, column[name]], slot, groups)
            score, windows = round(float(self._smooth[row, slot]), 2), int(self._held[row, slot])
            found.append(Evidence(name, float(value), usual, score, windows))
        return found

    def vacate(self, slot: int) -> None:
        """Forget a slot whose node has left."""
        if slot < self._smooth.shape[1]:
            self._smooth[:, slot] = 0
            self._held[:, slot] = 0

    def freeze(self) -> SignalScoresState:
        """All of it, but for the newest window's values."""
        places = np.flatnonzero(self._held)
        return SignalScoresState(
            list(self._names),
            self._smooth.shape[1],
            self._smooth.tobytes(),
            self._usual.tobytes(),
            places.astype(np.int64).tobytes(),
            self._held.ravel()[places].tobytes(),
            dict(self._guessed),
        )

    def restore(self, state: SignalScoresState) -> None:
        """Go on from there."""
        shape = (len(state.names), state.slots)
        self._names, self._guessed = tuple(state.names), dict(state.guessed)
        self._smooth = np.frombuffer(state.smooth, np.float16).reshape(shape).copy()
        self._usual = np.frombuffer(state.usual).copy()
        held = np.zeros(shape[0] * shape[1], dtype=np.uint16)
        held[np.frombuffer(state.places, np.int64)] = np.frombuffer(state.held, np.uint16)
        self._held = held.reshape(shape)
        self._traits = tuple(self._trait(name) for name in self._names)
        self._strength, self._last = np.zeros(state.slots, dtype=np.float32), None

    def _scores(self, kind: Kind, rows: Integers, values: Floats, groups: list[Group]) -> Floats:
        floors = np.array([self._traits[row].floor for row in rows])
        found = np.full_like(values, np.nan)
        compared = [compare(kind, values, group) for group in groups]
        self._learn_scales(rows, [scale for _, scale in compared])
        least = np.fmax(self._usual[rows], floors)[:, None, None].astype(np.float32)
        for group, (beyond, scale) in zip(groups, compared, strict=True):
            score = np.clip(beyond / np.fmax(scale, least), -_MOST, _MOST)
            found[:, group.members[group.judged]] = score[:, group.judged]
        return found

    def _learn_scales(self, rows: Integers, scales: list[Floats]) -> None:
        """Learn what scale is usual: the median over the groups of this window."""
        if not scales:
            return
        middle = median(np.concatenate([scale[:, :, 0] for scale in scales], axis=1), fewest=1)[0][:, 0]
        known, usual = ~np.isnan(middle), self._usual[rows]
        mixed = np.where(np.isnan(usual), middle, _USUAL * usual + (1 - _USUAL) * middle)
        self._usual[rows] = np.where(known, mixed, usual)

    def _follow(self, rows: Integers, scores: Floats) -> None:
        """Smooth these scores, and count how long they have held."""
        before = self._smooth[rows].astype(np.float32)
        smooth = np.where(np.isnan(scores), _STALE * before, before + _NEWEST * (scores - before))
        self._smooth[rows] = smooth
        beyond = np.abs(smooth) > BEYOND
        held = self._held[rows]
        self._held[rows] = np.where(beyond, held + (held < np.iinfo(np.uint16).max), 0)
        against = _adverse(smooth, [self._traits[row] for row in rows])
        self._strength += np.einsum("ij,ij->j", against, against)

    def _learn_kinds(self, signals: Signals) -> None:
        for index, name in enumerate(signals.names):
            if known_trait(name) is None:
                before = self._guessed.get(name)
                counter = bool(signals.counters[index])
                self._guessed[name] = guess(name, counter, signals.values[:, index], signals.seconds, before)
        self._traits = tuple(self._trait(name) for name in self._names)

    def _trait(self, name: str) -> Trait:
        return known_trait(name) or self._guessed[name]

    def _reach(self, names: tuple[str, ...], slots: int) -> None:
        """Make room for new names and slots."""
        more = slots - self._smooth.shape[1]
        if more > 0:
            self._smooth = np.pad(self._smooth, ((0, 0), (0, more)))
            self._held = np.pad(self._held, ((0, 0), (0, more)))
        union = tuple(sorted({*self._names, *names}))
        if union == self._names:
            return
        place = {name: index for index, name in enumerate(union)}
        kept = np.array([place[name] for name in self._names], dtype=int)
        self._smooth = _spread_out(self._smooth, kept, len(union), 0)
        self._held = _spread_out(self._held, kept, len(union), 0)
        self._usual = _spread_out(self._usual, kept, len(union), np.nan)
        self._names = union


def _adverse(scores: Floats, traits: Sequence[Trait]) -> Floats:
    """What of these scores, signals by slots, speaks against a node."""
    higher = np.array([trait.bad in (Bad.HIGHER, Bad.EITHER) for trait in traits], dtype=np.float32)[:, None]
    lower = np.array([trait.bad in (Bad.LOWER, Bad.EITHER) for trait in traits], dtype=np.float32)[:, None]
    against: Floats = np.maximum(scores * higher, -scores * lower)
    return against


def _spread_out(rows: NDArray[_T], places: Integers, many: int, fill: float) -> NDArray[_T]:
    wider = np.full((many, *rows.shape[1:]), fill, dtype=rows.dtype)
    wider[places] = rows
    return wider
