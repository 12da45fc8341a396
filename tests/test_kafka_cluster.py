"""The clusters that other tests stand on do what they promise: open ones, of one node and of three."""

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic
from kafka.errors import KafkaError

from tools.kafka import BrokerError, KafkaCluster, Listener

pytestmark = pytest.mark.needs("kafka")
LARGEST = bytes(1_000_000)
ROOT = Path(__file__).parents[1]


def create(cluster, topic):
    admin = cluster.admin()
    try:
        admin.create_topics([NewTopic(topic, 1, len(cluster.nodes))])
    finally:
        admin.close()


def send(cluster, topic, value):
    producer = KafkaProducer(
        bootstrap_servers=cluster.bootstrap.split(","), acks="all", max_request_size=2_000_000
    )
    try:
        return producer.send(topic, value).get(30)
    finally:
        producer.close()


def read(cluster, topic):
    consumer = KafkaConsumer(bootstrap_servers=cluster.bootstrap.split(","), consumer_timeout_ms=10_000)
    try:
        place = TopicPartition(topic, 0)
        consumer.assign([place])
        consumer.seek_to_beginning(place)
        end = consumer.end_offsets([place])[place]
        values = []
        while consumer.position(place) < end:
            values.append(next(consumer).value)
        return values
    finally:
        consumer.close()


def serving(cluster, *ask):
    """Who serves; nobody, when the one asked is the one cut off."""
    try:
        return cluster.serving(*ask)
    except KafkaError:
        return frozenset()


def leader(cluster, topic):
    """Who leads the topic's only partition, once the broker that answers has heard of the topic."""
    admin = cluster.admin()
    deadline = time.monotonic() + 20
    try:
        while not (partitions := admin.describe_topics([topic])[0]["partitions"]):
            assert time.monotonic() < deadline, f"no partition of {topic} is known"
            time.sleep(0.1)
        return partitions[0]["leader_id"]
    finally:
        admin.close()


def brokers_below(directory):
    """The Java processes that use ``directory``."""
    found = []
    for process in psutil.process_iter(["name", "cmdline"]):
        words = process.info["cmdline"] or []
        if process.info["name"] == "java" and any(str(directory) in word for word in words):
            found.append(process.pid)
    return found


def until(condition, seconds=30.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def test_one_node_takes_the_largest_record_and_gives_it_back(kafka, prefix):
    create(kafka, prefix + "topic")
    send(kafka, prefix + "topic", LARGEST)
    assert read(kafka, prefix + "topic") == [LARGEST]


def test_a_killed_leader_leaves_the_topic_writable_and_comes_back(kafka3, prefix):
    topic = prefix + "topic"
    create(kafka3, topic)
    send(kafka3, topic, b"before")
    victim = leader(kafka3, topic)
    kafka3.kill(victim)
    assert kafka3.running == {1, 2, 3} - {victim}
    send(kafka3, topic, b"without")
    kafka3.restart(victim)
    assert serving(kafka3) == {1, 2, 3}
    send(kafka3, topic, b"after")
    assert read(kafka3, topic) == [b"before", b"without", b"after"]


def test_a_paused_broker_is_missed_and_comes_back(kafka3):
    kafka3.pause(2)
    try:
        until(lambda: serving(kafka3, 1) == {1, 3})
    finally:
        kafka3.resume(2)
    until(lambda: serving(kafka3, 1) == {1, 2, 3})


def test_a_node_that_is_stopped_in_good_order_hands_its_leadership_over(kafka3, prefix):
    create(kafka3, prefix + "topic")
    old = leader(kafka3, prefix + "topic")
    kafka3.stop(old)
    until(lambda: leader(kafka3, prefix + "topic") not in {old, -1})
    kafka3.restart(old)
    assert kafka3.running == {1, 2, 3}


@pytest.mark.needs("netns")
def test_the_network_to_a_broker_is_cut_and_healed(cut_kafka3, network, prefix):
    topic = prefix + "topic"
    create(cut_kafka3, topic)
    victim = leader(cut_kafka3, topic)
    witness = victim % 3 + 1
    network.cut(victim)
    until(lambda: serving(cut_kafka3, witness) == {1, 2, 3} - {victim})
    assert cut_kafka3.running == {1, 2, 3}
    send(cut_kafka3, topic, b"around the cut")
    network.heal()
    until(lambda: serving(cut_kafka3, victim) == {1, 2, 3})
    assert read(cut_kafka3, topic) == [b"around the cut"]


def test_a_broker_that_does_not_come_up_says_why_and_leaves_nothing(tmp_path):
    cluster = KafkaCluster(tmp_path / "one")
    taken = ("127.0.0.1", cluster.nodes[0].ports[Listener.PLAINTEXT])
    complaint = r"node-1/log ends:\n(.*\n)*.*Address already in use"
    with socket.create_server(taken), pytest.raises(BrokerError, match=complaint):
        cluster.start()
    assert cluster.running == frozenset()
    assert brokers_below(tmp_path) == []


def test_stop_leaves_no_process(tmp_path):
    with KafkaCluster(tmp_path / "one") as cluster:
        assert len(brokers_below(tmp_path)) == 1
    cluster.stop()
    assert brokers_below(tmp_path) == []


def test_brokers_die_with_the_process_that_started_them_even_if_it_is_killed(tmp_path):
    program = (
        "import pathlib, sys, time; from tools.kafka import KafkaCluster;"
        "KafkaCluster(pathlib.Path(sys.argv[1])).start(); print('up', flush=True); time.sleep(600)"
    )
    words = [sys.executable, "-W", "ignore", "-c", program, str(tmp_path / "one")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, cwd=ROOT) as owner:
        try:
            assert owner.stdout.readline() == b"up\n"
            assert brokers_below(tmp_path)
        finally:
            owner.kill()
    until(lambda: not brokers_below(tmp_path), 10)


def test_the_start_script_says_where_and_ends_with_its_data(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with subprocess.Popen([ROOT / "tools/kafka/start"], stdout=subprocess.PIPE, text=True) as script:
        try:
            assert script.stdout.readline().startswith("kafka://127.0.0.1:")
        finally:
            script.send_signal(signal.SIGTERM)
        assert script.wait(30) == 0
    assert list(tmp_path.iterdir()) == []
    assert brokers_below(tmp_path) == []
