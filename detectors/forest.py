"""An isolation forest over the scores of all signals: how unusual a node is as a whole, and by which of them.

It ranks, and by default it does not accuse. As a judge it fails on the public traces: with automatic contamination
it flags 2.5 of 8 healthy ranks in `ST` and 4.3 of 16 in `AR`, of which one is at fault; something is always the
most unusual, and unusual is not slow. What it is good for is many small deviations at once that no single signal
shows.

Its scores become p-values by comparison with those of healthy windows of the same job. Their smallest is one over
the number of these, so that one window never convicts. Over time evidence is gathered by betting on them (Vovk &
Wang, "E-values: calibration, combination and applications", 2021): the bet κ·p^(κ-1) has a mean of at most one
while the node is healthy, so that its product, never let below one, crosses 1/alpha at most once in 1/alpha bets
(see `detectors.budget`). Two things would break that and are guarded against: scores are smoothed, so bets are
made only when the smoothing has forgotten the last one; and a healthy node may be odd for good, so that it bets
against its own usual p-value, and only a change is evidence.

Models are not written down: a snapshot holds the rows that it was fitted on, and fitting is deterministic.
"""

import msgspec
import numpy as np
from sklearn.ensemble import IsolationForest

from detectors.forest_model import Model
from detectors.observed import Flags, Floats, Integers
from detectors.signal_kinds import Bad
from detectors.signal_scores import SignalScores

_MOST = 8.0
"""Spreads beyond which a signal is no odder: else one absurd value would be all the forest sees."""

_KEPT = 4096
"""Rows of healthy nodes that are kept, to fit on."""

_TAKEN = 512
"""Of these from one window: it tells apart eight windows of a large job, and hundreds of a small one."""

_CANDIDATES = 1024
"""Nodes scored in a window: those whose signals stand out most. The others' p-values count as one."""

_FIRST = 64
"""Rows to fit on for the first time; eight windows of eight nodes."""

_STRIKING = 80.0
"""Strength beyond which one healthy node in five hundred lies at a time, in simulated jobs."""

_LASTING = 6
"""Windows for which a node is striking until it no longer counts as healthy: strays are over by then."""

_BINS = 4096
_FULL = 1 << 22
"""Scores in the histogram at which it forgets half of them."""

BETWEEN_BETS = 6
"""Windows between bets: 13 % of the smoothed score are left of the last one by then."""

_BETS = np.array([0.1, 0.3, 0.5, 0.7, 0.9])
_LEARNED = 30
"""Bets until a node's usual p-value is known (half an hour at 10 s windows), and none counts before."""

_USUAL = 1 / 60
"""Weight of the newest window in it, when it is known."""


class ForestState(msgspec.Struct):
    """What a snapshot holds: arrays as bytes."""

    names: list[str]
    rows: bytes
    next: int
    fitted: bytes
    windows: int
    due: int
    histogram: bytes
    striking: bytes
    usual: bytes
    bets: bytes
    evidence: bytes
    p: bytes


