import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import ArrayLike

from detectors.cohorts import NO_COHORT, Cohorts, Grouping, find_cohorts
from tests.judged import totals

ENOUGH = 3


def grouped(stage: ArrayLike, part: ArrayLike | None = None, *, among: ArrayLike | None = None) -> Cohorts:
    stages = np.asarray(stage)
    window = totals(np.ones(stages.shape), stage=stages, part=part)
    everybody = np.ones(len(stages), dtype=bool)
    return find_cohorts(window, everybody if among is None else np.asarray(among), ENOUGH)


def alike(cohorts: Cohorts) -> list[set[int]]:
    """Cohorts as sets of slots."""
    members = [np.flatnonzero(cohorts.number == one) for one in np.unique(cohorts.number[cohorts.number >= 0])]
    return sorted((set(one.tolist()) for one in members), key=min)


def test_stages_are_compared_apart() -> None:
    cohorts = grouped([0, 0, 0, 0, 1, 1, 1, 1])
    assert alike(cohorts) == [{0, 1, 2, 3}, {4, 5, 6, 7}]
    assert cohorts.peers.tolist() == [3] * 8
    assert not cohorts.widened.any()


def test_nodes_with_several_stages_are_compared_rank_by_rank() -> None:
    cohorts = grouped([[0, 1], [1, 2]] * 4)
    assert alike(cohorts) == [{0, 2, 4, 6}, {1, 3, 5, 7}]
    assert cohorts.column.all()


def test_experts_are_compared_apart_while_each_has_enough_nodes() -> None:
    cohorts = grouped([0] * 8, part=[5, 6] * 4)
    assert alike(cohorts) == [{0, 2, 4, 6}, {1, 3, 5, 7}]
    assert not cohorts.widened.any()


def test_experts_with_too_few_nodes_share_a_cohort_which_says_so() -> None:
    cohorts = grouped([0] * 6, part=[5, 6, 7] * 2)
    assert alike(cohorts) == [{0, 1, 2, 3, 4, 5}]
    assert cohorts.widened.all()


def test_stage_is_never_left_aside() -> None:
    cohorts = grouped([0, 0, 1, 1])
    assert alike(cohorts) == [{0, 1}, {2, 3}]
    assert cohorts.peers.tolist() == [1] * 4
    assert not cohorts.widened.any()  # few peers, but all of them alike


def test_node_whose_layout_nobody_shares_is_compared_by_the_stage_that_most_others_have() -> None:
    # One of ten nodes holds the end of stage 0 and the beginning of stage 1.
    cohorts = grouped([[0, 0]] * 2 + [[0, 1]] + [[1, 1]] * 2)
    assert alike(cohorts) == [{0, 1, 2}, {3, 4}]
    assert cohorts.column[2].tolist() == [True, False]
    assert cohorts.column[[0, 1, 3, 4]].all()
    assert cohorts.widened.tolist() == [True, True, True, False, False]


def test_nodes_that_are_not_among_them_or_have_no_ranks_are_in_no_cohort() -> None:
    cohorts = grouped([[0], [0], [-1], [0], [0], [0]], among=[True, False, True, True, True, True])
    assert cohorts.number.tolist() == [0, NO_COHORT, NO_COHORT, 0, 0, 0]
    assert cohorts.peers.tolist() == [3, 0, 0, 3, 3, 3]


def test_with_stages_switched_off_everybody_is_compared_with_everybody() -> None:
    window = totals(np.ones(6), stage=[0, 0, 1, 1, 2, 2])
    assert alike(find_cohorts(window, np.ones(6, dtype=bool), ENOUGH, stages=False)) == [{0, 1, 2, 3, 4, 5}]


def test_nobody_at_all_makes_no_cohort() -> None:
    for cohorts in (
        grouped(np.zeros((0, 0), int)),
        grouped(np.full((3, 2), -1)),
        grouped([0] * 3, among=[False] * 3),
    ):
        assert (cohorts.number == NO_COHORT).all()
        assert not list(cohorts.blocks)


layouts = arrays(int, st.tuples(st.integers(0, 12), st.integers(1, 3)), elements=st.integers(-1, 2))


@settings(max_examples=50, deadline=None)
@given(layouts)
def test_blocks_hold_every_compared_node_once_and_only_its_peers(stage: np.ndarray) -> None:
    cohorts = grouped(stage)
    slots = [slot for block in cohorts.blocks for row in block for slot in row.tolist()]
    assert sorted(slots) == np.flatnonzero(cohorts.number != NO_COHORT).tolist()
    for block in cohorts.blocks:
        for row in block:
            assert len({int(cohorts.number[slot]) for slot in row}) == 1
            assert (cohorts.peers[row] == len(row) - 1).all()


@settings(max_examples=50, deadline=None)
@given(layouts, st.randoms(use_true_random=False))
def test_order_of_nodes_is_irrelevant(stage: np.ndarray, random: object) -> None:
    order = np.arange(len(stage))
    random.shuffle(order)
    before, after = grouped(stage), grouped(stage[order])
    back = np.argsort(order)
    assert sorted(map(sorted, alike(before))) == sorted(
        sorted(int(order[slot]) for slot in one) for one in alike(after)
    )
    assert before.widened.tolist() == after.widened[back].tolist()
    assert before.column.tolist() == after.column[back].tolist()


@settings(max_examples=50, deadline=None)
@given(layouts)
def test_compared_ranks_of_a_cohort_share_a_stage_where_layouts_differ(stage: np.ndarray) -> None:
    cohorts = grouped(stage)
    for one in alike(cohorts):
        members = sorted(one)
        if (stage[members] != stage[members[0]]).any():
            assert len(np.unique(stage[members][cohorts.column[members]])) == 1


@pytest.mark.parametrize("changed", ["stage", "part", "among"])
def test_cohorts_are_found_anew_when_parts_or_who_is_compared_change(changed: str) -> None:
    window, among = totals(np.ones(8), stage=[0, 0, 0, 0, 1, 1, 1, 1]), np.ones(8, dtype=bool)
    grouping = Grouping(ENOUGH)
    first = grouping.find(window, among)
    assert grouping.find(window, among) is first
    # In place: what was compared before must not change along.
    ({"stage": window.stage, "part": window.part}.get(changed, among))[0] = changed == "stage"
    if changed == "part":
        window.part[0] = 9
    assert grouping.find(window, among) is not first
