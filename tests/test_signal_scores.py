"""Scores of gauges and counters among peers."""

from collections.abc import Sequence

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.observed import Floats, Signals
from detectors.signal_kinds import Bad, Kind, cause_of, is_hard, known_trait
from detectors.signal_scores import SignalScores, SignalScoresState
from detectors.verdict import Cause

NAMES = (
    "efa.retrans_timeout_events",
    "host.clock.offset",
    "host.cpu.frequency",
    "host.cpu.iowait",
    "host.temperature.max",
    "neuron.core.flops",
    "neuron.core.flops:odd",
    "neuron.ecc.mem.corrected",
    "site.fans",
)
COUNTERS = np.array([name.startswith(("efa", "neuron.ecc")) for name in NAMES])
LEVELS = np.array([0.0, 0.0, 2.9e9, 0.004, 58, 9e13, 1e12, 0.0, 40])


def window(chance: np.random.Generator, nodes: int, names: Sequence[str] = NAMES) -> Signals:
    values = LEVELS * (1 + 0.02 * chance.standard_normal((nodes, len(NAMES))))
    values[:, COUNTERS] = chance.poisson(0.02, (nodes, int(COUNTERS.sum()))) / 10
    kept = [NAMES.index(name) for name in names]
    return Signals(tuple(names), COUNTERS[kept], np.full(nodes, 10.0), values[:, kept])


def altered(signals: Signals, values: Floats) -> Signals:
    return Signals(signals.names, signals.counters, signals.seconds, values)


def none(nodes: int) -> np.ndarray:
    return np.zeros(nodes, dtype=int)


def pushed(windows: Sequence[Signals], cohort: np.ndarray | None = None) -> SignalScores:
    scores = SignalScores()
    for one in windows:
        nodes = len(one.seconds)
        scores.push(one, none(nodes) if cohort is None else cohort, np.ones(nodes, bool))
    return scores


def state(scores: SignalScores) -> bytes:
    return msgspec.msgpack.encode(scores.freeze())


def test_healthy_nodes_stay_below_what_counts_as_held():
    chance = np.random.default_rng(1)
    scores = pushed([window(chance, 64) for _ in range(50)])
    assert np.abs(scores.smooth).max() < 3
    assert not scores.held.any()


def test_bad_signals_stand_out_in_the_direction_that_is_bad_and_explain_themselves():
    chance = np.random.default_rng(2)
    windows = []
    for _ in range(12):
        one = window(chance, 16)
        one.values[3, NAMES.index("host.cpu.frequency")] = 1.5e9
        one.values[3, NAMES.index("neuron.ecc.mem.corrected")] = 20
        one.values[3, NAMES.index("host.cpu.iowait")] = 0
        one.values[3, NAMES.index("host.clock.offset")] = 5
        windows.append(one)
    scores = pushed(windows)
    evidence = scores.strength(3)
    assert {one.signal for one in evidence[:2]} == {"host.cpu.frequency", "neuron.ecc.mem.corrected"}
    assert evidence[0].windows >= 8
    frequency = next(one for one in evidence if one.signal == "host.cpu.frequency")
    assert frequency.value == 1.5e9
    assert frequency.score < -4
    assert 2.7e9 < frequency.typical < 3.1e9
    assert "host.clock.offset" not in {one.signal for one in evidence}
    assert scores.overall.argmax() == 3


def test_one_bad_node_among_four_is_found_and_its_peers_are_not():
    chance = np.random.default_rng(3)
    windows = []
    for _ in range(20):
        one = window(chance, 4)
        one.values[2, NAMES.index("neuron.core.flops")] *= 0.6
        windows.append(one)
    assert (pushed(windows).held[:, NAMES.index("neuron.core.flops")] > 0).tolist() == [False, False, True, False]


def test_cohorts_are_compared_within_themselves_and_lone_nodes_with_all():
    chance = np.random.default_rng(4)
    one = window(chance, 41)
    one.values[20:, NAMES.index("neuron.core.flops")] *= 3
    cohort = np.array([0] * 20 + [1] * 20 + [2])
    found = SignalScores().push(one, cohort, np.ones(41, bool))[:, NAMES.index("neuron.core.flops")]
    assert np.abs(found[:40]).max() < 5
    assert np.isfinite(found[40])


def test_rare_events_are_judged_by_their_count():
    one = window(np.random.default_rng(5), 32)
    column = NAMES.index("neuron.ecc.mem.corrected")
    one.values[:, column] = 0
    one.values[0, column] = 0.1
    one.values[1, column] = 10
    found = SignalScores().push(one, none(32), np.ones(32, bool))[:, column]
    assert 0 < found[0] < 2
    assert found[1] > 10


