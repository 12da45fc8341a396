"""Telemetry of 200 nodes through brokers and detectors that are killed, cut off and brought back, at random.

What must hold in the end: every record that was sent is on the bus, in the order of its node, and was folded
exactly once; and what was said, repeats dropped by id, is what an undisturbed detector says of the same records.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from collectors.telemetry import Telemetry, decode, encode
from detectors.arrival import Tally
from detectors.detector import Detector
from detectors.held import Packer
from detectors.policy import Policy
from detectors.snapshot import decode as decode_state
from detectors.snapshot import edition
from detectors.verdict import Verdict
from detectors.verdict import decode as decode_saying
from guard.agent.outbox import Outbox
from guard.agent.spool import Spool
from guard.bus import Bus, BusError, Topic
from guard.bus.kafka import KafkaBus
from guard.detect.snapshots import Shelf
from tests.detector_processes import DetectorProcesses
from tests.disturbance import Network, disturbed
from tests.fleet import Fleet, slow_from
from tools.kafka import KafkaCluster

POLICY = Policy(window=10.0, lateness=300.0, silence=600.0)
"""The lateness covers every outage of a run that is told faster than it happens: nothing may be late here."""

JOBS, NODES, AGENTS = 4, 50, 20
PERIOD = 10.0
TRAILING = 33
"""Periods until the watermark has passed the last one that counts by the lateness."""
MORE = 90
PATIENCE = 90.0


@dataclass
class Outcome:
    """What came of a run. ``tallies``: of each job what its last snapshot has folded, and what it must have."""

    sent: int = 0
    on_bus: int = 0
    missing: int = 0
    repeats: int = 0
    out_of_order: int = 0
    late: int = 0
    tallies: dict[str, tuple[Tally, Tally]] = field(default_factory=dict)
    said: dict[str, bytes] = field(default_factory=dict)
    repeated: int = 0
    expected: dict[str, bytes] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        folded = sum(found.records for found, _ in self.tallies.values())
        return (
            f"{self.sent} records sent, {self.on_bus} on the bus ({self.repeats} of them repeats), {self.missing} "
            f"missing, {self.out_of_order} out of order; {folded} folded by the last snapshots, {self.late} late; "
            f"{len(self.said)} sayings of {len(self.expected)} expected, {self.repeated} repeats; "
            f"{len(self.events)} disturbances: {', '.join(self.events)}"
        )


def run(
    cluster: KafkaCluster, directory: Path, *, periods: int, pace: float, seed: int, network: Network | None
) -> Outcome:
    """Send, disturb, wait until all is folded, and compare.

    Args:
        cluster: three brokers with guard's topics.
        directory: for spools, configurations and logs.
        periods: of ten seconds of event time, before those that trail.
        pace: real seconds in which a period is sent.
        seed: of what happens when.
        network: for cutting brokers off.
    """
    chance, outcome = random.Random(seed), Outcome()
    known = periods + TRAILING
    batches = periods_of(known + MORE, time.time() - (known + MORE) * PERIOD)
    end = batches[periods - 1][0].time
    everything: list[Telemetry] = []
    with ExitStack() as stack:
        detectors = stack.enter_context(DetectorProcesses(cluster, directory, POLICY, count=2))
        outboxes = [stack.enter_context(agent(cluster, directory, number)) for number in range(AGENTS)]
        with disturbed(cluster, detectors, chance, outcome.events, network):
            for batch in batches[:known]:
                send(batch, outboxes, pace)
                everything += batch
        eventually(
            lambda: not any(outbox.pending for outbox in outboxes), lambda: "the spools do not become empty"
        )
        with KafkaBus(cluster.bootstrap) as bus:
            # A snapshot is taken when a window ends: the job goes on until each has one of what counts.
            for batch in batches[known:]:
                if passed(bus, end):
                    break
                send(batch, outboxes, 1.0)
                everything += batch
        assert [(outbox.dropped, outbox.refused) for outbox in outboxes] == [(0, 0)] * AGENTS
        outcome.sent = len(everything)
        with KafkaBus(cluster.bootstrap) as bus:
            eventually(lambda: passed(bus, end), lambda: standing(bus, end, detectors))
            expect(everything, outcome)
            eventually(lambda: said(bus) >= outcome.expected.keys(), lambda: standing(bus, end, detectors))
            compare(bus, everything, outcome)
    return outcome


def send(batch: Sequence[Telemetry], outboxes: Sequence[Outbox], pace: float) -> None:
    """Give a period's records to the agents, in so many real seconds."""
    start = time.monotonic()
    for number, record in enumerate(batch):
        outboxes[number % AGENTS].put(record.key, encode(record))
    time.sleep(max(0.0, pace - (time.monotonic() - start)))


