"""Going on from a snapshot gives what the undisturbed fold gives, byte for byte."""

import random
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from collectors.telemetry import Fault, RecordError, Telemetry, UnknownVersionError
from detectors.detector import Detector
from detectors.verdict import JobVerdict, Saying, Verdict, encode
from tests.fleet import QUICK, START, Fleet, slow_from

if TYPE_CHECKING:
    from detectors.snapshot import Snapshot

replace = msgspec.structs.replace
_FAULTS = {(4, 33): [Fault(code="DMA_ERROR", time=START + 330.0, device=1)]}
RUN = (
    Fleet(slow=slow_from(2, 8, 2.0), faults=_FAULTS).records(24)
    + Fleet(attempt=1, slow=slow_from(5, 26, 1.9)).records(20, start=24)
    + Fleet(nodes=6, attempt=2).records(12, start=44)
)
"""A straggler that is carried into the next attempt, a second one, a hard fault, two nodes that go quiet."""
OTHER = Fleet(nodes=5, job="other", slow=slow_from(1, 10, 2.2)).records(50)
IDLE = [replace(r, node=f"idle-{r.node}", job=None, steps=None, ranks=None) for r in Fleet(nodes=3).records(40)]


def renamed(records: list[Telemetry]) -> list[Telemetry]:
    return [replace(record, node=f"other-{record.node}") for record in records]


def arrivals(seed: int) -> list[Telemetry]:
    """The records of two jobs and some idle nodes, out of order within the lateness, some twice, one lost."""
    chance = random.Random(seed)
    records = [*RUN, *renamed(OTHER), *IDLE]
    records.pop(chance.randrange(len(records)))
    records.sort(key=lambda record: record.time + chance.uniform(0, 10))
    for _ in range(5):
        place = chance.randrange(len(records))
        records.insert(place, records[place])
    return records


def about(sayings: list[Saying], job: str | None) -> list[Saying]:
    def of(saying: Saying) -> str | None:
        if isinstance(saying, JobVerdict):
            return saying.job
        return saying.job.id if saying.job else None

    return [saying for saying in sayings if of(saying) == job]


def told(sayings: list[Saying], job: str | None) -> list[bytes]:
    return [encode(saying) for saying in about(sayings, job)]


class Undisturbed:
    """A detector that folds everything, and the newest snapshot that it took of a job until a moment."""

    def __init__(self, records: list[Telemetry], job: str | None, cut: int, wants: list[int]) -> None:
        self.sayings: list[Saying] = []
        self.snapshot: Snapshot | None = None
        self.around = (0, 0)
        self.detector = Detector(QUICK)
        after = 0
        for number, record in enumerate(records):
            said, before = self.detector.fold([record]), after
            self.sayings += said
            after += len(about(said, job))
            if number in wants:
                self.detector.want_snapshots()
            for snapshot in self.detector.snapshots():
                if number < cut and snapshot.job == job:
                    self.snapshot = snapshot
                    self.around = (before, after)
        self.sayings += self.detector.finish()


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    job=st.sampled_from(["train", "other", None]),
    cut=st.floats(0.1, 1.0),
    wants=st.lists(st.floats(0.0, 0.95), min_size=1, max_size=6),
)
@example(seed=0, job=None, cut=1.0, wants=[0.03125])  # an idle node's first record waits still
def test_fold_of_both_halves_is_fold_of_the_second_from_the_snapshot_of_the_first(
    seed: int, job: str | None, cut: float, wants: list[float]
) -> None:
    records = arrivals(seed)
    whole = Undisturbed(records, job, int(cut * len(records)), [int(want * len(records)) for want in wants])
    if whole.snapshot is None:
        return
    second = Detector(QUICK)
    second.restore(whole.snapshot)
    offset = whole.snapshot.offset
    of_job = [(n, r) for n, r in enumerate(records) if n >= offset and (r.job.id if r.job else None) == job]
    sayings = second.fold([record for _, record in of_job], [number for number, _ in of_job])
    sayings += second.finish()
    expected, again = told(whole.sayings, job), told(sayings, job)
    assert again == expected[len(expected) - len(again) :]
    assert whole.around[0] <= len(expected) - len(again) <= whole.around[1]
    assert tally(second, job) == tally(whole.detector, job)


def tally(detector: Detector, job: str | None) -> list[tuple[int, int]]:
    return sorted(
        (f.arrival.folded.records, f.arrival.folded.checksum)
        for (_, name, _), f in detector._followed.items()
        if name == job
    )


def test_the_examples_take_snapshots_that_matter() -> None:
    records = arrivals(1)
    whole = Undisturbed(records, "train", len(records) // 2, [len(records) // 3])
    assert whole.snapshot is not None
    assert {s.node for s in whole.sayings if isinstance(s, Verdict) and s.accused} >= {"node-002", "node-005"}
    assert len(told(whole.sayings, "train")) - whole.around[1] > 5


def test_snapshot_does_not_hold_the_open_window() -> None:
    sizes = []
    for ranks in (1, 64):
        detector = Detector(QUICK)
        detector.fold(Fleet(ranks=ranks).records(8))
        detector.want_snapshots()
        detector.fold(Fleet(ranks=ranks).records(8, start=8))
        (snapshot,) = detector.snapshots()
        sizes.append(len(snapshot.state or b""))
    assert sizes[1] < 1.2 * sizes[0]


def test_snapshot_of_another_version_or_policy_is_refused_by_name() -> None:
    detector = Detector(QUICK)
    detector.fold(Fleet().records(8))
    detector.want_snapshots()
    detector.fold(Fleet().records(8, start=8))
    (snapshot,) = detector.snapshots()
    with pytest.raises(UnknownVersionError, match="edition"):
        Detector(replace(QUICK, floor=0.5)).restore(snapshot)
    assert snapshot.state is not None
    with pytest.raises(RecordError):
        Detector(QUICK).restore(replace(snapshot, state=snapshot.state[:-9]))
    with pytest.raises(RecordError):
        Detector(QUICK).restore(replace(snapshot, state=b"\xff" * 40))


def test_what_no_snapshot_covers_must_be_read_again() -> None:
    detector = Detector(QUICK)
    assert detector.uncovered() is None
    detector.fold(Fleet().records(4))
    assert detector.uncovered() == 0
    detector.want_snapshots()
    detector.fold(Fleet().records(4, start=4))
    (snapshot,) = detector.snapshots()
    assert 0 < snapshot.offset == detector.uncovered()


def test_job_that_ended_holds_no_offset_back() -> None:
    records = Fleet().records(12)
    records[-8:] = [replace(record, leaving=True) for record in records[-8:]]
    detector = Detector(QUICK)
    detector.fold(records)
    detector.tick(0.0)
    detector.want_snapshots()
    assert detector.uncovered() is None
    detector.tick(1e6)
    detector.tick(2e6)
    assert [s.state for s in detector.snapshots() if s.job == "train"][-1] is None


def test_node_that_another_detector_met_in_another_job_has_left() -> None:
    idle = [r for r in IDLE if r.node == "idle-node-000"]
    detector = Detector(QUICK)
    detector.fold(idle)
    elsewhere = Detector(QUICK)
    taken = [replace(r, node=f"idle-{r.node}", seq=r.seq + 100) for r in Fleet(job="next").records(4, start=40)]
    for saying in elsewhere.fold(taken) + elsewhere.finish():
        detector.remember(saying)
    sayings = [saying for now in range(200) for saying in detector.tick(float(now))]
    assert not [s for s in sayings if isinstance(s, Verdict) and s.node == "idle-node-000"]
