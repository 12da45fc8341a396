"""The forest over all signals, and the list of suspects."""

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import IsolationForest

from detectors.forest import Forest, ForestState
from detectors.forest_model import Model
from detectors.observed import Signals
from detectors.signal_scores import SignalScores
from detectors.suspects import rank_suspects

NAMES = tuple(f"site.{letter}" for letter in "abcdefgh")


class Watch:
    """Scores and forest of one job, with fewer trees."""

    def __init__(self, nodes: int) -> None:
        self.scores, self.forest = SignalScores(), Forest(trees=25)
        self.all, self.nobody = np.ones(nodes, bool), np.zeros(nodes, bool)

    def push(self, values: np.ndarray) -> None:
        nodes = len(values)
        counters = np.zeros(len(NAMES), bool)
        self.scores.push(Signals(NAMES, counters, np.full(nodes, 10.0), values), np.zeros(nodes, int), self.all)
        self.forest.push(self.scores, self.all, self.nobody)

    def suspects(self) -> tuple[np.ndarray, np.ndarray]:
        return rank_suspects(self.scores, self.forest, self.all)


def healthy(chance: np.random.Generator, nodes: int) -> np.ndarray:
    return 10 + chance.standard_normal((nodes, len(NAMES)))


def watched(seed: int, nodes: int, windows: int, bad: int | None = None, start: int = 0) -> Watch:
    chance, watch = np.random.default_rng(seed), Watch(nodes)
    for window in range(windows):
        values = healthy(chance, nodes)
        if bad is not None and window >= start:
            values[bad, :3] += 5
        watch.push(values)
    return watch


def test_quick_scores_are_those_of_scikit_learn():
    rows = np.random.default_rng(1).standard_normal((300, 5)).astype(np.float32)
    for kept in (rows, rows[:2], np.zeros((64, 5), np.float32)):
        fitted = IsolationForest(n_estimators=20, max_samples=min(256, len(kept)), random_state=0).fit(kept)
        assert Model(fitted).scores(rows) == pytest.approx(-fitted.score_samples(rows), abs=1e-6)


def test_an_unusual_node_has_a_small_p_and_its_signals_are_named():
    watch = watched(2, 12, 40, bad=4, start=20)
    assert watch.forest.p.argmin() == 4
    assert watch.forest.p[4] < 0.01
    assert watch.forest.signals(watch.scores, 4)[0] in NAMES[:3]


def test_p_values_of_healthy_nodes_are_calibrated():
    chance, watch, found = np.random.default_rng(3), Watch(40), []
    for window in range(150):
        watch.push(healthy(chance, 40))
        if window > 60:
            found.append(watch.forest.p.copy())
    p = np.concatenate(found)
    for level in (0.5, 0.1, 0.02):
        assert (p <= level).mean() < 1.5 * level


def test_evidence_grows_by_a_change_and_not_by_what_was_always_so():
    changed = watched(4, 12, 300, bad=4, start=240)
    assert changed.forest.evidence.argmax() == 4
    assert changed.forest.evidence[4] > 10
    always = watched(4, 12, 300, bad=4, start=0)
    assert always.forest.evidence.max() < 5


def test_small_jobs_have_no_p_values_until_they_were_seen_for_some_windows():
    assert (watched(5, 4, 10).forest.p == 1).all()


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 1000))
def test_order_of_nodes_changes_nothing(seed):
    chance = np.random.default_rng(seed)
    order = chance.permutation(20)
    straight, mixed = Watch(20), Watch(20)
    for _ in range(10):
        values = healthy(chance, 20)
        straight.push(values)
        mixed.push(values[order])
    assert (straight.forest.p[order] == mixed.forest.p).all()


def test_going_on_from_a_snapshot_gives_the_same_bytes():
    chance = np.random.default_rng(6)
    windows = [healthy(chance, 12) for _ in range(40)]
    whole, first, second = Watch(12), Watch(12), Watch(12)
    for values in windows:
        whole.push(values)
    for values in windows[:17]:
        first.push(values)
    kept = msgspec.msgpack.encode(first.forest.freeze())
    second.forest.restore(msgspec.msgpack.decode(kept, type=ForestState))
    second.scores.restore(first.scores.freeze())
    for values in windows[17:]:
        second.push(values)
    assert second.forest.freeze() == whole.forest.freeze()
    assert (second.forest.p == whole.forest.p).all()


@pytest.mark.parametrize("nodes", [0, 1, 3, 70])
@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
def test_nothing_degenerate_fails_or_stands_out(nodes, value):
    watch = Watch(nodes)
    for _ in range(8):
        watch.push(np.full((nodes, len(NAMES)), value))
    assert (watch.forest.p == 1).all()
    assert not watch.forest.evidence.any()
    slots, confidence = watch.suspects()
    assert len(slots) == len(confidence) == 0


def test_suspects_are_ranked_and_a_past_moves_a_node_up():
    watch = watched(7, 12, 30, bad=4, start=20)
    slots, confidence = watch.suspects()
    assert slots[0] == 4
    assert confidence[0] > 0.9
    assert (np.diff(confidence) <= 0).all()
    assert confidence.sum() <= 1 + 1e-9
    third = int(slots[2])
    priors = np.ones(12)
    priors[third] = 4.0
    _, before = watch.suspects()
    again, after = rank_suspects(watch.scores, watch.forest, watch.all, priors)
    assert after[again.tolist().index(third)] > before[2]
    none, _ = rank_suspects(watch.scores, watch.forest, watch.nobody)
    assert len(none) == 0


def test_vacated_slots_and_new_names_begin_anew():
    watch = watched(8, 12, 300, bad=4, start=240)
    watch.forest.vacate(4)
    watch.forest.vacate(99)
    assert watch.forest.evidence[4] == 0
    one = Signals(("zone.new",), np.zeros(1, bool), np.full(14, 10.0), np.ones((14, 1)))
    watch.scores.push(one, np.zeros(14, int), np.ones(14, bool))
    watch.forest.push(watch.scores, np.ones(14, bool), np.zeros(14, bool))
    assert (watch.forest.p == 1).all()