def periods_of(count: int, start: float) -> list[list[Telemetry]]:
    """The records of each period: four jobs of fifty nodes, two with a straggler."""
    fleets = [
        Fleet(nodes=NODES, job=f"job-{job}", slow=slow_from(7 + job, 3, 2.0) if job % 2 else lambda *_: 1.0)
        for job in range(JOBS)
    ]
    by_period: list[list[Telemetry]] = [[] for _ in range(count)]
    for job, fleet in enumerate(fleets):
        records = fleet.records(count)
        shift = start - records[0].time
        for number, record in enumerate(records):
            name = f"job-{job}-{record.node}"
            moved = msgspec.structs.replace(record, node=name, boot=name, time=record.time + shift)
            by_period[number // NODES].append(moved)
    return by_period


@contextmanager
def agent(cluster: KafkaCluster, directory: Path, number: int) -> Iterator[Outbox]:
    """An agent's sending half: a real outbox with a real spool, for some of the nodes."""
    outbox = Outbox(
        lambda: KafkaBus(cluster.bootstrap),
        lambda: Spool(directory / f"spool-{number}.sqlite", 64 << 20),
        publish_within=2.0,  # a queue of 64 lies before the spool: here ten nodes share one
        retry_most=2.0,
    )
    try:
        yield outbox
    finally:
        outbox.close(5.0)


def eventually(true: Callable[[], bool], otherwise: Callable[[], str]) -> None:
    deadline = time.monotonic() + PATIENCE
    away = ""
    while True:
        try:
            if true():
                return
        except BusError as error:
            away = str(error)
        assert time.monotonic() < deadline, f"{otherwise()} {away}"
        time.sleep(0.5)


def standing(bus: Bus, end: float, detectors: DetectorProcesses) -> str:
    """Why the detectors have not come to the end: how far from it each job's snapshot is, and what each lacks."""
    far = {job: round(reached - end, 1) for job, (reached, _, _) in newest(bus).items()}
    lags = [detectors.metric(number, "guard_detect_lag_records") for number in range(detectors.count)]
    counts = [detectors.metric(number, "guard_detect_records_total") for number in range(detectors.count)]
    return f"seconds from the end: {far}; lag {lags}, read {counts}"


def newest(bus: Bus) -> dict[str, tuple[float, Tally, Tally]]:
    """Of each job how far its newest snapshot has come, what it folded and what came late."""
    found = {}
    for partition in range(bus.partitions(Topic.SNAPSHOTS)):
        messages = list(bus.scan(Topic.SNAPSHOTS, partition=partition))
        for telemetry in range(bus.partitions(Topic.TELEMETRY)):
            for snapshot in Shelf(telemetry, partition).read(messages):
                if snapshot.state is not None and snapshot.job is not None:
                    (state,) = decode_state(edition(POLICY), snapshot.state).arrivals
                    found[snapshot.job] = (state.passed, state.folded, state.late)
    return found


def passed(bus: Bus, end: float) -> bool:
    found = newest(bus)
    return len(found) == JOBS and all(reached >= end for reached, _, _ in found.values())


def compare(bus: Bus, sent: Sequence[Telemetry], outcome: Outcome) -> None:
    """Hold the bus against what was sent."""
    by_identity = {record.identity: record for record in sent}
    newest_seq: dict[str, int] = {}
    seen = set()
    for message in bus.scan(Topic.TELEMETRY):
        record = decode(message.value or b"")
        outcome.on_bus += 1
        if record.identity in seen:
            outcome.repeats += 1
            continue
        seen.add(record.identity)
        outcome.out_of_order += record.seq < newest_seq.get(record.node, -1)
        newest_seq[record.node] = max(record.seq, newest_seq.get(record.node, -1))
    outcome.missing = len(by_identity.keys() - seen)
    packer = Packer()
    for job, (reached, folded, late) in newest(bus).items():
        wanted = Tally()
        wanted.count([packer.pack(r, 0) for r in sent if r.job and r.job.id == job and r.time <= reached])
        outcome.tallies[job] = (folded, wanted)
        outcome.late += late.records
    for message in bus.scan(Topic.VERDICTS):
        saying = decode_saying(message.value or b"")
        outcome.repeated += saying.id in outcome.said
        outcome.said[saying.id] = message.value or b""


def expect(sent: Sequence[Telemetry], outcome: Outcome) -> None:
    """What an undisturbed detector says."""
    for job in range(JOBS):
        detector = Detector(POLICY)
        told = detector.fold([r for r in sent if r.job and r.job.id == f"job-{job}"]) + detector.tick(0.0)
        outcome.expected |= {saying.id: msgspec.json.encode(saying) for saying in told}


def said(bus: Bus) -> set[str]:
    return {decode_saying(message.value or b"").id for message in bus.scan(Topic.VERDICTS)}


def accused(outcome: Outcome) -> set[str]:
    sayings = [decode_saying(value) for value in outcome.said.values()]
    return {saying.node for saying in sayings if isinstance(saying, Verdict) and saying.accused}
