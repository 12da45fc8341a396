"""Gauges, counters, stances and fault domains of records, in the arrays of a window."""

import math
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.telemetry import Telemetry, decode_compared
from detectors.held import MOST_SIGNALS, Packer
from detectors.packing import reduced
from detectors.window import Window
from tests.fleet import START, Fleet

replace = msgspec.structs.replace
RECORD, NEXT = Fleet(nodes=1, noise=0.0).records(2)
NAN = math.nan


def window_of(*records: Telemetry, slots: list[int] | None = None) -> Window:
    window, packer = Window(), Packer()
    for record, slot in zip(records, slots or [0] * len(records), strict=True):
        window.add([slot], [packer.pack(record, 0)])
    return window


def signals_of(*records: Telemetry) -> dict[str, float]:
    signals = window_of(*records).signals(1)
    return dict(zip(signals.names, signals.values[0].tolist(), strict=True))


def measured(record: Telemetry = RECORD, **changes: Any) -> Telemetry:
    return replace(record, **changes)


def test_gauge_is_the_mean_over_time_of_the_records_that_have_it():
    found = signals_of(
        measured(gauges={"host.load1": 1.0}, period=10.0),
        measured(NEXT, gauges={"host.load1": 4.0}, period=20.0),
        measured(NEXT, gauges={"host.load1": None}, period=70.0),
    )
    assert found == {"host.load1": 3.0}


def test_counter_is_per_second_of_the_records_that_have_it():
    window = window_of(
        measured(counters={"net.rx_drops": 5}, period=10.0),
        measured(NEXT, counters={"net.rx_drops": None}, period=10.0),
        measured(NEXT, counters={}, gauges={"a": 1.0}, period=10.0),
        measured(NEXT, counters={"net.rx_drops": 10}, period=20.0),
    )
    signals = window.signals(1)
    assert signals.names == ("a", "net.rx_drops")
    assert signals.counters.tolist() == [False, True]
    assert signals.values[0].tolist() == [1.0, 0.5]
    assert signals.seconds.tolist() == [50.0]


def test_list_gives_its_mean_or_sum_and_the_odd_one():
    gauge, counter = [1.0, 1.0, 1.0, 9.0], [0, None, 0, 0, 0, 30]
    found = signals_of(measured(gauges={"g": gauge}, counters={"c": counter}, period=10.0))
    assert found == {"g": 3.0, "g:odd": 8.0, "c": 3.0, "c:odd": 3.0}


def test_never_measured_is_unknown_and_a_node_without_signals_too():
    window = window_of(measured(gauges={"a": None, "b": [None, None]}), RECORD, slots=[0, 3])
    signals = window.signals(5)
    assert signals.names == ("a", "b", "b:odd")
    assert np.isnan(signals.values).all()
    assert signals.seconds.tolist() == [10.0, 0.0, 0.0, 10.0, 0.0]


@pytest.mark.parametrize("value", [1e31, -1e31, 1e300, float("inf"), NAN, 10**400])
def test_absurd_values_are_unknown(value: float):
    found = signals_of(measured(gauges={"a": value, "b": [value, 1.0, 3.0], "c": [value]}))
    np.testing.assert_equal(found, {"a": NAN, "b": 2.0, "b:odd": 1.0, "c": NAN, "c:odd": NAN})


def test_signals_of_a_record_without_steps_count():
    found = signals_of(measured(ranks=None, steps=None, gauges={"a": 2.0}))
    assert found == {"a": 2.0}


def test_too_many_signals_and_those_without_a_sensible_name_are_set_aside_and_counted():
    window = window_of(measured(gauges={f"g{number}": 1.0 for number in range(300)}))
    assert len(window.signals(1).names) == MOST_SIGNALS
    assert window.beyond == 300 - MOST_SIGNALS
    window = window_of(measured(gauges={"a:odd": 1.0, "": 1.0, "x" * 300: 1.0, "a": 1.0}, counters={"a": 1.0}))
    assert window.signals(1).names == ("a",)
    assert window.beyond == 4