class Forest:
    """The forest of one job.

    Args:
        trees: in the forest.
        refit: windows between fits, from the second on.
    """

    def __init__(self, trees: int = 100, refit: int = 360) -> None:
        self._trees, self._refit = trees, refit
        self._names: tuple[str, ...] = ()
        self._rows = np.zeros((0, 0), dtype=np.float16)
        self._next = 0
        self._fitted = self._rows
        self._model: Model | None = None
        self._windows = self._due = 0
        self._histogram = np.zeros(_BINS, dtype=np.int64)
        self._p = np.zeros(0, dtype=np.float32)
        self._striking = np.zeros(0, dtype=np.uint8)
        self._usual = np.zeros(0, dtype=np.float32)
        self._bets = np.zeros(0, dtype=np.uint16)
        self._evidence = np.zeros(0, dtype=np.float32)

    @property
    def p(self) -> Floats:
        """How often a healthy node is as unusual as each slot was in the newest window; 1 where not looked at."""
        return self._p

    @property
    def evidence(self) -> Floats:
        """Log evidence that each slot has become unusual, 0 or more. It convicts at log(1/alpha) per bet."""
        return self._evidence

    def push(self, scores: SignalScores, active: Flags, suspects: Flags, *, asked: bool = True) -> None:
        """Look at one window.

        Args:
            scores: after this window.
            active: slots that are there and heard of.
            suspects: slots that must not count as healthy.
            asked: whether p-values are wanted now; otherwise nodes are only looked at when a bet is due.
        """
        slots = len(active)
        self._reach(scores.names, slots)
        self._windows += 1
        self._p = np.ones(slots, dtype=np.float32)
        overall = scores.overall
        self._striking = np.where(overall > _STRIKING, np.minimum(self._striking, _LASTING) + 1, 0).astype(
            np.uint8
        )
        calm = active & ~suspects & (self._striking < _LASTING)
        healthy = _features(scores, _evenly(overall, calm, _TAKEN))
        due = self._windows % BETWEEN_BETS == 0
        if self._model is not None and (asked or due):
            chosen = _strongest(overall, active, _CANDIDATES)
            self._p[chosen] = self._chance(self._model.scores(_features(scores, chosen)))
            self._calibrate(self._model.scores(healthy))
        if due and self._model is not None:
            self._bet(np.flatnonzero(active))
        self._keep(healthy)
        if len(self._rows) >= _FIRST and (self._model is None or self._windows >= self._due):
            self._fit()

    def signals(self, scores: SignalScores, slot: int, most: int = 6) -> list[str]:
        """Tell which signals make a node stand out: without which it would be less unusual, strongest first."""
        if self._model is None or scores.names != self._names:
            return []
        row = _features(scores, np.array([slot]))[0]
        tried = np.argsort(-np.abs(row), kind="stable")[:most]
        tried = tried[row[tried] != 0]
        rows = np.repeat(row[None, :], len(tried) + 1, axis=0)
        rows[np.arange(len(tried)), tried] = 0
        found = self._model.scores(rows)
        less = found[-1] - found[:-1]
        return [scores.names[tried[place]] for place in np.argsort(-less, kind="stable") if less[place] > 0]

    def vacate(self, slot: int) -> None:
        """Forget a slot whose node has left."""
        if slot < len(self._evidence):
            self._usual[slot] = self._evidence[slot] = 0
            self._bets[slot] = self._striking[slot] = 0

    def freeze(self) -> ForestState:
        """All of it."""
        return ForestState(
            list(self._names),
            self._rows.tobytes(),
            self._next,
            self._fitted.tobytes() if self._model is not None else b"",
            self._windows,
            self._due,
            self._histogram.tobytes(),
            self._striking.tobytes(),
            self._usual.tobytes(),
            self._bets.tobytes(),
            self._evidence.tobytes(),
            self._p.tobytes(),
        )

    def restore(self, state: ForestState) -> None:
        """Go on from there."""
        self._names, self._next = tuple(state.names), state.next
        shape = (-1, len(self._names))
        self._rows = np.frombuffer(state.rows, np.float16).reshape(shape).copy() if state.rows else self._rows
        self._fitted = np.frombuffer(state.fitted, np.float16).reshape(shape) if state.fitted else self._rows
        self._model = self._grown() if state.fitted else None
        self._windows, self._due = state.windows, state.due
        self._histogram = np.frombuffer(state.histogram, np.int64).copy()
        self._striking = np.frombuffer(state.striking, np.uint8).copy()
        self._usual = np.frombuffer(state.usual, np.float32).copy()
        self._bets = np.frombuffer(state.bets, np.uint16).copy()
        self._evidence = np.frombuffer(state.evidence, np.float32).copy()
        self._p = np.frombuffer(state.p, np.float32).copy()

    def _fit(self) -> None:
        """Fit anew, and compare with the same healthy rows from then on."""
        # The second time soon: the first rows were few, and of a job that was starting.
        self._due = self._windows + (min(60, self._refit) if self._model is None else self._refit)
        self._fitted = self._rows.copy()
        self._model = self._grown()
        self._histogram[:] = 0
        self._calibrate(self._model.scores(self._fitted.astype(np.float32)))

    def _grown(self) -> Model:
        forest = IsolationForest(n_estimators=self._trees, max_samples=min(256, len(self._fitted)), random_state=0)
        return Model(forest.fit(self._fitted.astype(np.float32)))

    def _calibrate(self, found: Floats) -> None:
        self._histogram += np.bincount(_bin(found), minlength=_BINS)
        if self._histogram.sum() > _FULL:
            self._histogram //= 2

    def _chance(self, found: Floats) -> Floats:
        """Share of healthy scores that are as high; never 0, as the node might be the next healthy one."""
        above = np.cumsum(self._histogram[::-1])[::-1]
        p: Floats = (1 + above[_bin(found)]) / (1 + above[0])
        return p

    def _bet(self, here: Integers) -> None:
        chance = np.log(self._p[here])
        learned = self._bets[here] >= _LEARNED
        changed = np.minimum(chance - self._usual[here], 0)
        won = np.log((_BETS * np.exp(changed[:, None] * (_BETS - 1))).mean(axis=1))
        gathered = np.maximum(self._evidence[here] + won, 0)
        self._evidence[here] = np.where(learned, gathered, 0)
        self._bets[here] += self._bets[here] < _LEARNED
        newest = np.maximum(1 / self._bets[here], _USUAL)
        self._usual[here] += newest * (chance - self._usual[here])

    def _keep(self, healthy: Floats) -> None:
        """Keep the newest rows, in a ring."""
        rows = healthy.astype(np.float16)
        grown = min(_KEPT - len(self._rows), len(rows))
        if grown > 0:
            self._rows = np.concatenate([self._rows, rows[:grown]])
            rows = rows[grown:]
        places = (self._next + np.arange(len(rows))) % _KEPT
        self._rows[places] = rows
        self._next = (self._next + len(rows)) % _KEPT

    def _reach(self, names: tuple[str, ...], slots: int) -> None:
        """Make room for new slots; new names begin anew, as other columns make other forests."""
        more = slots - len(self._usual)
        if more > 0:
            self._striking = np.pad(self._striking, (0, more))
            self._usual = np.pad(self._usual, (0, more))
            self._bets = np.pad(self._bets, (0, more))
            self._evidence = np.pad(self._evidence, (0, more))
        if names != self._names:
            self._names, self._model, self._next = names, None, 0
            self._rows = np.zeros((0, len(names)), dtype=np.float16)


def _features(scores: SignalScores, slots: Integers) -> Floats:
    """What the forest sees of these slots: levels and changes, without the side that is never bad."""
    found = np.clip(scores.relative(slots), -_MOST, _MOST)
    for side, bound in ((Bad.HIGHER, np.minimum), (Bad.LOWER, np.maximum)):
        never = np.array([trait.bad not in (side, Bad.EITHER) for trait in scores.traits], dtype=bool)
        found[:, never] = bound(found[:, never], 0)
    return found


def _strongest(overall: Floats, active: Flags, most: int) -> Integers:
    """The slots whose signals stand out most."""
    here = np.flatnonzero(active)
    if len(here) <= most:
        return here
    return np.sort(here[np.argpartition(-overall[here], most)[:most]])


def _evenly(overall: Floats, among: Flags, most: int) -> Integers:
    """Slots from the quietest to the most striking, evenly spaced: the same whatever the slots' order."""
    here = np.flatnonzero(among)
    order = here[np.argsort(overall[here], kind="stable")]
    return order[np.linspace(0, len(order) - 1, most).astype(int)] if len(order) > most else order


def _bin(found: Floats) -> Integers:
    bins: Integers = np.clip((found * _BINS).astype(int), 0, _BINS - 1)
    return bins
