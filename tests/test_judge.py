"""What the judge says of whole situations, window after window."""

import numpy as np
import pytest

from detectors.judge import Judge
from detectors.observed import Floats
from detectors.verdict import Cause, Role, Status
from tests.judged import (
    POLICY,
    SECONDS,
    START,
    Fleet,
    accused,
    accuses,
    judged,
    repeat,
    slowed,
    suspected,
    totals,
)

FLEET = Fleet()

LAST = FLEET.nodes - 1

"""A node of the last stage, where slowness shows in full: nothing comes after it."""

CULPRIT = (Status.STRAGGLER, Role.CULPRIT)


def test_group_of_four_as_in_the_public_trace_is_decided() -> None:
    own = np.ones(16)
    own[:4] = [2.35, 1.004, 1.0, 0.999]
    stage, replica = np.repeat(range(4), 4), np.tile(range(4), 4)
    reading = judged(repeat(totals(own, stage=stage, replica=replica), 30))[-1]
    assert list(reading.conclusions) == [0]
    said = reading.conclusions[0]
    assert (said.status, said.role, said.cause) == (*CULPRIT, Cause.COMPUTE)
    # A step is the longest path: 2.35 with it; without it the last of the stages, 1 + 3 others' / 32.
    assert said.slowdown == pytest.approx((2.35 - (1 + 3.0 / 32)) / 2.35, abs=0.01)


@pytest.mark.parametrize(("factor", "windows"), [(3.0, 4), (2.0, 4), (1.2, 25), (1.1, 90)])
def test_slow_node_is_accused_in_time_and_nobody_else(factor: float, windows: int) -> None:
    onset = 10
    found = accused(judged(FLEET.windows(onset + windows, slowed(LAST, factor, onset))))
    assert found.keys() == {LAST}
    assert found[LAST] - onset < windows


def test_five_per_cent_in_a_group_of_four_is_found_within_an_hour() -> None:
    # Noise and lasting differences of the public trace; one step a window, as where steps are long.
    fleet = Fleet(stages=4, ranks=1, steps=1, noise=0.0045, spread=0.0057)
    found = suspected(judged(fleet.windows(360, slowed(LAST, 1.05))))
    assert found.keys() == {LAST}


def test_three_times_slower_in_one_step_of_ten_is_found_like_a_fifth_slower_in_all() -> None:
    def now_and_then(number: int, factor: Floats) -> None:
        factor[number % 10, LAST] *= 3

    rare = accused(judged(FLEET.windows(40, now_and_then)))
    steady = accused(judged(FLEET.windows(40, slowed(LAST, 1.2))))
    assert rare.keys() == steady.keys() == {LAST}
    assert abs(rare[LAST] - steady[LAST]) <= 3


def test_single_slow_rank_is_found_and_its_device_named() -> None:
    said = judged(Fleet(ranks=4).windows(40, slowed(LAST, 1.3, rank=2)))[-1].conclusions
    assert list(said) == [LAST]
    assert (said[LAST].role, said[LAST].device) == (Role.CULPRIT, 2)


def test_node_that_is_slow_as_a_whole_has_no_device_at_fault() -> None:
    assert judged(FLEET.windows(40, slowed(LAST, 1.3)))[-1].conclusions[LAST].device is None


@pytest.mark.parametrize(
    ("section", "cause"), [("compute", Cause.COMPUTE), ("data", Cause.INPUT), ("host", Cause.HOST)]
)
def test_cause_is_the_section_that_takes_longer(section: str, cause: Cause) -> None:
    sections = {name: np.full(8, 0.3) for name in ("compute", "data", "host")}
    sections[section][5] = 1.2
    said = judged(repeat(totals(sections["compute"], sections=sections, duration=1.9), 30))[-1].conclusions
    assert {slot: (one.role, one.cause) for slot, one in said.items()} == {5: (Role.CULPRIT, cause)}
    own, first = said[5].evidence[:2]
    assert (own.signal, own.value, own.typical) == ("steps.own", pytest.approx(1.8), pytest.approx(0.9))
    assert (first.signal, first.value, first.typical) == (
        f"steps.{section}",
        pytest.approx(1.2),
        pytest.approx(0.3),
    )


def test_two_equally_slow_nodes_do_not_excuse_each_other() -> None:
    said = judged(Fleet(stages=1).windows(40, slowed([3, 12], 1.3)))[-1].conclusions
    assert {slot: (one.status, one.role) for slot, one in said.items()} == {3: CULPRIT, 12: CULPRIT}
    assert min(one.slowdown for one in said.values()) == pytest.approx(0.3 / 1.35, abs=0.02)


def test_slowdown_is_the_share_of_the_step_that_would_go() -> None:
    own = np.ones(8)
    own[3] = 1.5
    said = judged(repeat(totals(own, duration=2.5, replica=range(8)), 40))[-1].conclusions
    assert said[3].slowdown == pytest.approx(0.5 / 2.5)


def test_confidence_grows_with_the_evidence_and_since_is_where_it_began() -> None:
    judge = Judge(POLICY)
    said = [judge.judge(window).conclusions for window in FLEET.windows(60, slowed(LAST, 1.2, since=10))]
    told = [one[LAST].confidence for one in said if LAST in one and accuses(one[LAST])]
    assert told == sorted(told)
    assert 0.8 <= told[0] < told[-1] <= 0.99
    assert judge.since(LAST) == START + 10 * SECONDS
    assert judge.windows(LAST) == 50


def test_acquitted_node_begins_anew_and_one_that_stays_slow_is_found_again() -> None:
    judge = Judge(POLICY)
    windows = list(FLEET.windows(60, slowed(LAST, 1.3)))
    for window in windows[:30]:
        judge.judge(window)
    judge.acquit(np.array([LAST]))
    assert not judge.judge(windows[30]).conclusions
    assert {LAST} == set().union(*(judge.judge(window).conclusions for window in windows[31:]))


def test_what_is_said_of_a_second_spell_is_not_coloured_by_the_first() -> None:
    judge = Judge(POLICY)
    for window in Fleet(stages=1).windows(30, slowed(LAST, 2.0)):
        judge.judge(window)
    judge.acquit(np.array([LAST]))
    for window in Fleet(stages=1).windows(30, slowed(LAST, 1.3)):
        said = judge.judge(window).conclusions
    assert said[LAST].evidence[0].value == pytest.approx(1.3, abs=0.01)


def test_slot_that_another_node_takes_has_no_past() -> None:
    judge = Judge(POLICY)
    for window in FLEET.windows(30, slowed(LAST, 2.0)):
        judge.judge(window)
    judge.vacate(LAST)
    judge.vacate(999)
    for window in FLEET.windows(30):
        assert not judge.judge(window).conclusions
