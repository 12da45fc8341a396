"""Which nodes may be compared: those that did the same steps, or steps so like them that it cannot matter."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.alignment import in_step
from detectors.observed import Totals

STEPS = 40


def totals(first: list[float], last: list[float], count: list[float] | None = None) -> Totals:
    begin, end = np.array(first, float)[:, None], np.array(last, float)[:, None]
    counted = end - begin + 1 if count is None else np.array(count, float)[:, None]
    nothing, number = np.full_like(begin, np.nan), np.zeros(begin.shape, int)
    return Totals(
        count=counted, first=begin, last=end, duration=nothing, slowest=nothing, work=nothing,
        sections=np.stack([nothing] * 5), part=number, stage=number, depth=number, pipeline=number, device=number,
    )  # fmt: skip


def compared(node: tuple[float, float], unsteadiness: float | None, others: int = 7) -> bool:
    """Whether a node with a range of its own is compared with others that did steps 100 to 139."""
    table = totals([100.0] * others + [node[0]], [100.0 + STEPS - 1] * others + [node[1]])
    active = np.ones(others + 1, dtype=bool)
    stepped, agrees = in_step(table, active, unsteadiness)
    assert stepped.all()
    assert agrees[:-1].all()
    return bool(agrees[-1])


def test_node_whose_clock_is_off_is_compared_once_work_is_known_to_be_steady():
    shifted = (110.0, 149.0)
    assert not compared(shifted, None)
    assert not compared(shifted, 0.1)
    assert compared(shifted, 0.01)
    assert compared((90.0, 129.0), 0.0)


@pytest.mark.parametrize(
    "node",
    [
        pytest.param((110.0, 129.0), id="fewer steps, from a later one"),
        pytest.param((90.0, 149.0), id="more steps, at both ends"),
        pytest.param((100.0, 149.0), id="more steps, at one end"),
        pytest.param((121.0, 160.0), id="more than half of them others"),
        pytest.param((1e9, 1e9 + 39), id="altogether others"),
    ],
)
def test_other_differences_are_never_harmless(node: tuple[float, float]):
    assert not compared(node, 0.0)


@given(
    shift=st.integers(-2 * STEPS, 2 * STEPS),
    longer=st.integers(-3, 3),
    unsteadiness=st.none() | st.floats(allow_nan=True),
)
def test_shift_is_allowed_exactly_where_it_cannot_mislead(shift: int, longer: int, unsteadiness: float | None):
    first, last = 100.0 + shift, 100.0 + STEPS - 1 + shift + longer
    near = abs(shift) <= 1 and abs(shift + longer) <= 1
    most = max(abs(shift), abs(shift + longer))
    harmless = (
        unsteadiness is not None
        and 0 <= unsteadiness < float("inf")
        and abs(longer) <= 1
        and shift * (shift + longer) > 0
        and most <= STEPS / 2
        and most / STEPS * unsteadiness <= 0.005
    )
    assert compared((first, last), unsteadiness) == (near or harmless)


@given(
    ranges=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=12),
    holes=st.lists(st.booleans(), min_size=12, max_size=12),
    unsteadiness=st.floats(0, 1),
)
def test_knowing_how_steady_work_is_never_takes_a_node_out(ranges, holes, unsteadiness):
    first = [np.nan if hole else float(begin) for (begin, _), hole in zip(ranges, holes, strict=False)]
    last = [
        np.nan if hole else float(begin + length) for (begin, length), hole in zip(ranges, holes, strict=False)
    ]
    table = totals(first, last, [float(length + 1) for _, length in ranges])
    active = np.ones(len(ranges), dtype=bool)
    (stepped, before), (_, after) = in_step(table, active), in_step(table, active, unsteadiness)
    assert not (before & ~after).any()
    assert not (after & ~stepped).any()


def test_nobody_active_is_nobody_compared():
    stepped, agrees = in_step(totals([0.0], [9.0]), np.zeros(1, dtype=bool), 0.0)
    assert not stepped.any()
    assert not agrees.any()
