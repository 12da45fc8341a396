"""A detector is killed: how long until another one has its jobs and has read all that was sent."""

import os
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from kafka import KafkaProducer

from collectors.telemetry import Telemetry, encode
from detectors.policy import Policy
from guard.bus import Topic
from guard.bus.kafka_publisher import partition_of
from tests.detector_processes import DetectorProcesses
from tests.takeover import PARTITIONS, TakeOver, take_over
from tools.bench.page import Figure, Section
from tools.bench.records import PERIOD, RANKS, FleetRecords
from tools.kafka import KafkaCluster
from tools.kafka.topics import make_topics

_FLEETS = tuple(int(nodes) for nodes in os.environ.get("GUARD_BENCH_FLEETS", "1000,10000,20000").split(","))
_WHOLE = 62_500
_SMALL, _PROMISED = 1000, 15.0
_BEFORE, _AFTER = int(os.environ.get("GUARD_BENCH_BEFORE", "12")), 1
"""Periods. Before the kill: more than window and lateness, six, lie between a snapshot and the newest record."""
_PATIENCE = 1200.0


def measure() -> Section:
    """Each fleet on a broker of its own. The whole fleet, unless measured, by a line through the two largest."""
    taken = {nodes: _measure(nodes) for nodes in sorted(_FLEETS)}
    figures = [
        Figure(
            f"{nodes:,} nodes: partitions taken over, all read",
            f"{seconds.held:.1f} s, {seconds.read:.1f} s; {seconds.again:,} records read again",
            f"≤ {_PROMISED:g} s" if nodes == _SMALL else "",
            seconds.read <= _PROMISED if nodes == _SMALL else None,
        )
        for nodes, seconds in taken.items()
    ]
    if _WHOLE not in taken and len(taken) > 1:
        figures.append(Figure(f"{_WHOLE:,} nodes, NOT measured: the line through these", f"{_line(taken):.0f} s"))
    how = (
        f"Two detectors share {PARTITIONS} partitions; records of {RANKS} ranks, one job, {_BEFORE} periods at "
        f"once, several records a batch; kill -9 of the owner (session timeout 6 s), then {_AFTER} period more. "
        "The other goes on from the snapshots. On two cores, with the broker."
    )
    return Section("Taking over from a killed detector", how, figures)


def _measure(nodes: int) -> TakeOver:
    fleet = FleetRecords(nodes, start=time.time() - PERIOD * (_BEFORE + _AFTER))

    def send(first: int, periods: int) -> int:
        return _send(cluster.bootstrap, (r for n in range(first, first + periods) for r in fleet.period(n)))

    with tempfile.TemporaryDirectory() as name, KafkaCluster(Path(name) / "kafka") as cluster:
        make_topics(cluster.bootstrap, partitions=PARTITIONS)
        with DetectorProcesses(cluster, Path(name), Policy(), count=2) as detectors:
            return take_over(detectors, lambda: send(0, _BEFORE), lambda: send(_BEFORE, _AFTER), _PATIENCE)


def _send(bootstrap: str, records: Iterable[Telemetry]) -> int:
    """Not as an agent does: many records a batch, or a fleet's would take an hour."""
    producer = KafkaProducer(
        bootstrap_servers=bootstrap, compression_type="zstd", linger_ms=20, batch_size=512 << 10
    )
    sent = 0
    for record in records:
        key = record.key.encode()
        producer.send(Topic.TELEMETRY, encode(record), key, partition=partition_of(key, PARTITIONS))
        sent += 1
    producer.flush()
    producer.close()
    return sent


def _line(taken: dict[int, TakeOver]) -> float:
    (few, less), (many, more) = ((nodes, taken[nodes].read) for nodes in sorted(taken)[-2:])
    return more + (more - less) / (many - few) * (_WHOLE - many)
