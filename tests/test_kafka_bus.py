"""The bus on Kafka where it is particular: brokers that die and hang, bounds of memory and threads, quiet logs."""

import contextlib
import logging
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.bus import BusError, BusUnavailableError, Outgoing, Topic, open_bus
from guard.bus.kafka import KafkaBus
from guard.bus.kafka_publisher import _BATCH, WAVE, waves
from guard.bus.kafka_settings import Compression, KafkaSettings, Security
from tests.bus_contract import PATIENCE, read, records, values
from tools.kafka import KafkaCluster
from tools.kafka.topics import make_topics

pytestmark = pytest.mark.needs("kafka")
SLACK = 0.7
"""Seconds that a busy machine may add to a publishing's timeout."""


@pytest.fixture(scope="module")
def mortal(tmp_path_factory):
    """A node that tests kill and pause."""
    with KafkaCluster(tmp_path_factory.mktemp("kafka") / "mortal") as cluster:
        make_topics(cluster.bootstrap)
        yield cluster


@pytest.fixture
def bus(mortal):
    with KafkaBus(mortal.bootstrap) as bus:
        yield bus


def refused(bus, sent, timeout):
    start = time.monotonic()
    with pytest.raises(BusUnavailableError) as caught:
        bus.publish(sent, timeout)
    assert time.monotonic() - start < timeout + SLACK
    return str(caught.value)


def until_taken(bus, sent, patience=PATIENCE):
    """Publish as agents do: all of it again until it was taken."""
    deadline = time.monotonic() + patience
    while True:
        try:
            return bus.publish(sent, 2.0)
        except BusUnavailableError:
            assert time.monotonic() < deadline


def first_of_each(bus, topic, since):
    """Numbers per key as a reader that drops repeats sees them."""
    seen: dict[str, list[int]] = {}
    for message in bus.scan(topic, since=since):
        numbers = seen.setdefault(message.key, [])
        if int(message.value) not in numbers:
            numbers.append(int(message.value))
    return seen


def test_a_killed_broker_costs_time_and_no_record_and_no_order(mortal, bus):
    start = time.time() - 1
    sent = 0
    for round_ in range(3):
        for _ in range(5):
            until_taken(bus, records(Topic.TELEMETRY, 20, start=sent))
            sent += 20
        killer = threading.Timer(0.01, mortal.kill, [1])
        killer.start()
        with contextlib.suppress(BusUnavailableError):
            for _ in range(50):  # until it hits one on its way
                bus.publish(records(Topic.TELEMETRY, 20, start=sent), 0.5)
                sent += 20
        killer.join()
        text = refused(bus, records(Topic.TELEMETRY, 20, start=sent), 0.5)
        assert mortal.bootstrap in text, round_
        mortal.restart(1)
    until_taken(bus, records(Topic.TELEMETRY, 20, start=sent))
    seen = first_of_each(bus, Topic.TELEMETRY, start)
    assert sorted(n for numbers in seen.values() for n in numbers) == list(range(sent + 20))
    assert all(numbers == sorted(numbers) for numbers in seen.values())


def test_while_the_broker_is_away_threads_and_connections_do_not_pile_up(mortal, bus):
    until_taken(bus, records(Topic.TELEMETRY, 20))
    mortal.kill(1)
    try:
        before = threading.active_count()
        for _ in range(8):
            refused(bus, records(Topic.TELEMETRY, 20), 0.3)
            assert threading.active_count() <= before + 1
        for _ in range(4):  # as the outbox does: another bus each time
            with KafkaBus(mortal.bootstrap) as other:
                refused(other, records(Topic.TELEMETRY, 20), 0.3)
        assert threading.active_count() <= before
    finally:
        mortal.restart(1)


def test_what_was_given_up_is_not_sent_behind_what_is_sent_again(mortal, bus):
    until_taken(bus, [Outgoing(Topic.VERDICTS, "k", b"0")])
    start = time.time()
    mortal.pause(1)
    try:
        for n in (1, 2, 3):
            refused(bus, [Outgoing(Topic.VERDICTS, "k", str(n).encode())], 0.4)
    finally:
        mortal.resume(1)
    until_taken(bus, [Outgoing(Topic.VERDICTS, "k", str(n).encode()) for n in (1, 2, 3)])
    time.sleep(1.0)
    numbers = [int(message.value) for message in bus.scan(Topic.VERDICTS, since=start)]
    assert numbers[-3:] == [1, 2, 3], "something came behind"
    assert [n for i, n in enumerate(numbers) if n not in numbers[:i]] == [1, 2, 3]


def test_a_group_goes_on_after_its_broker_was_away(mortal, bus):
    with contextlib.closing(bus.consume([Topic.CONTROL], "away")) as member:
        until_taken(bus, records(Topic.CONTROL, 10))
        read(member, 10)
        member.commit()
        mortal.kill(1)
        assert not member.poll(1.0)
        mortal.restart(1)
        until_taken(bus, records(Topic.CONTROL, 10, start=10))
        assert set(values(read(member, 10))) >= set(range(10, 20))


