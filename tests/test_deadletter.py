"""Dead letters: listed, shown in full, and harmless."""

import base64
import json
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from collectors.telemetry import RecordError
from guard.bus import Message, Outgoing, Position, Topic, open_bus
from guard.bus.kafka_settings import KafkaSettings
from guard.commands.deadletter import command
from guard.deadletter import KEPT, DeadLetter, dead_letter, decode

HOSTILE = "\x1b]0;owned\x07 \x1b[2J \u202e"


def unread(value, key="c/train", offset=7):
    return Message(Position(Topic.TELEMETRY, 3, offset), key, value, 1_790_000_000.0)


class Letters:
    """The command over a bus of its own."""

    def __init__(self, path):
        self.bus = f"file:{path / 'bus.sqlite'}"

    def holds(self, *records):
        with open_bus(self.bus) as bus:
            bus.publish(records, timeout=5)

    def __call__(self, *arguments):
        session = SimpleNamespace(config=SimpleNamespace(bus=self.bus, kafka=KafkaSettings()))
        return CliRunner().invoke(command, arguments, obj=session)

    def positions(self):
        return [letter["position"] for letter in json.loads(self("list", "--json").stdout)["letters"]]


@pytest.fixture
def letters(tmp_path):
    return Letters(tmp_path)


@given(st.binary(max_size=3 * KEPT), st.text(max_size=20), st.text(max_size=20))
def test_a_letter_is_read_as_it_was_written(value, key, reason):
    written = dead_letter(unread(value, key), reason)
    assert (written.topic, written.key) == (Topic.DEADLETTER, key)
    assert decode(written.value) == DeadLetter(
        topic=Topic.TELEMETRY, partition=3, offset=7, key=key, reason=reason, value=value[:KEPT], size=len(value)
    )
    assert len(written.value) < 100_000


def test_letters_of_before_do_not_tell_the_size():
    old = b'{"topic":"guard.telemetry","partition":1,"offset":2,"key":"k","reason":"r","value":"eA=="}'
    assert decode(old) == DeadLetter(
        topic="guard.telemetry", partition=1, offset=2, key="k", reason="r", value=b"x"
    )


@given(st.binary(max_size=60))
def test_what_is_no_letter_is_an_explained_mistake(value):
    with pytest.raises(RecordError):
        decode(value)


def test_the_list_has_the_newest_last(letters):
    letters.holds(*(dead_letter(unread(b"{", offset=number), f"reason {number}") for number in range(4)))
    shown = letters("list").stdout.splitlines()
    assert shown[0].split() == ["position", "time", "record", "key", "reason"]
    assert [line.split()[-1] for line in shown[1:]] == ["0", "1", "2", "3"]
    assert "telemetry 3:2  c/train  reason 2" in shown[3]
    assert [line.split()[-1] for line in letters("list", "--limit", "2").stdout.splitlines()[1:]] == ["2", "3"]


def test_the_list_can_be_of_one_reason_or_time(letters):
    letters.holds(dead_letter(unread(b"{"), "Unknown version"), dead_letter(unread(b"{"), "no JSON"))
    assert len(letters("list", "--reason", "unknown").stdout.splitlines()) == 2
    assert len(letters("list", "--since", "1h").stdout.splitlines()) == 3
    assert letters("list", "--reason", "nothing like it").stdout == "no dead letters of that kind\n"
    assert letters("list", "--since", "soon").exit_code == 2


def test_no_letters_are_good_news(letters):
    result = letters("list")
    assert (result.exit_code, result.stdout) == (0, "no dead letters\n")


def test_a_text_is_shown_as_text(letters):
    letters.holds(dead_letter(unread(b'{"schema":\n"guard.telemetry/9"}'), "unknown version"))
    shown = letters("show", *letters.positions()).stdout.splitlines()
    assert shown[1:5] == [
        "record     guard.telemetry, partition 3, offset 7",
        "key        c/train",
        "reason     unknown version",
        "value      31 of 31 bytes",
    ]
    assert shown[6:] == ['{"schema":', '"guard.telemetry/9"}']


def test_anything_else_is_shown_in_hex_and_a_long_one_says_how_long_it_was(letters):
    letters.holds(dead_letter(unread(bytes(range(256)) * 20), "no JSON"))
    shown = letters("show", *letters.positions()).stdout.splitlines()
    assert shown[4] == "value      4,096 of 5,120 bytes"
    assert shown[6].startswith("00000000  00 01 02")
    assert shown[10].endswith(" @ABCDEFGHIJKLMNO")
    assert len(shown) == 6 + 256


def test_json_has_the_value_to_the_byte(letters):
    letters.holds(dead_letter(unread(b"\xff\x00"), "no JSON"))
    shown = json.loads(letters("show", *letters.positions(), "--json").stdout)
    assert base64.b64decode(shown["value"]) == b"\xff\x00"
    assert (shown["topic"], shown["offset"], shown["reason"]) == ("guard.telemetry", 7, "no JSON")


def test_nothing_of_a_letter_reaches_the_terminal(letters):
    letters.holds(
        dead_letter(unread(HOSTILE.encode(), HOSTILE), HOSTILE),
        dead_letter(unread((HOSTILE + "x" * 500).encode(), HOSTILE), HOSTILE),
        Outgoing(Topic.DEADLETTER, HOSTILE, HOSTILE.encode()),
        Outgoing(Topic.DEADLETTER, HOSTILE, None),
    )
    positions = letters.positions()
    assert len(positions) == 4
    for arguments in (("list",), ("list", "--json"), *(("show", position) for position in positions)):
        result = letters(*arguments)
        assert result.exit_code == 0
        assert all(line.isprintable() for line in result.stdout.splitlines())


@pytest.mark.parametrize("position", ["0:99999", "9:0", "0", "0:", ":0", "-1:0", "a:b", "0:1:2", "٣:٣"])
def test_a_position_without_a_letter_ends_2(letters, position):
    letters.holds(dead_letter(unread(b"{"), "no JSON"))
    result = letters("show", "--", position)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr
