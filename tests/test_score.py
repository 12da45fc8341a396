"""Scores of small cases whose answer is known by hand."""

import numpy as np
import pytest

from detectors.verdict import Cause
from simulation.case import START, Case, Fault, FaultKind, Shape
from simulation.intervals import f1, quantile, rate, share
from simulation.outcome import Accused, Culprit, Outcome, Record, Said, culprits
from simulation.score import score


def outcome(*accused, culprit=None, rank=None, nodes=8, seconds=1800.0):
    return Outcome("s", "c", "d", nodes, seconds, True, True, (culprit,) if culprit else (), accused, rank)


def slow(factor=1.5, onset=600.0, device=None, slot=2):
    return Culprit(slot, FaultKind.COMPUTE, Cause.COMPUTE, device, factor, onset, 1800.0)


def test_who_is_accused_while_at_fault_is_found():
    scored = score("d", [outcome(Accused(2, 660.0, 660.0, Cause.COMPUTE), culprit=slow())])
    assert (scored.found, scored.missed, scored.false, scored.victims) == (1, 0, 0, 0)
    assert scored.delay_p50.value == 60
    assert scored.f1.value == 1
    assert scored.cause.value == 1


def test_an_accusation_before_the_onset_is_false_and_finds_nobody():
    scored = score("d", [outcome(Accused(2, 300.0), culprit=slow())])
    assert (scored.found, scored.missed, scored.false, scored.victims) == (0, 1, 1, 0)


def test_whoever_stood_accused_all_along_is_both_found_and_false():
    scored = score("d", [outcome(Accused(2, 300.0, 610.0), culprit=slow())])
    assert (scored.found, scored.false) == (1, 1)


def test_others_who_are_accused_while_one_is_at_fault_are_victims():
    scored = score("d", [outcome(Accused(2, 610.0, 610.0), Accused(5, 620.0), Accused(6, 100.0), culprit=slow())])
    assert (scored.found, scored.false, scored.victims) == (1, 2, 1)
    assert scored.precision.value == pytest.approx(1 / 3)


def test_rates_are_of_healthy_and_of_faulty_cases():
    cases = [outcome(), outcome(Accused(1, 10.0), Accused(3, 10.0)), outcome(culprit=slow())]
    scored = score("d", cases)
    assert scored.false_positives.value == 0.5
    assert scored.false_negatives.value == 1
    assert scored.rate.events == 2
    assert scored.rate.node_days == pytest.approx(2 * 8 * 1800 / 86400)


def test_a_wrong_device_is_told_from_none_at_fault():
    cases = [
        outcome(Accused(2, 610.0, 610.0, Cause.DEVICE, 1), culprit=slow(device=1)),
        outcome(Accused(2, 610.0, 610.0, Cause.DEVICE, 0), culprit=slow(device=1)),
        outcome(Accused(2, 610.0, 610.0, Cause.DEVICE, None), culprit=slow()),
    ]
    assert (score("d", cases).device.hits, score("d", cases).device.of) == (1, 2)


def test_the_least_slowdown_found_is_where_nine_of_ten_are():
    cases = [
        outcome(*([Accused(2, 610.0, 610.0)] if factor >= 1.2 else []), culprit=slow(factor=factor))
        for factor in np.repeat([1.05, 1.1, 1.2, 1.3], 10)
    ]
    assert score("d", cases).least == pytest.approx(1.2)
    assert score("d", [outcome(culprit=slow(factor=factor)) for factor in (1.1, 1.2)]).least is None


def test_who_is_not_among_the_suspects_is_not_among_three():
    cases = [outcome(culprit=slow(), rank=rank) for rank in (1, 3, 4, None)]
    assert score("d", cases).top_three.value == 0.5


def test_nothing_scores_nothing():
    scored = score("d", [])
    assert (scored.precision, scored.f1, scored.rate, scored.least) == (None, None, None, None)


def test_intervals_are_those_of_the_books():
    none = share(0, 100)
    assert none.low == 0
    assert none.high == pytest.approx(0.0370, abs=1e-4)
    assert rate(0, 1000).upper == pytest.approx(2.996, abs=1e-3)  # the rule of three
    assert rate(3, 1000).upper == pytest.approx(7.754, abs=1e-3)
    assert share(0, 0) is None
    assert rate(0, 0) is None
    assert quantile(np.zeros(0), 0.5) is None
    found = f1(np.array([1, 1]), np.array([0, 0]), np.array([0, 0]))
    assert (found.low, found.value, found.high) == (1, 1, 1)


def test_a_record_keeps_the_first_word_and_the_first_one_in_time():
    case = Case(1, "c", Shape(8), faults=(Fault(FaultKind.COMPUTE, (2,), 600.0, 900.0),))
    record = Record("s", case, "d")
    record.note(START + 500, {2: Said()})
    record.note(START + 600, {2: Said()})  # this window ended with the onset: nothing of the fault is in it
    record.note(START + 610, {2: Said(Cause.COMPUTE), 3: Said()})
    record.note(START + 1000, {4: Said()})
    record.rank(START + 610, {2: 2, 3: 1})
    record.rank(START + 1000, {4: 1})
    told = record.outcome()
    assert told.accused == (Accused(2, 500.0, 610.0, Cause.COMPUTE), Accused(3, 610.0), Accused(4, 1000.0))
    assert told.rank == 2


def test_nobody_is_at_fault_where_an_agent_dies_or_a_rack_slows():
    faults = (Fault(FaultKind.AGENT, (1,), 60.0), Fault(FaultKind.RACK, (0, 1, 2, 3), 60.0))
    assert culprits(Case(1, "c", Shape(8), faults=faults)) == ()
