"""How each node's gauges and counters stand among its peers', window by window.

Peers share load, weather and time of day, so what is common to them says nothing of one of them. A score is how
many robust standard deviations a node lies from the median of its peers; the scale is the spread of the peers, now
or as it is usual for this signal (a handful of peers can agree by chance to within a millionth), and at least the
floor of the signal's kind. Scores are smoothed over some windows: noise goes, a fault stays.

Inside, arrays lie signal by signal, so that a signal's values are next to each other.
"""

import msgspec
import numpy as np

from detectors.observed import Flags, Floats, Integers, Signals
from detectors.signal_groups import Group, find_groups, median, typical
from detectors.signal_kinds import Kind, Trait, guess, known_trait
from detectors.signal_standing import Standing, StandingState, adverse
from detectors.signal_units import comparable, compare
from detectors.verdict import Evidence

_MOST = 30.0
"""Score beyond which nothing is told apart: one absurd value must be forgotten within a few windows."""

_WORTH = 1.0
"""Smoothed score from which a signal is worth telling: below it is what any healthy node has."""

_USUAL = 0.9
"""Weight that the usual scale keeps when a window tells it anew."""

_BLOCK = 1 << 18
"""Values worked on at a time: they stay in the cache, and copies stay small."""


class NewestState(msgspec.Struct):
    """What was compared last, which is told of until the next time; arrays as bytes."""

    names: list[str]
    values: bytes
    cohort: bytes
    active: bytes


class SignalScoresState(msgspec.Struct):
    """What a snapshot holds: arrays as bytes, signal by signal."""

    names: list[str]
    usual: bytes
    guessed: dict[str, Trait]
    standing: StandingState
    newest: NewestState | None


class SignalScores:
    """Scores of one job's nodes."""

    def __init__(self) -> None:
        self._names: tuple[str, ...] = ()
        self._traits: tuple[Trait, ...] = ()
        self._guessed: dict[str, Trait] = {}
        self._standing = Standing()
        self._usual = np.zeros(0)
        self._last: tuple[dict[str, int], Floats, list[Group]] | None = None
        self._compared: tuple[Integers, Flags] = (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=bool))

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
        return self._standing.smooth.T

    @property
    def held(self) -> Integers:
        """For how many windows each has been beyond `signal_standing.BEYOND`, slots by signals (a view)."""
        return self._standing.held.T

    @property
    def overall(self) -> Floats:
        """How strongly each slot's signals speak against it: like a chi-squared of six degrees of freedom."""
        total: Floats = self._standing.strongest.sum(axis=0)
        return total

    def relative(self, slots: Integers) -> Floats:
        """Levels and changes of these slots, signed, in spreads of the nodes: slots by signals."""
        return self._standing.relative(slots).T

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
        column = {name: index for index, name in enumerate(signals.names)}
        self._last, self._compared = (column, signals.values, groups), (cohort, active)
        here = np.flatnonzero(active)
        self._standing.begin(here)
        scores = np.full((len(self._names), slots), np.nan, dtype=np.float32)
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
                self._standing.follow(block, scores[block], [self._traits[row] for row in block], here)
        return scores.T

    def strength(self, slot: int, most: int = 8) -> list[Evidence]:
        """What speaks against a node, strongest first, of what was measured in the newest window.

        The scores are those of `relative`: smoothed, in spreads of the nodes.
        """
        if self._last is None or not self._names or slot >= self._standing.smooth.shape[1]:
            return []
        column, values, groups = self._last
        stands = self._standing.relative(np.array([slot]))
        against = adverse(stands, self._traits)[:, 0]
        found: list[Evidence] = []
        for row in np.argsort(-against, kind="stable"):
            name = self._names[row]
            if against[row] < _WORTH or len(found) == most:
                break
            if name not in column or not np.isfinite(value := values[slot, column[name]]):
                continue
            usual = typical(values[:, column[name]], slot, groups)
            score, windows = round(float(stands[row, 0]), 2), int(self._standing.held[row, slot])
            found.append(Evidence(name, float(value), usual, score, windows))
        return found

    def vacate(self, slot: int) -> None:
        """Forget a slot whose node has left."""
        self._standing.vacate(slot)

    def freeze(self) -> SignalScoresState:
        """All of it."""
        newest = None
        if self._last is not None:
            column, values, _ = self._last
            cohort, active = self._compared
            newest = NewestState(
                list(column),
                values.astype(np.float32, copy=False).tobytes(),
                cohort.astype(np.int64, copy=False).tobytes(),
                active.tobytes(),
            )
        return SignalScoresState(
            list(self._names), self._usual.tobytes(), dict(self._guessed), self._standing.freeze(), newest
        )

    def restore(self, state: SignalScoresState) -> None:
        """Go on from there."""
        self._names, self._guessed = tuple(state.names), dict(state.guessed)
        self._usual = np.frombuffer(state.usual).copy()
        self._standing.restore(state.standing, len(state.names))
        self._traits = tuple(self._trait(name) for name in self._names)
        newest = state.newest
        self._last = None
        if newest is not None:
            cohort, active = np.frombuffer(newest.cohort, np.int64), np.frombuffer(newest.active, bool)
            values = np.frombuffer(newest.values, np.float32).reshape(len(active), len(newest.names))
            column = {name: index for index, name in enumerate(newest.names)}
            self._last = (column, values, find_groups(cohort, active))
            self._compared = (cohort, active)

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
        known, union = self._standing.smooth.shape[1], tuple(sorted({*self._names, *names}))
        if union == self._names and slots <= known:
            return
        place = {name: index for index, name in enumerate(union)}
        kept = np.array([place[name] for name in self._names], dtype=int)
        self._standing.reach(kept, len(union), max(slots, known))
        usual = np.full(len(union), np.nan)
        usual[kept] = self._usual
        self._names, self._usual = union, usual
