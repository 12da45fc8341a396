"""Same bytes whatever order, batches and snapshots in between, for records with all that they can hold.

Those of `tests.fleet` have neither signals nor stances nor checkpoints; simulated ones have.
"""

import random
from functools import cache
from itertools import chain

import pytest

from collectors.telemetry import Telemetry
from detectors.detector import Detector
from detectors.policy import Policy
from detectors.snapshot import Snapshot
from detectors.verdict import Saying, encode
from simulation.case import Disturbance, FaultKind, Shape
from simulation.records import records
from tests.told import ONSET, fault, job, later, since, until

POLICY = Policy(warm_up=0, starting=3, clear=12)
"""Short enough that a case begins, convicts and clears."""


@cache
def stream(kind: str) -> tuple[Telemetry, ...]:
    """Records in order of event time."""
    if kind == "hang":
        stuck = until(records(job(fault(FaultKind.HANG, rank=2), minutes=12)), 660)
        rest = later(since(records(job(minutes=9)), ONSET), 660 - ONSET)
        return tuple(chain(stuck, rest))
    lay = {"shape": Shape(16, stages=2, experts=2, tensor=2), "seed": 3}
    happening = [Disturbance.LOST, Disturbance.CLOCK_SKEW, Disturbance.CHECKPOINT, Disturbance.QUIET]
    case = {
        "compute": job(fault(FaultKind.COMPUTE, end=500.0), minutes=12, disturbances=happening, **lay),
        "link": job(fault(FaultKind.LINK), minutes=14),
        "storage": job(fault(FaultKind.STORAGE, 1.4), minutes=16, disturbances=[Disturbance.AGENT_DEATH]),
        "unsectioned": job(fault(FaultKind.MEMORY, 1.8, rank=1), minutes=10, sections=False),
        "resize": job(fault(FaultKind.HARD, rank=1), minutes=10, disturbances=[Disturbance.RESIZE]),
    }[kind]
    return tuple(records(case))


def written(sayings: list[Saying]) -> list[bytes]:
    return [encode(saying) for saying in sayings]


@cache
def in_order(kind: str) -> tuple[bytes, ...]:
    detector = Detector(POLICY)
    return tuple(written(detector.fold(stream(kind)) + detector.finish()))


def shuffled(kind: str, chance: random.Random) -> list[Telemetry]:
    """Records up to ten seconds late, which is allowed, and some of them twice."""
    arrived = sorted(stream(kind), key=lambda record: record.time + chance.uniform(0, POLICY.lateness))
    for _ in range(10):
        place = chance.randrange(len(arrived))
        arrived.insert(place, arrived[place])
    return arrived


KINDS = ("compute", "link", "storage", "unsectioned", "resize", "hang")


@pytest.mark.parametrize("kind", ["compute", "unsectioned", "hang"])
def test_order_and_batches_within_the_lateness_change_no_byte(kind: str) -> None:
    chance = random.Random(kind)
    rest = shuffled(kind, chance)
    detector, sayings = Detector(POLICY), []
    while rest:
        size = chance.randrange(1, 200)
        sayings += detector.fold(rest[:size])
        del rest[:size]
    assert tuple(written(sayings + detector.finish())) == in_order(kind)
    assert detector.counts["duplicate"] == 10
    assert not detector.counts["late"]


@pytest.mark.parametrize("kind", KINDS)
def test_going_on_from_a_snapshot_changes_no_byte(kind: str) -> None:
    chance = random.Random(kind)
    arrived = shuffled(kind, chance)
    taken = snapshots(arrived, wants={chance.randrange(len(arrived)) for _ in range(8)})
    assert len(taken) >= 3
    for snapshot, before, after in taken[:: len(taken) // 2]:
        detector = Detector(POLICY)
        detector.restore(snapshot)
        offsets = range(snapshot.offset, len(arrived))
        again = written(detector.fold(arrived[snapshot.offset :], offsets) + detector.finish())
        expected = in_order(kind)
        assert again == list(expected[len(expected) - len(again) :])
        assert before <= len(expected) - len(again) <= after


def snapshots(arrived: list[Telemetry], wants: set[int]) -> list[tuple[Snapshot, int, int]]:
    """Snapshots that are asked for after some records, and how much was said before and after each was taken."""
    detector, said, taken = Detector(POLICY), 0, []
    for number, record in enumerate(arrived):
        before = said
        said += len(detector.fold([record]))
        if number in wants:
            detector.want_snapshots()
        taken += [(snapshot, before, said) for snapshot in detector.snapshots()]
    return taken
