import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.observed import Floats, Integers
from detectors.step_model import _MICROBATCHES, Places, recovered

EXACT = 1e-9


def step(own: Floats, places: Places) -> float:
    """The model in its slowest form: every replica's path to every stage, the slowest node of a stage counting."""
    longest = 0.0
    stages = int(places.depth.max()) + 1
    for replica, stage in itertools.product(set(places.replica.tolist()), range(stages)):

        def slowest(depth: int, replica: int = replica) -> float:
            here = own[(places.replica == replica) & (places.depth == depth)]
            return float(here.max(initial=0.0))

        microbatches = _MICROBATCHES * stages
        before = sum(slowest(depth) for depth in range(stage)) / microbatches
        after = sum(slowest(depth) for depth in range(stage + 1, stages)) / microbatches
        forwards = (stages - 1 - stage) * slowest(stage) / microbatches / 3
        longest = max(longest, slowest(stage) + before + max(0.0, after - forwards))
    return longest


def brute_force(own: Floats, typical: Floats, suspects: Integers, places: Places) -> Floats:
    """The step with one suspect as it is, less the step with none; all other suspects are typical in both."""
    cured = np.where(suspects, np.minimum(own, typical), own)
    found = np.zeros(len(own))
    for slot in np.flatnonzero(suspects):
        one = cured.copy()
        one[slot] = own[slot]
        found[slot] = step(one, places) - step(cured, places)
    return found


def flat(nodes: int) -> Places:
    return Places(np.arange(nodes), np.zeros(nodes, int))


def alone(nodes: int, *slots: int) -> np.ndarray:
    suspects = np.zeros(nodes, dtype=bool)
    suspects[list(slots)] = True
    return suspects


def test_without_a_pipeline_all_of_the_excess_over_the_next_slowest_goes() -> None:
    own = np.array([2.35, 1.004, 1.0, 0.999])
    assert recovered(own, np.full(4, 1.0), alone(4, 0), flat(4)).tolist() == pytest.approx([1.346, 0, 0, 0])


def test_two_equally_slow_nodes_do_not_excuse_each_other() -> None:
    own = np.array([2.0, 2.0, 1.0, 1.0])
    assert recovered(own, np.ones(4), alone(4, 0, 1), flat(4)).tolist() == pytest.approx([1, 1, 0, 0])


def test_slow_node_in_a_light_stage_costs_nothing() -> None:
    places = Places(np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1]))
    own = np.array([0.5, 1.0, 2.0, 2.0])
    assert recovered(own, np.array([0.5, 0.5, 2.0, 2.0]), alone(4, 1), places)[1] == pytest.approx(0.5 / 16)


def test_first_stage_costs_what_it_is_longer_and_what_it_holds_up_the_others() -> None:
    places = Places(np.zeros(2, int), np.arange(2))
    assert recovered(np.array([3.0, 1.0]), np.ones(2), alone(2, 0), places)[0] == pytest.approx(3 - (1 + 1 / 16))


def test_where_replicas_are_not_known_the_slowest_node_of_each_stage_counts() -> None:
    places = Places(np.array([0, -1, 1]), np.zeros(3, int))
    assert recovered(np.array([1.0, 1.2, 2.0]), np.ones(3), alone(3, 2), places)[2] == pytest.approx(0.8)


def test_node_that_was_not_compared_neither_costs_nor_excuses() -> None:
    own = np.array([np.nan, 1.0, 2.0])
    places = Places(np.array([-1, 0, 1]), np.array([-1, 0, 0]))
    found = recovered(own, np.array([np.nan, 1.0, 1.0]), alone(3, 0, 2), places)
    assert found.tolist() == pytest.approx([0, 0, 1])


def test_nobody_suspected_or_compared_costs_nothing() -> None:
    assert recovered(np.ones(3), np.ones(3), alone(3), flat(3)).tolist() == [0, 0, 0]
    assert recovered(np.full(3, np.nan), np.ones(3), alone(3, 1), flat(3)).tolist() == [0, 0, 0]
    assert recovered(np.zeros(0), np.zeros(0), alone(0), flat(0)).tolist() == []


seconds = st.floats(0.01, 10)
jobs = st.lists(
    st.tuples(seconds, seconds, st.booleans(), st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=12
)


@settings(max_examples=150, deadline=None)
@given(jobs)
def test_it_is_what_replacing_one_after_the_other_gives(nodes: list[tuple[float, float, bool, int, int]]) -> None:
    own, typical, suspects, replica, depth = (np.array(column) for column in zip(*nodes, strict=True))
    places = Places(replica, depth)
    found = recovered(own, typical, suspects, places)
    assert found.tolist() == pytest.approx(brute_force(own, typical, suspects, places).tolist(), abs=EXACT)
    assert (found >= 0).all()
    assert (found <= np.maximum(0, own - typical) + EXACT).all()
    assert not found[~suspects].any()
