"""What is no accusation: what slows nodes without being their fault, or cannot be told apart from it."""

import numpy as np
import pytest

from detectors.judge import Judge
from detectors.observed import Floats
from detectors.verdict import Role, Status
from tests.judged import (
    POLICY,
    Fleet,
    judged,
    observe,
    repeat,
    slowed,
    suspected,
    totals,
)

FLEET = Fleet()

LAST = FLEET.nodes - 1

"""A node of the last stage, where slowness shows in full: nothing comes after it."""


def roles(windows: list[Floats], **layout: object) -> dict[int, tuple[Status, Role]]:
    """What is said in the end of nodes whose own work is given."""
    said = judged(observe(totals(own, **layout), number) for number, own in enumerate(windows))[-1].conclusions
    return {slot: (one.status, one.role) for slot, one in said.items()}


CULPRIT = (Status.STRAGGLER, Role.CULPRIT)

COMMON = (Status.WATCH, Role.COMMON)

INCONCLUSIVE = (Status.WATCH, Role.INCONCLUSIVE)


def test_unequal_stages_accuse_nobody() -> None:
    windows = Fleet(stages=4, weight=(2.0, 1.0, 1.0, 1.7)).windows(100)
    assert not suspected(judged(windows))


def test_healthy_fleet_with_lasting_differences_accuses_nobody() -> None:
    readings = judged(Fleet(spread=0.02, noise=0.02).windows(200))
    assert not suspected(readings)
    assert readings[-1].well.all()


def test_unknown_rank_is_left_out_and_not_taken_for_a_fast_one() -> None:
    own = np.ones((8, 2))
    own[2] = own[3, 1] = np.nan
    reading = judged(repeat(totals(own), 60))[-1]
    assert not reading.conclusions
    assert reading.well.tolist() == [True, True, False, True, True, True, True, True]


def test_slow_node_in_a_light_stage_that_costs_no_time_is_watched_only() -> None:
    own = np.ones(16)
    own[8:] = 0.5
    own[11] = 0.6
    layout = {"stage": np.repeat([0, 1], 8), "replica": np.tile(range(8), 2)}
    assert roles([own] * 40, **layout) == {11: INCONCLUSIVE}


@pytest.mark.parametrize("nodes", [2, 3])
def test_with_too_few_peers_slowness_is_detected_and_not_attributed(nodes: int) -> None:
    own = np.ones(nodes)
    own[1] = 2.0
    assert roles([own] * 40) == {1: INCONCLUSIVE}


def test_experts_with_unequal_loads_are_not_accused_by_a_widened_cohort() -> None:
    # Three experts on two nodes each: too few of either to compare them apart.
    load = np.tile([1.0, 1.0, 2.0], 2)
    load[2] = 2.5
    found = roles([load] * 60, part=np.tile([0, 1, 2], 2))
    assert found
    assert set(found.values()) <= {INCONCLUSIVE, COMMON}


def test_experts_on_enough_nodes_are_compared_with_their_like() -> None:
    load = np.tile([1.0, 2.0], 5)
    part = np.tile([0, 1], 5)
    assert not roles([load] * 40, part=part)
    load[1] = 3.0
    assert roles([load] * 40, part=part) == {1: CULPRIT}


def test_nodes_whose_layout_nobody_shares_are_suspected_by_a_stage_they_share_and_not_accused() -> None:
    own, stage = np.ones((8, 2)), np.stack([np.zeros(8, int), np.arange(1, 9)], axis=1)
    own[4, 0] = 2.0
    assert roles([own] * 40, stage=stage) == {4: INCONCLUSIVE}
    own[4] = [1.0, 2.0]  # the stage that only this node has: nobody can say what is typical of it
    assert roles([own] * 40, stage=stage) == {}


def given_work(*, told: bool) -> list[int]:
    """Nodes that are ever suspected where some have a third more tokens in hand for an hour."""
    random, judge, found = np.random.default_rng(1), Judge(POLICY), set()
    for number in range(90):
        work = np.exp(random.normal(0, 0.05, 16))
        if number >= 30:
            work[5] *= 1.3
        window = totals(work**0.9, work=work if told else np.nan, replica=range(16))
        found |= judge.judge(observe(window, number)).conclusions.keys()
    return sorted(found)


def test_batches_of_unequal_size_are_nobodys_fault_where_work_is_told() -> None:
    assert given_work(told=True) == []
    assert given_work(told=False) == [5]


@pytest.mark.parametrize("factor", [5.0, 40.0])
def test_recompilation_accuses_nobody(factor: float) -> None:
    def compile_once(number: int, factors: Floats) -> None:
        if number in (30, 31, 32):
            factors[4, LAST] *= factor

    assert not suspected(judged(FLEET.windows(100, compile_once)))


def test_warm_up_of_a_node_accuses_nobody() -> None:
    def start(number: int, factors: Floats) -> None:
        if number < POLICY.warm_up:
            factors[:, LAST] *= 10

    readings = judged(FLEET.windows(20, start))
    assert not suspected(readings)
    assert readings[-1].evidence.max() == 0


def test_rack_that_slowed_together_is_common() -> None:
    nodes, rack = 32, np.arange(32) // 4
    own = np.ones(nodes)
    own[4:8] = 1.5
    reading = judged(repeat(totals(own), 40, domains={"rack": rack, "ultraserver": rack // 4}))[-1]
    assert {slot: one.role for slot, one in reading.conclusions.items()} == dict.fromkeys(range(4, 8), Role.COMMON)
    assert reading.together.domains == (("rack", 1),)
    assert all(one.status is Status.WATCH for one in reading.conclusions.values())


def test_thirty_per_cent_of_the_peers_together_are_common() -> None:
    own = np.ones(20)
    own[[0, 3, 6, 9, 12, 15]] = 1.4
    assert roles([own] * 40) == dict.fromkeys((0, 3, 6, 9, 12, 15), COMMON)


def test_node_that_waits_longer_than_its_peers_is_no_culprit() -> None:
    own, waits = np.ones(8), np.full(8, 0.6)
    own[3], waits[3] = 1.5, 0.1
    assert roles([own] * 40, sections={"collective": waits}, duration=1.6) == {3: CULPRIT}
    waits[3] = 1.1
    assert roles([own] * 40, sections={"collective": waits}, duration=2.6) == {3: INCONCLUSIVE}


def test_all_nodes_slower_together_accuse_nobody() -> None:
    assert not suspected(judged(FLEET.windows(60, slowed(list(range(16)), 2.0, since=20))))
