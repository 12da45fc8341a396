"""Times on the command line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.timespan import TimespanError, length, point

NOW = 1_790_000_000.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("2h", 7200), ("3d", 259_200), ("1w", 604_800), ("1.5h", 5400)],
)
def test_a_length_has_a_number_and_a_unit(text, seconds):
    assert length(text) == seconds
    assert point(text, NOW) == NOW - seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-02T00:00:00Z", 86_400),
        ("1970-01-02T01:00:00+01:00", 86_400),
        ("1970-01-02 00:00:00.5+00:00", 86_400.5),
        (" 1970-01-02T00:00Z ", 86_400),
    ],
)
def test_a_moment_is_iso_8601_with_its_zone(text, seconds):
    assert point(text, NOW) == seconds


@pytest.mark.parametrize("text", ["2026-11-24", "2026-11-24T03:00:00"])
def test_a_moment_without_a_zone_is_refused_with_the_remedy(text):
    with pytest.raises(TimespanError, match="needs its zone"):
        point(text, NOW)


@pytest.mark.parametrize("text", ["", "10", "m", "-10m", "10 minutes", "1e9h", "yesterday", "٣h", "\x1b[31m"])
def test_anything_else_is_refused_with_what_was_expected(text):
    with pytest.raises(TimespanError, match="expected a length before now") as caught:
        point(text, NOW)
    assert str(caught.value).isprintable()


def test_before_1970_there_is_nothing():
    assert point("999999999w", NOW) == 0.0
    assert point("0001-01-01T00:00:00Z", NOW) == 0.0


@given(st.text(max_size=30))
def test_no_text_gives_anything_but_a_time_or_an_explained_mistake(text):
    try:
        told = str(point(text, NOW))
    except TimespanError as error:
        told = str(error)
    assert told.isprintable()
