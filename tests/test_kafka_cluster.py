"""The clusters that other tests stand on do what they promise."""

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

pytestmark = pytest.mark.needs("kafka")
LARGEST = bytes(1_000_000)


def create(cluster, topic, **settings):
    admin = cluster.admin()
    try:
        admin.create_topics([NewTopic(topic, 1, len(cluster.nodes), topic_configs=settings)])
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


def test_one_node_takes_the_largest_record_and_gives_it_back(kafka, prefix):
    create(kafka, prefix + "topic")
    send(kafka, prefix + "topic", LARGEST)
    assert read(kafka, prefix + "topic") == [LARGEST]
