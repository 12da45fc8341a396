"""Reading what a topic on Kafka holds now, once."""

import time
from collections.abc import Iterator, Sequence

from kafka.consumer import KafkaConsumer
from kafka.errors import KafkaError
from kafka.structs import TopicPartition

from guard.bus import BusUnavailableError, Message, Topic
from guard.bus.kafka_client import translated
from guard.bus.kafka_credentials import Credentials
from guard.bus.kafka_reader import make_consumer, messages, places_of, position, starts
from guard.bus.kafka_settings import KafkaSettings

_STUCK = 30.0
"""Seconds without a record after which a scan that has not come to the end gives up."""
_POLL = 500
_AT_ONCE = 2000
"""Records taken apart before the first of them is given: enough that what a poll costs is little."""
_CLOSE = 1_000


def scan(
    servers: Sequence[str],
    settings: KafkaSettings,
    prefix: str,
    topic: Topic,
    *,
    partition: int | None,
    since: float,
) -> Iterator[Message]:
    """Every record up to the ends as they are at the start.

    Raises:
        BusUnavailableError: the bus is away, or the topic is not there or not ours to read.
    """
    name, address = prefix + topic, ",".join(servers)
    consumer, cluster = make_consumer(servers, Credentials(settings))
    try:
        places = [p for p in places_of(cluster, name, address) if partition in (None, p.partition)]
        consumer.assign(places)
        ends, first = consumer.end_offsets(places), starts(consumer, places, since)
        limits = {place.partition: end for place, end in ends.items()}
        for place, offset in first.items():
            consumer.seek(place, offset)
        left = [place for place in places if first[place] < ends[place]]
        consumer.pause(*(place for place in places if place not in left))
        heard = time.monotonic()
        while left:
            found = consumer.poll(_POLL, max_records=_AT_ONCE)
            for message in messages(found, {name: topic}):
                _, of, offset = message.position
                if offset < limits[of]:
                    yield message
            heard = time.monotonic() if found else heard
            left = [place for place in left if not _done(consumer, place, ends[place])]
            if time.monotonic() - heard > _STUCK:
                raise BusUnavailableError(
                    f"kafka {address}: {name} gives nothing for {_STUCK:g} s; see the brokers' logs"
                )
    except KafkaError as error:
        raise translated(error, address, f"reading {name}") from error
    finally:
        consumer.close(autocommit=False, timeout_ms=_CLOSE)


def _done(consumer: KafkaConsumer, place: TopicPartition, end: int) -> bool:
    """By position, not by records: the end may lie behind the last one, where compaction left a hole."""
    reached = position(consumer, place)
    if reached is None or reached < end:
        return False
    consumer.pause(place)
    return True


def taken(
    servers: Sequence[str], settings: KafkaSettings, prefix: str, topics: Sequence[Topic], since: float
) -> frozenset[Topic]:
    """Which topics have a record from ``since`` on, Unix seconds by the brokers' clocks.

    Raises:
        BusUnavailableError: the bus is away, or a topic is not there or not ours to read.
    """
    address = ",".join(servers)
    consumer, cluster = make_consumer(servers, Credentials(settings))
    try:
        places = {place: topic for topic in topics for place in places_of(cluster, prefix + topic, address)}
        found = consumer.offsets_for_times(dict.fromkeys(places, max(round(since * 1000), 0)))
        return frozenset(places[place] for place, at in found.items() if at is not None)
    except KafkaError as error:
        raise translated(error, address, "asking what is new") from error
    finally:
        consumer.close(autocommit=False, timeout_ms=_CLOSE)


def partitions(servers: Sequence[str], settings: KafkaSettings, name: str) -> int:
    """How many partitions a topic has.

    Raises:
        BusUnavailableError: the bus is away, or the topic is not there or not ours to see.
    """
    consumer, cluster = make_consumer(servers, Credentials(settings))
    try:
        return len(places_of(cluster, name, ",".join(servers)))
    except KafkaError as error:
        raise translated(error, ",".join(servers), f"asking for {name}") from error
    finally:
        consumer.close(autocommit=False, timeout_ms=_CLOSE)
