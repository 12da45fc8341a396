"""Telemetry through the consumer and the first fold on one core, beside a bare kafka-python poll loop."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import zstandard
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic

from collectors.telemetry import encode
from detectors.board import Board
from detectors.policy import Policy
from guard.bus import Topic
from guard.bus.kafka import KafkaBus
from guard.detect.memory import collect_rarely
from guard.detect.metrics import Metrics
from guard.detect.partition import PartitionFold
from tools.bench.page import Figure, Section
from tools.bench.records import FleetRecords
from tools.kafka import KafkaCluster

_RECORDS = int(os.environ.get("GUARD_BENCH_RECORDS", "20000"))
_NODES = 2_500
_ROUNDS = 3
_SKIPPED = 2_000
"""Records before the clock starts: the connection, the first fetches, and caches."""
_PROMISED = 6_250
_DEADLINE = 300.0


def measure() -> Section:
    """Fill two partitions, then read one in turn by the bare loop and by guard, and both by two processes."""
    with tempfile.TemporaryDirectory() as directory, KafkaCluster(Path(directory)) as cluster:
        size, packed = _fill(cluster.bootstrap)
        rounds = [(_child(cluster, "bare", [0])[0], _child(cluster, "guard", [0])[0]) for _ in range(_ROUNDS)]
        both = _child(cluster, "guard", [0, 1])
    bare, ours = (statistics.median(column) for column in zip(*rounds, strict=True))
    ratio = statistics.median(mine / theirs for theirs, mine in rounds)
    best = max(mine for _, mine in rounds)
    rates = ", ".join(f"{mine:,.0f}" for _, mine in rounds)
    figures = [
        Figure("a bare poll loop", f"{bare:,.0f} records/s"),
        Figure("poll, decode and fold", f"{ours:,.0f} records/s", "≥ 6,250", ours >= _PROMISED),
        Figure("the rounds, and the best", f"{rates}; {best:,.0f}"),
        Figure("ours over the bare loop, same run", f"{ratio:.2f}", "≥ 0.4", ratio >= 0.4),
        Figure("two partitions, two processes", f"{sum(both):,.0f} records/s, {sum(both) / ours:.2f} times one"),
    ]
    how = (
        f"{_RECORDS} records of 64 ranks ({size:,} bytes, {packed:,} in zstd), one per batch, one partition, one "
        f"job of {_NODES} nodes; a process pinned to one core, the broker on both; {_ROUNDS} rounds in turn."
    )
    return Section("Ingest from Kafka", how, figures)


def _fill(bootstrap: str) -> tuple[int, int]:
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.create_topics([NewTopic(topic, 2, 1) for topic in (Topic.TELEMETRY, Topic.SNAPSHOTS, Topic.STATE)])
    admin.close()
    producer = KafkaProducer(bootstrap_servers=bootstrap, compression_type="zstd", linger_ms=0, batch_size=1)
    value = b""
    fleet = FleetRecords(_NODES, start=time.time() - 10.0 * (_RECORDS // _NODES))
    for number in range(_RECORDS // _NODES):
        for record in fleet.period(number):
            value = encode(record)
            for partition in (0, 1):
                producer.send(Topic.TELEMETRY, value, record.key.encode(), partition=partition)
    producer.flush()
    producer.close()
    return len(value), len(zstandard.ZstdCompressor().compress(value))


def _child(cluster: KafkaCluster, how: str, partitions: list[int]) -> list[float]:
    """Records per second of one process per partition, side by side."""
    command = [sys.executable, "-m", "tools.bench.ingest", how, cluster.bootstrap]
    children = [
        subprocess.Popen([*command, str(partition)], stdout=subprocess.PIPE, text=True) for partition in partitions
    ]
    return [float(json.loads(child.communicate(timeout=_DEADLINE)[0])) for child in children]


def _rate(poll: Callable[[], int]) -> float:
    """Poll until all came; records per second after the first ones."""
    read = 0
    while read < _SKIPPED:
        read += poll()
    before, start = read, time.perf_counter()
    while read < _RECORDS // _NODES * _NODES:
        read += poll()
        if time.perf_counter() - start > _DEADLINE:
            raise SystemExit(f"only {read} records came")
    return (read - before) / (time.perf_counter() - start)


def _bare(bootstrap: str, partition: int) -> float:
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    consumer.assign([TopicPartition(Topic.TELEMETRY, partition)])
    return _rate(lambda: sum(len(found) for found in consumer.poll(1000, max_records=500).values()))


def _guard(bootstrap: str, partition: int) -> float:
    collect_rarely()
    policy = Policy()
    fold = PartitionFold(partition, policy, Board(policy), Metrics())
    with KafkaBus(bootstrap) as bus:
        messages = bus.scan(Topic.TELEMETRY, partition=partition)

        def poll() -> int:
            found = list(islice(messages, 500))
            fold.fold(found)
            return len(found)

        return _rate(poll)


if __name__ == "__main__":
    os.sched_setaffinity(0, {int(sys.argv[3]) % (os.cpu_count() or 1)})
    print(json.dumps({"bare": _bare, "guard": _guard}[sys.argv[1]](sys.argv[2], int(sys.argv[3]))))
