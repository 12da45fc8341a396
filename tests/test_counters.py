"""Running totals become increases, and what is not known is None."""

from hypothesis import given
from hypothesis import strategies as st

from collectors.counters import LARGEST_TOTAL, Increases, running_total, sum_known

TOTALS = st.dictionaries(st.sampled_from("abcd"), st.one_of(st.none(), st.integers(0, LARGEST_TOTAL)))


def test_the_first_sight_of_a_total_is_unknown_and_the_second_is_the_growth():
    increases = Increases[str]()
    assert increases.advance({"a": 5}) == {"a": None}
    assert increases.advance({"a": 7}) == {"a": 2}
    assert increases.advance({"a": 7}) == {"a": 0}


def test_a_reset_is_unknown_and_counting_goes_on_from_there():
    increases = Increases[str]()
    assert [increases.advance({"a": total})["a"] for total in (9, 3, 4)] == [None, None, 1]


def test_a_source_that_was_away_starts_anew():
    increases = Increases[str]()
    increases.advance({"a": 1})
    assert increases.advance({}) == {"a": None}
    assert increases.advance({}) == {}
    assert increases.advance({"a": 9}) == {"a": None}
    assert increases.advance({"a": None}) == {"a": None}
    assert increases.advance({"a": 12}) == {"a": None}


@given(st.lists(TOTALS, max_size=8))
def test_an_increase_is_given_exactly_when_both_ends_are_known_and_it_did_not_fall(periods):
    increases = Increases[str]()
    before: dict[str, int | None] = {}
    for totals in periods:
        grown = increases.advance(totals)
        assert set(grown) == set(before) | set(totals)
        for key, increase in grown.items():
            start, end = before.get(key), totals.get(key)
            if start is None or end is None or end < start:
                assert increase is None
            else:
                assert increase is not None
                assert start + increase == end
        before = totals


@given(st.lists(st.integers(0, 1000), min_size=2))
def test_increases_of_a_total_that_never_falls_add_up_to_its_whole_growth(steps):
    increases = Increases[str]()
    totals = [sum(steps[: count + 1]) for count in range(len(steps))]
    grown = [increases.advance({"a": total})["a"] for total in totals]
    assert grown[0] is None
    assert sum_known(grown[1:]) == totals[-1] - totals[0]


@given(st.binary(max_size=40))
def test_whatever_a_file_holds_a_total_is_a_64_bit_number_or_none(text):
    total = running_total(text)
    assert total is None or 0 <= total <= LARGEST_TOTAL


@given(st.integers(0, LARGEST_TOTAL))
def test_every_64_bit_number_is_read_as_it_is(total):
    assert running_total(f"{total}\n".encode()) == total


def test_what_is_no_total_is_none():
    for text in (
        None,
        b"",
        b"nan",
        b"-1",
        b"1_000",
        b"1.5",
        b"0x10",
        b"\xff\x00",
        "٣".encode(),
        b"9" * 20,
        b"1" * 5000,
    ):
        assert running_total(text) is None


def test_a_sum_with_an_unknown_part_is_unknown_and_so_is_a_sum_of_nothing():
    assert sum_known([1, 2, 0]) == 3
    assert sum_known([1, None]) is None
    assert sum_known([]) is None
