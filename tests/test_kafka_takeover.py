"""Detectors on real brokers: they share the jobs, and one that is killed is taken over with nothing lost."""

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from collectors.telemetry import Telemetry, encode
from detectors.detector import Detector
from detectors.policy import Policy
from detectors.verdict import Verdict, decode
from guard.bus import Outgoing, Topic
from guard.bus.kafka import KafkaBus
from tests.detector_processes import DetectorProcesses
from tests.fleet import Fleet, slow_from
from tests.takeover import eventually, held, read, take_over
from tools.kafka import KafkaCluster
from tools.kafka.topics import make_topics

pytestmark = [pytest.mark.needs("kafka"), pytest.mark.timeout(300)]

POLICY = Policy(window=10.0, lateness=30.0, silence=90.0)
NODES, PERIODS, ONSET = 1000, 14, 4
TAKEOVER = 15.0


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[KafkaCluster]:
    with KafkaCluster(tmp_path / "kafka") as one:
        make_topics(one.bootstrap)
        yield one


def records(job: str, nodes: int, periods: int, start: float) -> list[Telemetry]:
    found = Fleet(nodes=nodes, ranks=2, job=job, slow=slow_from(17, ONSET, 2.0)).records(periods)
    return [
        msgspec.structs.replace(r, node=f"{job}-{r.node}", boot=f"{job}-{r.node}", time=start + 10.0 * r.seq)
        for r in found
    ]


def publish(bus: KafkaBus, found: list[Telemetry]) -> int:
    for at in range(0, len(found), 500):
        bus.publish([Outgoing(Topic.TELEMETRY, r.key, encode(r)) for r in found[at : at + 500]], 30.0)
    return len(found)


def verdicts(bus: KafkaBus) -> list[Verdict]:
    sayings = [decode(message.value or b"") for message in bus.scan(Topic.VERDICTS)]
    return [saying for saying in sayings if isinstance(saying, Verdict)]


def test_killed_detector_is_taken_over_within_fifteen_seconds_and_says_the_same(
    cluster: KafkaCluster, tmp_path: Path
) -> None:
    everything = records("large", NODES, PERIODS, time.time() - 10.0 * PERIODS)
    before = everything[: NODES * (PERIODS - 2)]
    with KafkaBus(cluster.bootstrap) as bus, DetectorProcesses(cluster, tmp_path, POLICY, count=2) as detectors:
        taken = take_over(detectors, lambda: publish(bus, before), lambda: publish(bus, everything[len(before) :]))
        print(f"taken over after {taken.read:.1f} s, session timeout 6 s, {taken.again} records read again")
        eventually(lambda: any(v.accused for v in verdicts(bus)), lambda: "nobody is accused")
        said = {verdict.id for verdict in verdicts(bus)}
    undisturbed = Detector(POLICY)
    expected = undisturbed.fold(everything) + undisturbed.tick(0.0)
    assert said == {saying.id for saying in expected if isinstance(saying, Verdict)}
    assert taken.read <= TAKEOVER


def test_detectors_share_the_jobs_and_one_that_leaves_hands_its_jobs_over(
    cluster: KafkaCluster, tmp_path: Path
) -> None:
    start = time.time() - 10.0 * 40
    jobs = {f"job-{number}": records(f"job-{number}", 20, 40, start) for number in range(8)}
    with KafkaBus(cluster.bootstrap) as bus, DetectorProcesses(cluster, tmp_path, POLICY, count=2) as detectors:
        eventually(lambda: [held(detectors, n) for n in (0, 1)] == [2, 2], lambda: detectors.log(0))
        for period in range(20):
            publish(bus, [r for found in jobs.values() for r in found if r.seq == period])
        half = sum(len(found) for found in jobs.values()) // 2
        eventually(lambda: sum(read(detectors, n) for n in (0, 1)) >= half, lambda: "not all was read")
        assert all(read(detectors, n) for n in (0, 1)), "both have work"
        detectors.end(0)
        eventually(lambda: held(detectors, 1) == 4, lambda: detectors.log(1))
        for period in range(20, 40):
            publish(bus, [r for found in jobs.values() for r in found if r.seq == period])
        wanted = {f"job-{number}-node-017" for number in range(8)}
        eventually(lambda: {v.node for v in verdicts(bus) if v.accused} >= wanted, lambda: detectors.log(1))
        assert {v.node for v in verdicts(bus) if v.accused} == wanted
