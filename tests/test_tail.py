"""``guard tail``: the newest records as lines that harm no terminal."""

import json
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from collectors.telemetry import encode
from detectors.verdict import JobStatus, Role, Status
from detectors.verdict import encode as encode_saying
from guard.bus import Message, Outgoing, Position, Topic, open_bus
from guard.bus.kafka_settings import KafkaSettings
from guard.commands.tail import command
from guard.deadletter import dead_letter
from guard.tail.about import Choice
from guard.tail.raw import line
from guard.tail.readable import Tone, readable
from guard.tail.recent import recent
from tests.fleet import START, Fleet
from tests.test_report import about_job, verdict

RECORDS = Fleet(nodes=3).records(4)
HOSTILE = "n\x1b[2J\u202e\x07\x9b"


class Tail:
    """The command over a bus of its own."""

    def __init__(self, path):
        self.bus = f"file:{path / 'bus.sqlite'}"

    def hears(self, *records, topic=Topic.TELEMETRY):
        with open_bus(self.bus) as bus:
            bus.publish([Outgoing(topic, key, value) for key, value in records], timeout=5)

    def __call__(self, *arguments):
        session = SimpleNamespace(config=SimpleNamespace(bus=self.bus, kafka=KafkaSettings()))
        return CliRunner().invoke(command, arguments, obj=session)


@pytest.fixture
def tail(tmp_path):
    return Tail(tmp_path)


@pytest.fixture
def fleet(tail):
    tail.hears(*((record.key, encode(record)) for record in RECORDS))
    return tail


def lines(result):
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def test_the_newest_ten_are_shown_and_the_newest_last(fleet):
    shown = lines(fleet("telemetry"))
    assert len(shown) == 10
    assert "c/node-002 job train  #3 2 ranks, 10 steps to 39; step" in shown[-1]


@pytest.mark.parametrize(("arguments", "count"), [(("-n", "2"), 2), (("-n", "0"), 0), (("--since", "1h"), 12)])
def test_so_many_as_asked_for(fleet, arguments, count):
    assert len(lines(fleet("telemetry", *arguments))) == count


def test_the_full_name_of_a_topic_will_do(fleet):
    assert lines(fleet("guard.telemetry")) == lines(fleet("telemetry"))


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        (("--node", "node-001"), 4),
        (("--job", "train", "--cluster", "c"), 12),
        (("--job", "other"), 0),
        (("--cluster", "west"), 0),
        (("--node", "node-001", "--job", "other"), 0),
    ],
)
def test_only_records_about_somebody(fleet, arguments, count):
    assert len(lines(fleet("telemetry", "-n", "100", *arguments))) == count


def test_json_is_the_records_themselves(fleet):
    assert lines(fleet("telemetry", "--json", "-n", "100")) == [encode(record).decode() for record in RECORDS]


def test_json_leaves_out_what_is_none_and_says_so(tail):
    tail.hears(("c/n", b"\xff"), ("c/n", b'{"a":\n1}'))
    result = tail("telemetry", "--json")
    assert lines(result) == ['{"a": 1}']
    assert "left out what is not JSON, or a deletion: 1" in result.stderr


def test_an_empty_topic_is_told(tail):
    assert "nothing there" in tail("ledger").stderr


@pytest.mark.parametrize("arguments", [("nope",), ("telemetry", "--since", "soon"), ("telemetry", "-n", "-1")])
def test_wrong_usage_ends_2(tail, arguments):
    assert tail(*arguments).exit_code == 2


@pytest.mark.parametrize(
    ("topic", "value", "told"),
    [
        (Topic.VERDICTS, encode_saying(verdict()), "east/n1 job 81723  ok"),
        (
            Topic.STATE,
            encode_saying(verdict("n2", Status.STRAGGLER, Role.CULPRIT, device=5)),
            "east/n2 job 81723  straggler culprit compute device 5; costs 17 % of the step; 98 % sure",
        ),
        (
            Topic.VERDICTS,
            encode_saying(about_job(status=JobStatus.SLOW, accused=["n2"])),
            "job east/81723  slow; step 1.4 s, usually 1.2 s; 4 nodes; accused: n2",
        ),
        (Topic.STATE, None, "c/k  deleted"),
        (Topic.SNAPSHOTS, b"\x28\xb5" * 600, "c/k  1,200 bytes"),
        (Topic.CONTROL, b'{"order":"pause","n":{"a":1}}', 'c/k  order=pause n={"a":1}'),
        (Topic.LEDGER, b"[1]", "c/k  [1]"),
        (Topic.TELEMETRY, b"{", "c/k  cannot be read: Input data was truncated"),
        (
            Topic.DEADLETTER,
            dead_letter(Message(Position(Topic.TELEMETRY, 3, 7), "c/k", b"x", START), "no node").value,
            "c/k  guard.telemetry 3:7: no node",
        ),
    ],
)
def test_a_record_says_what_it_is_about(topic, value, told):
    said = readable(Message(Position(topic, 0, 1), "c/k", value, START))
    assert f"{said.about}  {said.text}".startswith(told)


def test_faults_and_gaps_stand_out():
    record = msgspec.structs.replace(RECORDS[0], gaps={"efa": "gone"}, leaving=True)
    said = readable(Message(Position(Topic.TELEMETRY, 0, 1), "c/k", encode(record), START))
    assert (said.tone, said.text.endswith("; gaps: efa; leaving")) == (Tone.NOTABLE, True)


