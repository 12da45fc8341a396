import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from detectors.persistence import Persistence
from detectors.policy import Policy

ALL = np.array([True])


def after(bad: list[bool]) -> Persistence:
    persistence = Persistence(Policy())
    for start, one in enumerate(bad):
        persistence.push(np.array([one]), ALL, float(start))
    return persistence


@given(st.lists(st.booleans(), min_size=1, max_size=20))
def test_held_means_four_of_the_last_five(bad: list[bool]) -> None:
    assert bool(after(bad).held[0]) == (sum(bad[-5:]) >= 4)


def test_one_good_window_among_bad_ones_does_not_end_it() -> None:
    persistence = after([False, True, True, False, True, True])
    assert persistence.held[0]
    assert persistence.since(0) == 1.0
    assert persistence.windows(0) == 4


def test_next_deviation_has_its_own_beginning() -> None:
    persistence = after([True] + [False] * 5 + [True])
    assert persistence.since(0) == 6.0
    assert persistence.windows(0) == 1


def test_window_without_comparison_counts_for_nothing() -> None:
    persistence = after([True, True, True])
    persistence.push(np.array([False]), np.array([False]), 9.0)
    assert persistence.good[0] == 0
    persistence.push(np.array([True]), ALL, 10.0)
    assert persistence.held[0]


def test_nodes_that_come_later_start_without_history() -> None:
    persistence = after([True] * 4)
    persistence.push(np.array([True, True]), np.array([True, True]), 9.0)
    assert persistence.held.tolist() == [True, False]


def test_vacated_slot_is_forgotten() -> None:
    persistence = after([True] * 5)
    persistence.vacate(0)
    assert not persistence.held[0]