odd_numbers = st.sampled_from([0.0, -0.0, 1.0, -1.0, 1e300, -1e300, 1e-300, np.nan, np.inf, -np.inf])


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 9), st.lists(st.lists(odd_numbers, min_size=9, max_size=9), min_size=0, max_size=9), st.data()
)
def test_nothing_degenerate_fails_and_no_score_is_infinite(seed, rows, data):
    nodes = len(rows)
    values = np.array(rows).reshape(nodes, len(NAMES))
    seconds = np.array(data.draw(st.lists(odd_numbers, min_size=nodes, max_size=nodes)), dtype=float)
    active = np.array(data.draw(st.lists(st.booleans(), min_size=nodes, max_size=nodes)), dtype=bool)
    cohort = np.random.default_rng(seed).integers(-1, 2, nodes)
    scores = SignalScores()
    for _ in range(3):
        found = scores.push(Signals(NAMES, COUNTERS, seconds, values), cohort, active)
        assert not np.isinf(found).any()
        assert np.isnan(found[~active]).all()
    assert np.isfinite(scores.smooth).all()
    assert np.isfinite(scores.overall).all()
    assert np.isfinite(scores.relative(np.arange(nodes))).all()
    for slot in range(nodes):
        assert all(np.isfinite([one.value, one.typical]).all() for one in scores.strength(slot))


def test_constant_equal_and_unknown_columns_and_few_nodes_raise_no_alarm():
    for nodes in (1, 2, 3, 8):
        for value in (0.0, 7.0, np.nan, np.inf):
            one = Signals(NAMES, COUNTERS, np.full(nodes, 10.0), np.full((nodes, len(NAMES)), value))
            scores = pushed([one] * 10)
            assert scores.overall.max() < 1e-6
            assert scores.strength(0) == []


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000))
def test_order_of_nodes_changes_nothing(seed):
    chance = np.random.default_rng(seed)
    nodes = int(chance.integers(1, 40))
    order, cohort = chance.permutation(nodes), chance.integers(-1, 4, nodes)
    windows = [window(chance, nodes) for _ in range(4)]
    for one in windows:
        one.values[chance.random(one.values.shape) < 0.05] = np.nan
    straight = pushed(windows, cohort)
    mixed = pushed([altered(one, one.values[order]) for one in windows], cohort[order])
    assert (straight.smooth[order] == mixed.smooth).all()
    assert (straight.overall[order] == mixed.overall).all()


def test_going_on_from_a_snapshot_gives_the_same_bytes_while_names_and_slots_come_and_go():
    chance = np.random.default_rng(6)
    windows = [window(chance, 8, NAMES[:4]), window(chance, 8), window(chance, 12, NAMES[2:]), window(chance, 12)]
    whole = pushed(windows)
    first = pushed(windows[:2])
    second = SignalScores()
    second.restore(msgspec.msgpack.decode(state(first), type=SignalScoresState))
    for one in windows[2:]:
        second.push(one, none(12), np.ones(12, bool))
    assert state(second) == state(whole)
    assert whole.names == NAMES


def test_vacated_slots_are_forgotten():
    chance = np.random.default_rng(7)
    windows = [window(chance, 8) for _ in range(8)]
    for one in windows:
        one.values[5] *= 4
    scores = pushed(windows)
    assert scores.held[5].any()
    scores.vacate(5)
    scores.vacate(500)
    assert not scores.held[5].any()
    assert not scores.smooth[5].any()


def test_names_tell_kind_direction_cause_and_hardness():
    flops = known_trait("neuron.core.flops:odd")
    assert flops is not None
    assert (flops.kind, flops.bad) == (Kind.PART, Bad.LOWER)
    assert known_trait("site.fans") is None
    tx = known_trait("efa.tx_bytes")
    assert tx is not None
    assert tx.kind is Kind.SIZE
    assert cause_of("efa.rx_drops") is Cause.NETWORK
    assert cause_of("neuron.ecc.mem.corrected:odd") is Cause.MEMORY
    assert cause_of("host.pressure.io") is Cause.STORAGE
    assert cause_of("site.fans") is Cause.UNKNOWN
    assert is_hard("neuron.status.hw_dma_abort_error")
    assert not is_hard("neuron.status.hw_collectives_error")
    assert not is_hard("neuron.ecc.mem.corrected")
