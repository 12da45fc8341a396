"""The telemetry record: the example of the contract is read, and what breaks the contract is named."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.telemetry import (
    LARGEST_RECORD,
    RecordError,
    UnknownVersionError,
    decode,
    decode_compared,
    encode,
)

RECORD = {
    "schema": "guard.telemetry/1", "cluster": "c", "node": "n", "instance": "i", "boot": "b", "seq": 1,
    "time": 1790000010.0, "period": 10.0, "ranks": {"rank": [0, 1], "stage": [0, None]},
    "steps": {"count": [1, 0], "duration": [1.5, None], "sections": {"compute": [1.0, None]}},
    "counters": {"efa.rx_drops": [0, None]},
}  # fmt: skip


def line(**changes) -> bytes:
    return msgspec.json.encode(RECORD | changes)


def test_a_record_survives_the_journey():
    assert decode(encode(decode(line()))) == decode(line())


def test_absent_stays_absent_and_null_stays_null():
    record = decode(line(gauges={"host.load1": None}))
    assert record.gauges == {"host.load1": None}
    assert b'"faults"' not in encode(record)


def test_unknown_fields_are_tolerated():
    assert decode(line(new_field={"a": 1})).node == "n"


@pytest.mark.parametrize("schema", ["guard.telemetry/2", "other", "x" * 500])
def test_unknown_versions_are_told_apart_from_broken_records(schema):
    with pytest.raises(UnknownVersionError, match=r"\$\.schema"):
        decode(line(schema=schema))
    with pytest.raises(UnknownVersionError):
        decode(msgspec.json.encode({"schema": schema, "node": 5}))


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"node": ""}, "$.node"),
        ({"node": "x" * 254}, "$.node"),
        ({"node": 5}, "$.node"),
        ({"seq": -1}, "$.seq"),
        ({"seq": 1.5}, "$.seq"),
        ({"period": 0}, "$.period"),
        ({"period": 1e308}, "$.period"),
        ({"time": 1e308}, "$.time"),
        ({"time": -5.0}, "$.time"),
        ({"job": {"id": "j", "attempt": -1}}, "$.job.attempt"),
        ({"counters": {"efa.rx_drops": -1}}, "$.counters.efa.rx_drops"),
        ({"counters": {"efa.rx_drops": [0, -3.5]}}, "$.counters.efa.rx_drops"),
        ({"ranks": {"rank": [0]}}, "$.steps.count"),
        ({"ranks": None}, "$.ranks"),
        ({"steps": {"count": [1, 1], "duration": [1.0, -1.0]}}, "$.steps.duration"),
        ({"steps": {"count": [1, 1], "sections": {"data": [1.0, 1e308]}}}, "$.steps.sections.data"),
        ({"steps": {"count": [1, "x"]}}, "$.steps.count"),
    ],
)
def test_the_offending_field_is_named(changes, path):
    with pytest.raises(RecordError) as refused:
        decode(line(**changes))
    assert path in str(refused.value)


@pytest.mark.parametrize(
    "broken",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"schema": NaN}', line()[:-3], b"0" * 2_000_000],
)
def test_what_is_no_record_gives_a_clear_error(broken):
    with pytest.raises(RecordError):
        decode(broken)


def test_nan_is_no_json_and_ten_megabytes_are_no_name():
    with pytest.raises(RecordError):
        decode(line().replace(b"1790000010.0", b"NaN"))
    with pytest.raises(RecordError, match=str(LARGEST_RECORD)):
        decode(line(node="x" * 10_000_000))


@given(st.binary(max_size=300))
def test_noise_is_refused_and_nothing_else_happens(noise):
    with pytest.raises(RecordError):
        decode(noise)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=6,
    ),
    st.sampled_from(sorted(RECORD)),
)
def test_any_value_in_any_field_is_read_or_refused(value, field):
    try:
        record = decode(line(**{field: value}))
    except RecordError:
        return
    assert math.isfinite(record.time)


def test_what_detection_compares_is_read_without_the_rest():
    record = decode_compared(line())
    assert not hasattr(record, "gaps")
    assert record.steps.sections == decode(line()).steps.sections
    assert (record.key, record.identity) == (decode(line()).key, decode(line()).identity)


@pytest.mark.parametrize("broken", [{"period": -1}, {"node": ""}, {"schema": "guard.telemetry/9"}])
def test_what_detection_compares_is_checked_like_the_whole(broken):
    with pytest.raises(RecordError) as whole:
        decode(line(**broken))
    with pytest.raises(RecordError) as part:
        decode_compared(line(**broken))
    assert str(part.value) == str(whole.value)


def test_columns_of_another_length_are_refused_where_they_are_compared():
    steps = {"count": [8, 8], "duration": [1.0]}
    with pytest.raises(RecordError, match=r"\$\.steps\.duration"):
        decode_compared(line(steps=steps))
