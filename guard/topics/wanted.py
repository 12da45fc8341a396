"""Every topic as it should be on Kafka, from the configuration."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from guard.bus import COMPACTED, Topic
from guard.topics.settings import Topics

LARGEST_BATCH = 1_048_588
"""Bytes: Kafka's own default, named so that a broker's other default does not refuse records. A value of
1,000,000 bytes, its key of up to 1,024 and the batch around them fit."""
_COMPACTED_SEGMENT = 600_000
"""Milliseconds. The segment that is being written is never compacted, and whoever takes a job over reads it."""
_TOMBSTONE_KEPT = 86_400_000
"""Milliseconds that the deletion of a key can be read, as on the embedded bus."""
_SEGMENTS_KEPT = 12
"""Only closed segments expire: with this many to a retention, it is exceeded by a twelfth."""
_DAY = 86_400_000
_SEGMENT_MOST, _SEGMENT_LEAST = 1 << 30, 16 << 20
"""Bytes: Kafka's default, and room for a dozen batches of the largest size."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A topic as it should be. ``configs`` has Kafka's names and values."""

    topic: Topic
    name: str
    partitions: int
    replication: int
    configs: Mapping[str, str] = field(hash=False)


def wanted(settings: Topics, prefix: str = "") -> tuple[Wanted, ...]:
    """Every topic, its name behind ``prefix``."""
    return tuple(
        Wanted(
            topic,
            f"{prefix}{topic}",
            _partitions(topic, settings),
            settings.replication,
            _configs(topic, settings),
        )
        for topic in Topic
    )


def _partitions(topic: Topic, settings: Topics) -> int:
    if topic in (Topic.TELEMETRY, Topic.SNAPSHOTS):
        return settings.telemetry_partitions  # a snapshot lies beside the telemetry that it stands for
    if topic in (Topic.LEDGER, Topic.CONTROL):
        return 1  # one order for all: an epoch is an offset, and the partition's owner leads
    return settings.other_partitions


def _configs(topic: Topic, settings: Topics) -> dict[str, str]:
    general = {
        "min.insync.replicas": str(settings.insync),
        "unclean.leader.election.enable": "false",  # a leader that lacks records would lose them
        "message.timestamp.type": "LogAppendTime",  # a node's wrong clock must not expire or keep anything
        "compression.type": "producer",  # the broker need not compress again
        "max.message.bytes": str(LARGEST_BATCH),
    }
    if topic in COMPACTED:
        return general | {
            "cleanup.policy": "compact",
            "segment.ms": str(_COMPACTED_SEGMENT),
            "min.cleanable.dirty.ratio": "0.1",  # reports and takeovers read all of it: keep it short
            "delete.retention.ms": str(_TOMBSTONE_KEPT),
        }
    return general | {"cleanup.policy": "delete"} | _retention(topic, settings)


def _retention(topic: Topic, settings: Topics) -> dict[str, str]:
    if topic is Topic.LEDGER:
        return {"retention.ms": "-1", "retention.bytes": "-1"}
    seconds = {
        Topic.TELEMETRY: settings.telemetry_seconds,
        Topic.VERDICTS: settings.verdicts_seconds,
        Topic.CONTROL: settings.control_seconds,
        Topic.DEADLETTER: settings.deadletter_seconds,
    }[topic]
    kept = round(seconds * 1000)
    times = {"retention.ms": str(kept), "segment.ms": str(min(kept // _SEGMENTS_KEPT, _DAY))}
    if topic is not Topic.TELEMETRY:
        return times | {"retention.bytes": "-1"}
    segment = min(max(settings.telemetry_bytes // _SEGMENTS_KEPT, _SEGMENT_LEAST), _SEGMENT_MOST)
    return times | {"retention.bytes": str(settings.telemetry_bytes), "segment.bytes": str(segment)}