def test_one_thread_that_publishes_for_long_keeps_no_other_beyond_its_timeout(mortal, bus):
    until_taken(bus, records(Topic.LEDGER, 1))
    mortal.pause(1)
    try:
        long = threading.Thread(target=refused, args=(bus, records(Topic.LEDGER, 1), 2.0))
        long.start()
        time.sleep(0.2)
        assert "another thread" in refused(bus, records(Topic.LEDGER, 1), 0.5)
        long.join()
    finally:
        mortal.resume(1)


def open_files():
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.mark.parametrize("security", [Security.PLAINTEXT, Security.TLS])
def test_who_accepts_and_then_says_nothing_keeps_nobody_for_long(security, monkeypatch):
    monkeypatch.setattr("guard.bus.kafka_reader._CONNECT", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address, settings = f"127.0.0.1:{silent.getsockname()[1]}", KafkaSettings(security=security)
        files = open_files()
        for _ in range(5):
            with KafkaBus(address, settings) as bus:
                assert "within 0.3 s" in refused(bus, records(Topic.LEDGER, 1), 0.3)
                start = time.monotonic()
                for read_ in (
                    lambda: bus.consume([Topic.LEDGER], "g"),
                    lambda: bus.follow([Topic.LEDGER]),
                    lambda: list(bus.scan(Topic.LEDGER)),
                ):
                    with pytest.raises(BusUnavailableError):
                        read_()
                assert time.monotonic() - start < 3 * 0.5 + SLACK
        assert open_files() < files + 5


def test_a_topic_that_is_not_there_is_named_and_not_made(kafka, prefix):
    with KafkaBus(kafka.bootstrap, prefix=prefix) as bus:
        for _ in range(2):
            text = refused(bus, records(Topic.LEDGER, 1), 2.0)
            assert "no such topic; `guard topics apply`" in text
        with pytest.raises(BusError, match=f"no topic {prefix}guard.ledger"):
            bus.partitions(Topic.LEDGER)
        with pytest.raises(BusError, match="guard topics apply"):
            list(bus.scan(Topic.LEDGER))
    with kafka.admin() as admin:
        assert not [name for name in admin.list_topics() if name.startswith(prefix)]


@pytest.mark.parametrize(
    "address", ["localhost", "localhost:0", "localhost:99999", "me:secret@localhost:9092", ""]
)
def test_an_address_that_is_none_is_refused_and_no_password_shown(address):
    with pytest.raises(BusError, match=r"expected kafka://HOST:PORT") as caught:
        KafkaBus(address)
    assert "secret" not in str(caught.value)


def test_lz4_needs_its_library_and_says_which(kafka, prefix, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with (
        KafkaBus(kafka.bootstrap, KafkaSettings(compression=Compression.LZ4), prefix=prefix) as bus,
        pytest.raises(BusError, match=r"trn-guard\[lz4\]"),
    ):
        bus.publish(records(Topic.LEDGER, 1), 5.0)


sizes = st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0, 10, 12_000, 400_000, 1_000_000])), max_size=60)


@given(sizes)
def test_waves_keep_order_and_bounds(given_):
    sent = [(Outgoing(Topic.TELEMETRY, "k", bytes(size)), b"k", partition) for partition, size in given_]
    cut = list(waves(sent))
    assert [record for wave in cut for record in wave] == sent
    for wave in cut:
        assert sum(len(record.value) for record, _, _ in wave) <= WAVE
        for partition in {partition for _, _, partition in wave}:
            alone = [len(record.value) for record, _, at in wave if at == partition]
            assert len(alone) == 1 or sum(alone) <= _BATCH


@pytest.fixture
def users_log(caplog):
    """What the root logger gets with ``guard -v``. Pytest's own handler hangs itself on every logger."""
    caplog.set_level(logging.DEBUG)
    taken: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = taken.append
    logging.getLogger().addHandler(handler)
    yield taken
    logging.getLogger().removeHandler(handler)


def test_nothing_of_the_client_reaches_the_users_log(kafka, prefix, users_log):
    make_topics(kafka.bootstrap, prefix)
    with KafkaBus(kafka.bootstrap, prefix=prefix) as bus:
        bus.publish(records(Topic.LEDGER, 3), 10.0)
        with contextlib.closing(bus.consume([Topic.LEDGER], prefix)) as member:
            read(member, 3)
    with KafkaBus("127.0.0.1:1") as bus:
        assert "ECONNREFUSED" in refused(bus, records(Topic.LEDGER, 1), 0.3)
    assert [record for record in users_log if record.name.startswith("kafka")] == []


def test_an_agent_loads_neither_the_readers_nor_the_administrators_client():
    program = (
        "import sys; from guard.bus import open_bus; bus = open_bus('kafka://127.0.0.1:1');"
        "loaded = {'kafka.admin', 'kafka.consumer', 'kafka.coordinator'} & set(sys.modules); assert not loaded;"
        "from kafka import KafkaConsumer; import kafka; assert kafka.__version__ and kafka.TopicPartition"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True, timeout=60)


def test_the_door_opens_both_buses(kafka):
    with open_bus(kafka.url, KafkaSettings()) as bus:
        assert isinstance(bus, KafkaBus)