@pytest.mark.parametrize("topic", list(Topic))
@given(
    key=st.text(max_size=9),
    value=st.none() | st.binary(max_size=40) | st.dictionaries(st.text(max_size=5), st.text(max_size=5)).map(
        lambda fields: json.dumps(fields, ensure_ascii=False).encode()
    ),
)  # fmt: skip
def test_nothing_in_any_record_reaches_the_terminal(topic, key, value):
    message = Message(Position(topic, 0, 1), key, value, START)
    said = readable(message)
    assert (said.time + said.about + said.text).isprintable()
    raw = line(value)
    assert raw is None or (raw.isascii() and raw.isprintable())
    assert raw is None or json.loads(raw) == json.loads(value)


def test_hostile_names_are_harmless_in_every_form(tail):
    record = msgspec.structs.replace(RECORDS[0], node=HOSTILE)
    tail.hears((f"c/{HOSTILE}", encode(record)), (HOSTILE, b"{"))
    for arguments in ((), ("--json",), ("--node", HOSTILE), ("--node", HOSTILE, "--json")):
        result = tail("telemetry", *arguments)
        assert all(shown.isprintable() for shown in lines(result))
        assert "[2J" in result.stdout


def test_what_has_no_fields_is_chosen_by_its_key():
    letter = Message(Position(Topic.DEADLETTER, 0, 1), "c/train", b"{", START)
    assert Choice(cluster="c", job="train").takes(letter)
    assert Choice(node="train").takes(letter)
    assert not Choice(cluster="d").takes(letter)


class Windows:
    """A bus that tells from when it was read."""

    def __init__(self, times):
        self.asked = []
        self._messages = [
            Message(Position(Topic.TELEMETRY, number % 2, number), "k", b"{}", time)
            for number, time in enumerate(times)
        ]

    def scan(self, topic, *, partition=None, since=0.0):
        self.asked.append(since)
        # In the order of each partition, not of time.
        yield from sorted(
            (message for message in self._messages if message.time >= since), key=lambda m: m.position.partition
        )


@given(st.lists(st.floats(0, 1e6), max_size=30).map(sorted), st.integers(0, 12), st.floats(0, 1e6))
def test_the_newest_are_found_whatever_their_age(times, count, since):
    bus = Windows(times)
    found = recent(bus, Topic.TELEMETRY, count, lambda _: True, now=1e6, since=since)
    wanted = [time for time in times if time >= since]
    assert [message.time for message in found.messages] == (wanted[-count:] if count else [])


def test_a_busy_topic_is_not_read_from_its_beginning():
    bus = Windows([float(second) for second in range(100_000)])
    recent(bus, Topic.TELEMETRY, 10, lambda _: True, now=100_000.0)
    assert bus.asked == [100_000.0 - 60]


class Following:
    """``guard tail -f`` as a process."""

    def __init__(self, tail, path, *arguments):
        (path / "guard.yaml").write_text(f"bus: {tail.bus}\n")
        command = [sys.executable, "-m", "guard.commands", "tail", "control", "-f", *arguments]
        environment = os.environ | {"GUARD_CONFIG": str(path / "guard.yaml")}
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()

    def line(self):
        return self.process.stdout.readline().strip().rpartition("  ")[2]


def test_following_shows_what_was_and_what_comes_once_and_ends_quietly(tail, tmp_path):
    tail.hears(("k", b'{"n":0}'), ("k", b'{"n":1}'), topic=Topic.CONTROL)
    with Following(tail, tmp_path, "-n", "1") as following:
        assert following.line() == "n=1"
        for number in range(2, 6):
            tail.hears(("k", b'{"n":%d}' % number), topic=Topic.CONTROL)
            assert following.line() == f"n={number}"
        following.process.send_signal(signal.SIGINT)
        assert following.process.communicate(timeout=10) == ("", "")
        assert following.process.returncode == 130


def test_following_ends_when_its_reader_has_left_though_nothing_comes(tail, tmp_path):
    tail.hears(("k", b'{"n":0}'), topic=Topic.CONTROL)
    with Following(tail, tmp_path, "--json", "--since", "1h") as following:
        assert following.line() == '{"n":0}'
        following.process.stdout.close()
        assert following.process.stderr.read() == ""
        following.process.wait(10)


@pytest.mark.needs("kafka")
def test_it_reads_kafka_too(kafka, prefix, monkeypatch, tail):
    from guard.bus.kafka import KafkaBus  # noqa: PLC0415

    with kafka.admin() as admin:
        admin.create_topics({f"{prefix}guard.control": {"num_partitions": 2, "replication_factor": 1}})
    servers = kafka.bootstrap
    with KafkaBus(servers, prefix=prefix) as bus:
        deadline = time.monotonic() + 20
        bus.publish([Outgoing(Topic.CONTROL, f"k{n}", b'{"n":%d}' % n) for n in range(20)], timeout=10)
        while len(list(bus.scan(Topic.CONTROL))) < 20:
            assert time.monotonic() < deadline
    monkeypatch.setattr("guard.commands.tail.open_bus", lambda *_: KafkaBus(servers, prefix=prefix))
    assert len(lines(tail("control", "-n", "100", "--json"))) == 20
    assert len(lines(tail("control", "-n", "5"))) == 5
    assert len(lines(tail("control", "--since", "1h"))) == 20