def test_list_of_absurd_length_is_unknown():
    assert math.isnan(signals_of(measured(gauges={"a": [1.0] * 1025}))["a"])


def test_next_window_begins_without_signals():
    window = window_of(measured(gauges={"a": 2.0}))
    assert not window.empty
    window.clear()
    assert window.empty
    assert np.isnan(window.signals(1).values).all()
    assert window.signals(1).seconds.tolist() == [0.0]


@given(st.lists(st.none() | st.floats(-1e6, 1e6) | st.sampled_from([1.0, 1e300, NAN]), max_size=20))
def test_reduced_list_lies_within_its_list(values: list[float | None]):
    mean, total, odd = reduced(values)
    known = [value for value in values if value is not None and abs(value) <= 1e30]
    if not known:
        assert math.isnan(mean)
        return
    assert mean == pytest.approx(np.mean(known), abs=1e-6)
    assert total == pytest.approx(np.sum(known), abs=1e-5)
    assert abs(odd) <= max(known) - min(known) + 1e-6


@given(st.floats(-1e3, 1e3), st.integers(3, 40), st.floats(1, 1e3), st.booleans())
def test_one_odd_entry_is_found_to_its_size(usual: float, rows: int, far: float, below: bool):
    apart = -far if below else far
    _, _, odd = reduced([usual] * (rows - 1) + [usual + apart])
    assert odd == pytest.approx(apart, abs=1e-6)


def test_latest_is_the_newest_record_and_outlasts_the_window():
    steps = {"current": ["collective", None], "current_age": [3.5, None], "alive": [True, False]}
    record = replace(NEXT, steps=replace(NEXT.steps, **steps, last_end=[START + 9.5, START + 9.25]))
    window = window_of(RECORD, record)
    window.clear()
    latest = window.latest(2)
    assert latest.time[0] == NEXT.time
    assert math.isnan(latest.time[1])
    assert latest.sections == ("collective",)
    assert latest.current[0, :3].tolist() == [0, -1, -1]
    np.testing.assert_equal(latest.age[0, :2], [3.5, NAN])
    assert latest.alive[0, :3].tolist() == [1, 0, -1]
    assert latest.last_step[0, :3].tolist() == [19, 19, -1]
    assert latest.last_end[0, 0] == START + 9.5
    assert latest.rank[0, :3].tolist() == [0, 1, -1]
    window.vacate(0)
    assert math.isnan(window.latest(1).time[0])
    assert window.latest(1).rank.max() == -1


def test_hanging_node_tells_where_it_stands():
    steps = replace(NEXT.steps, count=[0, 0], duration=[None] * 2, sections=None, current=["collective", "data"])
    window = window_of(RECORD, replace(NEXT, steps=steps))
    assert window.latest(1).current[0, :2].tolist() == [0, 1]
    assert window.totals(1).count[0, :2].tolist() == [10.0, 10.0]


def test_record_without_steps_leaves_nothing_known_of_ranks_but_their_places():
    steps = replace(RECORD.steps, current=["data"] * 2, alive=[True] * 2)
    window = window_of(replace(RECORD, steps=steps), replace(NEXT, ranks=None, steps=None))
    latest = window.latest(1)
    assert latest.current.max() == latest.alive.max() == latest.last_step.max() == -1
    assert latest.rank[0, :2].tolist() == [0, 1]


