"""The two forms of a case say the same, and disorder changes nothing but the order."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from collectors.telemetry import Telemetry, decode, encode
from detectors.held import Packer
from detectors.observed import SECTIONS
from detectors.window import Window
from simulation.case import START, Case, Disturbance, Fault, FaultKind, Noise, Shape
from simulation.disorder import Disorder, arrivals, disordered
from simulation.records import records
from simulation.stream import scenes, windows
from simulation.windowed import odd

CASE = Case(
    seed=11,
    name="both",
    shape=Shape(16, stages=2, experts=2, tensor=2),
    minutes=10,
    noise=Noise(work=0.1, given=True),
    faults=(Fault(FaultKind.MEMORY, (3,), 200, factor=1.4, rank=1),),
    disturbances=frozenset({Disturbance.CHECKPOINT, Disturbance.LOST, Disturbance.CLOCK_SKEW, Disturbance.QUIET}),
)


def by_period(case: Case) -> dict[float, dict[int, Telemetry]]:
    found: dict[float, dict[int, Telemetry]] = {}
    for record in records(case):
        found.setdefault(record.time, {})[int(record.node[-4:])] = record
    return found


def test_records_sum_up_to_the_arrays_of_the_windows():
    period = by_period(CASE)
    for window in windows(CASE):
        assert window.end - window.start == CASE.period
        there = period[window.end]
        assert set(there) == set(np.flatnonzero(window.active))
        for node, record in there.items():
            steps, totals = record.steps, window.totals
            assert steps.count == totals.count[node].tolist()
            if not steps.count[0]:
                continue
            assert steps.first_step == totals.first[node].tolist()
            assert steps.last_step == totals.last[node].tolist()
            for name in ("duration", "slowest", "work"):
                assert np.allclose(getattr(steps, name), getattr(totals, name)[node], rtol=1e-6)
            for index, section in enumerate(SECTIONS):
                told = steps.sections[section]
                assert np.allclose(told, totals.sections[index, node], rtol=1e-6)
            assert record.ranks.stage == totals.depth[node].tolist()
            assert record.ranks.dp == totals.pipeline[node].tolist()
            assert record.ranks.device == totals.device[node].tolist()


def test_a_detectors_window_makes_the_same_arrays_of_the_records():
    period, packer, window = by_period(CASE), Packer(), Window()
    for ours in windows(CASE):
        window.clear()
        there = period[ours.end]
        window.add(list(there), [packer.pack(record, 0) for record in there.values()])
        totals, signals, nodes = window.totals(16), window.signals(16), list(there)
        for name in ("count", "first", "last", "duration", "slowest", "work", "depth", "pipeline", "device"):
            made, wanted = (np.asarray(getattr(one, name))[nodes, :4] for one in (totals, ours.totals))
            assert np.allclose(made, wanted, rtol=1e-6, equal_nan=True), name
        made, wanted = totals.sections[:, nodes, :4], ours.totals.sections[:, nodes]
        assert np.allclose(made[:, totals.count[nodes, 0] > 0], wanted[:, totals.count[nodes, 0] > 0], rtol=1e-6)
        assert signals.names == ours.signals.names
        assert np.array_equal(signals.counters, ours.signals.counters)
        assert np.allclose(signals.values[nodes], ours.signals.values[nodes], rtol=1e-5, atol=1e-6)


def test_signals_of_records_are_those_of_the_windows():
    period = by_period(CASE)
    for window in windows(CASE):
        for node, record in period[window.end].items():
            told = {}
            for counter, source in ((False, record.gauges), (True, record.counters)):
                for name, value in source.items():
                    entries = np.atleast_1d(value) / (CASE.period if counter else 1)
                    told[name] = entries.sum() if counter else entries.mean()
                    if isinstance(value, list):
                        told[name + ":odd"] = odd(entries)
            names = list(window.signals.names)
            assert sorted(told) == names
            values = window.signals.values[node]
            assert np.allclose([told[name] for name in names], values, rtol=1e-5, atol=1e-7)


def test_a_record_survives_the_wire_and_says_what_a_scene_says():
    case = replace(CASE, faults=(Fault(FaultKind.HANG, (3,), 200, rank=1),))
    scene = list(scenes(case))[-1]
    last = [record for record in records(case) if record.time == scene.time]
    for record in last:
        assert decode(encode(record)) == record
        node = int(record.node[-4:])
        assert record.steps.current == [scene.latest.sections[index] for index in scene.latest.current[node]]
        assert np.allclose(record.steps.current_age, scene.latest.age[node])
        assert record.steps.last_step == scene.latest.last_step[node].tolist()


def test_peaks_lie_between_the_mean_and_the_slowest():
    for record in records(replace(CASE, minutes=3)):
        if record.steps.sections is None:
            continue
        for name, highest in record.steps.peak.items():
            summed, count = np.array(record.steps.sections[name]), record.steps.count[0]
            assert (np.array(highest) * (1 + 1e-5) >= summed / count).all()
            assert (np.array(highest) <= np.array(record.steps.slowest) * (1 + 1e-5)).all()


@pytest.mark.parametrize("seed", range(3))
def test_disorder_keeps_records_within_their_delay(seed):
    stream = list(records(replace(CASE, minutes=4)))
    disorder = Disorder(late=0.2, repeated=0.1, reordered=0.5)
    arrived = list(disordered(stream, disorder, seed))
    assert arrived == list(disordered(stream, disorder, seed))
    assert {record.identity for record in arrived} == {record.identity for record in stream}
    again = Counter(record.identity for record in arrived)
    assert max(again.values()) == 2
    newest = START
    for record in arrived:
        newest = max(newest, record.time)
        assert newest - record.time <= 2 * disorder.delay + 3
    assert arrived != stream


def test_lost_records_never_come_and_order_is_kept_without_disorder():
    stream = list(records(replace(CASE, minutes=4)))
    assert list(disordered(stream, Disorder(), 1)) == stream
    some = list(disordered(stream, Disorder(lost=0.2), 1))
    assert 0 < len(some) < len(stream)
    assert [record for record in stream if record in some] == some
    assert list(arrivals(replace(CASE, minutes=4))) == stream
