import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from detectors.together import together

SHARE = 0.2


def excused(off: list[int], cohort: ArrayLike, **domains: ArrayLike) -> list[int]:
    cohorts = np.asarray(cohort)
    slow = np.zeros(len(cohorts), dtype=bool)
    slow[off] = True
    numbers = {label: np.asarray(number) for label, number in domains.items()}
    return np.flatnonzero(together(slow, cohorts, numbers, SHARE).nodes).tolist()


def test_one_node_is_never_a_crowd() -> None:
    assert excused([2], [0] * 4) == []


def test_two_of_eight_are_two_culprits_and_two_of_four_are_not() -> None:
    assert excused([0, 1], [0] * 8) == []
    assert excused([0, 1], [0] * 4) == [0, 1]


def test_thirty_per_cent_of_the_peers_together_are_nobodys_fault() -> None:
    assert excused([0, 3, 6], [0] * 10) == [0, 3, 6]


def test_three_of_many_are_no_crowd() -> None:
    assert excused([0, 3, 6], [0] * 20) == []


def test_slow_nodes_of_another_cohort_do_not_count() -> None:
    assert excused([0, 8, 16], [0] * 8 + [1] * 8 + [2] * 8) == []


@pytest.mark.parametrize("label", ["rack", "ultraserver", "rail"])
def test_fault_domain_that_slowed_together_is_named_and_its_nodes_are_excused(label: str) -> None:
    slow = np.zeros(24, dtype=bool)
    slow[[4, 5, 7]] = True
    found = together(slow, np.zeros(24, int), {label: np.arange(24) // 4, "other": np.arange(24) % 2}, SHARE)
    assert found.domains == ((label, 1),)
    assert np.flatnonzero(found.nodes).tolist() == [4, 5, 7]


def test_half_of_a_rack_is_not_the_rack() -> None:
    assert excused([4, 5, 6], [0] * 24, rack=np.arange(24) // 6) == []


def test_rack_excuses_only_its_own() -> None:
    assert excused([4, 5, 6, 7, 20], [0] * 32, rack=np.arange(32) // 4) == [4, 5, 6, 7]


def test_rack_that_holds_the_whole_job_says_nothing_of_the_rack() -> None:
    slow = np.ones(6, dtype=bool)
    assert together(slow, np.zeros(6, int), {"rack": np.zeros(6, int)}, SHARE).domains == ()


def test_rack_is_judged_by_the_nodes_that_are_compared() -> None:
    cohort = np.zeros(24, int)
    cohort[7] = -1  # left the job: three of the rack's three remaining nodes are slow
    assert excused([4, 5, 6], cohort, rack=np.arange(24) // 4) == [4, 5, 6]


def test_unknown_domain_is_no_domain() -> None:
    rack = np.full(24, -1)
    rack[20:] = 0
    assert excused([1, 2, 3], [0] * 24, rack=rack) == []


@given(st.lists(st.tuples(st.booleans(), st.integers(-1, 2), st.integers(-1, 3)), max_size=20))
def test_nobody_is_excused_who_is_not_off(nodes: list[tuple[bool, int, int]]) -> None:
    off, cohort, rack = (
        np.array(column, dtype=kind)
        for column, kind in zip(zip(*nodes, strict=True) if nodes else ((), (), ()), (bool, int, int), strict=True)
    )
    found = together(off, cohort, {"rack": rack}, SHARE)
    assert not (found.nodes & ~off).any()
    assert bool(found.domains) <= bool(found.nodes.any())
