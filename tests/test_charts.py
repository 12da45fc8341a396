"""Charts of a node against its peers, to the character."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.explain.charts import Series, chart, legend

NODE = [1.0, 1.0, 1.0, 1.5, 1.5, None, math.nan, 2.0, 2.0, 2.0]
LOW, HIGH, TYPICAL = [0.9] * 10, [1.1] * 10, [1.0] * 10


def tenth(series: Series) -> list[float | None]:
    return [value if value is None else value / 10 for value in series]


def alone(values: list[float], *, unit: str = "", width: int = 20, height: int = 3) -> list[str]:
    nothing = [None] * len(values)
    return chart(values, nothing, nothing, nothing, width=width, height=height, unit=unit)


def test_node_leaves_the_band_of_its_peers() -> None:
    assert chart(NODE, LOW, HIGH, TYPICAL, width=27, height=6, unit="s", ends=("12:00", "12:05")) == [
        "   2 s ┤              █████",
        "       ┤",
        "       ┤      ████",
        "1.34 s ┤",
        "       ┤░░░░░░░░░░░░░░░░░░░",
        " 0.9 s ┤██████─────────────",
        "       └───────────────────",
        "        12:00         12:05",
    ]


def test_terminal_without_unicode_gets_ascii_and_short_times_are_milliseconds() -> None:
    series = [tenth(one) for one in (NODE, LOW, HIGH, TYPICAL)]
    lines = chart(*series, width=24, height=4, unit="s", unicode=False)
    assert lines == [
        "200 ms |            ####",
        "       |     ###",
        "127 ms |................",
        " 90 ms |#####-----------",
        "       +----------------",
    ]
    assert all(line.isascii() for line in [*lines, legend(unicode=False)])
    assert legend() == "█ this node  ─ median of its peers  ░ their spread"


def test_equal_values_are_a_line_in_the_middle() -> None:
    assert alone([0.5] * 3, unit="ratio") == [
        "52.5 % ┤",
        "  50 % ┤████████████",
        "47.5 % ┤",
        "       └────────────",
    ]


def test_values_beyond_all_measure_are_at_the_edges() -> None:
    assert alone([math.inf, -math.inf, 1e308]) == [
        " 1e+300 ┤████    ███",
        "      0 ┤",
        "-1e+300 ┤    ████",
        "        └───────────",
    ]


@pytest.mark.parametrize("values", [[], [math.nan], [math.nan] * 500])
def test_nothing_known_is_said(values: list[float]) -> None:
    assert alone(values) == ["no values"]


def test_short_spike_in_a_long_series_is_drawn() -> None:
    values = [1.0] * 5000
    values[2500] = 9.0
    assert alone(values, width=60)[0].count("█") == 1


def test_series_of_different_lengths_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="1, 2, 1, 1 values"):
        chart([1.0], [1.0, 2.0], [1.0], [1.0], width=20, height=3)


@given(
    rows=st.lists(st.tuples(*[st.none() | st.floats()] * 4), max_size=300),
    width=st.integers(-5, 1000),
    height=st.integers(-5, 1000),
    unit=st.sampled_from(["s", "ratio", "", "bytes", "operations per second"]),
    unicode=st.booleans(),
)
def test_whatever_comes_the_size_is_bounded(
    rows: list[tuple[float | None, ...]], width: int, height: int, unit: str, unicode: bool
) -> None:
    series = [[row[place] for row in rows] for place in range(4)]
    ends = ("an hour ago", "now" * 99)
    lines = chart(*series, width=width, height=height, unit=unit, ends=ends, unicode=unicode)
    assert len(lines) == 1 or 5 <= len(lines) <= 42
    assert max(len(line) for line in lines) <= max(20, min(width, 200))
