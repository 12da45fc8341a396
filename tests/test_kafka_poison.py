"""Poison in the telemetry on Kafka: set aside with its reason, counted, never fatal; what is good counts."""

import json
import time
from collections.abc import Iterator
from types import SimpleNamespace

import msgspec
import pytest
from click.testing import CliRunner
from kafka import KafkaProducer

from collectors.telemetry import encode
from detectors.policy import Policy
from detectors.verdict import Verdict, decode
from guard.bus import BusError, Outgoing, Topic
from guard.bus.kafka import KafkaBus
from guard.bus.kafka_settings import KafkaSettings
from guard.commands.deadletter import command
from guard.detect.intake import Reason
from tests.detector_processes import DetectorProcesses
from tests.fleet import Fleet, slow_from
from tests.takeover import eventually, lag, read
from tools.kafka import KafkaCluster
from tools.kafka.topics import make_topics

pytestmark = [pytest.mark.needs("kafka"), pytest.mark.timeout(200)]

POLICY = Policy(window=10.0, lateness=10.0, silence=90.0)
PERIODS = 14
DAY = 86_400.0
RECORDS = Fleet(slow=slow_from(2, 4, 2.0)).records(PERIODS)
NOW = time.time()
GOOD = [msgspec.structs.replace(r, time=NOW + 10.0 * (r.seq - PERIODS)) for r in RECORDS]
KEY = GOOD[0].key.encode()
PLAIN = json.loads(encode(GOOD[0]))


def one(**changes: object) -> bytes:
    """A good record but for something."""
    return json.dumps(PLAIN | {"node": "poison", "boot": "poison", "instance": "poison"} | changes).encode()


POISON: dict[str, tuple[Reason, bytes, bytes | None, str]] = {
    "undecodable bytes": (Reason.UNREADABLE, KEY, b"\xff\x00\xfe" * 3000, "malformed"),
    "an empty value": (Reason.UNREADABLE, KEY, b"", "truncated"),
    "deeply nested": (Reason.UNREADABLE, KEY, b"[" * 500_000, ""),
    "a field of another type": (Reason.UNREADABLE, KEY, one(time="noon"), "$.time"),
    "another schema": (Reason.VERSION, KEY, one(schema="somebody.else/1"), "somebody.else/1"),
    "an unknown version": (Reason.VERSION, KEY, one(schema="guard.telemetry/999"), "guard.telemetry/999"),
    "a clock a day ahead": (Reason.AHEAD, KEY, one(time=NOW + DAY), "ahead of the bus"),
    "replayed from two days ago": (Reason.REPLAYED, KEY, one(time=NOW - 2 * DAY), "sent again"),
    "no value": (Reason.EMPTY, KEY, None, "no value"),
    "a key that is not UTF-8": (Reason.KEY, b"c/\xff\xfe", one(), "not UTF-8"),
}


@pytest.fixture(scope="module")
def poisoned(tmp_path_factory) -> Iterator[SimpleNamespace]:
    """A detector that has read good records with all of the poison between them."""
    directory = tmp_path_factory.mktemp("poison")
    with KafkaCluster(directory / "kafka") as cluster:
        make_topics(cluster.bootstrap, partitions=1)
        producer = KafkaProducer(bootstrap_servers=cluster.bootstrap, max_request_size=2_000_000)
        between = list(POISON.values())
        for number, record in enumerate(GOOD):
            producer.send(Topic.TELEMETRY, encode(record), KEY)
            if number % 10 == 0 and between:
                _, key, value, _ = between.pop()
                producer.send(Topic.TELEMETRY, value, key)
        assert not between
        producer.flush()
        producer.close()
        with (
            KafkaBus(cluster.bootstrap) as bus,
            DetectorProcesses(cluster, directory, POLICY, count=1) as detectors,
        ):
            eventually(lambda: read(detectors, 0) >= len(GOOD) and not lag(detectors, 0), lambda: detectors.log(0))
            eventually(lambda: len(list(bus.scan(Topic.DEADLETTER))) >= len(POISON), lambda: detectors.log(0))
            yield SimpleNamespace(cluster=cluster, bus=bus, detectors=detectors)


def listed(poisoned: SimpleNamespace, *options: str) -> list[dict[str, object]]:
    session = SimpleNamespace(config=SimpleNamespace(bus=poisoned.cluster.url, kafka=KafkaSettings()))
    result = CliRunner().invoke(command, ["list", "--json", *options], obj=session)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)["letters"]


def test_each_is_set_aside_once_and_the_list_tells_why(poisoned):
    letters = listed(poisoned)
    assert len(letters) == len(POISON)
    for name, (_, _, value, text) in POISON.items():
        same_size = [str(letter["reason"]) for letter in letters if letter["size"] == len(value or b"")]
        assert any(text.casefold() in reason.casefold() for reason in same_size), (name, same_size)
    assert [letter["key"] for letter in listed(poisoned, "--reason", "not UTF-8")] == ["c/\ufffd\ufffd"]


def test_each_reason_is_counted(poisoned):
    counted = poisoned.detectors.metric(0, "guard_detect_dead_letters_total")
    reasons = [reason for reason, *_ in POISON.values()]
    assert counted == {f'{{reason="{reason}"}}': float(reasons.count(reason)) for reason in Reason}


def test_all_good_records_around_them_were_folded(poisoned):
    assert read(poisoned.detectors, 0) == len(GOOD)
    sayings = [decode(message.value or b"") for message in poisoned.bus.scan(Topic.VERDICTS)]
    verdicts = [saying for saying in sayings if isinstance(saying, Verdict)]
    assert {verdict.node for verdict in verdicts} == {record.node for record in GOOD}
    assert {verdict.node for verdict in verdicts if verdict.accused} == {"node-002"}


def test_an_oversized_one_is_refused_before_it_is_sent(poisoned):
    with pytest.raises(BusError, match=r"1000001 bytes for guard.telemetry: at most 1000000 fit"):
        poisoned.bus.publish([Outgoing(Topic.TELEMETRY, "c/train", b"x" * 1_000_001)], 5.0)