def test_parts_tell_tensor_and_expert_roles_apart_and_stages_do_not():
    ranks = replace(RECORD.ranks, tp=[0, 1], ep=[0, 0], dp=[6, 7], rank=[41, 40], stage=[2, 2])
    window = window_of(
        replace(RECORD, ranks=ranks), replace(RECORD, ranks=replace(ranks, dp=[8, None])), slots=[0, 1]
    )
    totals = window.totals(2)
    assert totals.part[:, :2].tolist() == [[0, 1], [0, 1]]
    assert totals.stage[:, :2].tolist() == [[0, 0], [0, 0]]
    assert totals.depth[:, :3].tolist() == [[2, 2, -1], [2, 2, -1]]
    assert totals.pipeline[:, :3].tolist() == [[6, 7, -1], [8, -1, -1]]
    assert window.latest(1).rank[0, :3].tolist() == [41, 40, -1]


def test_fault_domains_are_numbered_in_order_of_appearance():
    def at(**labels: str) -> Telemetry:
        return replace(RECORD, labels={"instance_type": "trn2.48xlarge", **labels})

    window = window_of(at(rack="r7", az="a"), at(rack="r3"), at(rack="r7"), RECORD, slots=[0, 1, 2, 3])
    domains = {label: numbers.tolist() for label, numbers in window.domains(5).items()}
    assert domains == {"rack": [0, 1, 0, -1, -1], "az": [0, -1, -1, -1, -1]}
    assert [window.domain_name("rack", number) for number in (0, 1, 2, -1)] == ["r7", "r3", None, None]
    window.add([0], [Packer().pack(at(rack="r3"), 0)])
    window.vacate(1)
    assert window.domains(2)["rack"].tolist() == [1, -1]
    assert window.domains(2)["az"].tolist() == [-1, -1]


def test_numbers_are_the_same_after_a_restart():
    ranks = replace(RECORD.ranks, tp=[1, 0])
    first = replace(RECORD, ranks=ranks, labels={"rack": "r7"}, counters={"c": 1.0})
    before = window_of(first)
    numbering = msgspec.msgpack.decode(msgspec.msgpack.encode(before.numbering), type=type(before.numbering))
    after = Window()
    after.restore(numbering)
    other = replace(RECORD, labels={"rack": "r1"}, gauges={"a": 1.0, "c": 2.0})
    for window in (before, after):
        window.add([1], [Packer().pack(other, 0)])
        window.add([0], [Packer().pack(first, 0)])
    assert after.totals(2).part.tolist() == before.totals(2).part.tolist()
    assert after.totals(2).stage.tolist() == before.totals(2).stage.tolist()
    assert after.domains(2)["rack"].tolist() == before.domains(2)["rack"].tolist() == [0, 1]
    assert after.signals(2).names == before.signals(2).names == ("a", "c")
    assert after.numbering == before.numbering


_ANY = st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
_WHOLE = st.lists(st.none() | st.integers(), min_size=2, max_size=2)


@given(
    ranks=st.fixed_dictionaries(
        {
            "rank": st.lists(st.integers(), min_size=2, max_size=2),
            **dict.fromkeys(("stage", "tp", "ep", "dp", "device"), _WHOLE),
        }
    ),
    steps=st.fixed_dictionaries(
        {
            "current": st.lists(st.none() | st.text(), min_size=2, max_size=2),
            "last_end": st.lists(st.none() | st.floats(0, 1e11), min_size=2, max_size=2),
            **dict.fromkeys(("count", "first_step", "last_step"), _WHOLE),
        }
    ),
    gauges=st.dictionaries(st.text(), _ANY | st.lists(_ANY, max_size=4), max_size=4),
    labels=st.dictionaries(st.text(), st.text(), max_size=20),
)
def test_nothing_in_a_record_raises(ranks, steps, gauges, labels):
    changed = {"ranks": ranks, "steps": steps}
    base = msgspec.to_builtins(replace(RECORD, ranks=None, steps=None))
    line = msgspec.json.encode({**base, **changed, "gauges": gauges, "labels": labels})
    window = window_of(decode_compared(line), NEXT, slots=[0, 1])
    for read in (window.totals, window.signals, window.latest, window.domains):
        read(2)
    assert window.latest(2).rank[1, :2].tolist() == [0, 1]
