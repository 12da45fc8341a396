"""Order, repeats, lateness and hostile values."""

import random
from functools import cache

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.telemetry import Fault, Telemetry
from detectors.detector import Detector
from detectors.verdict import Saying, Verdict, encode
from tests.fleet import QUICK, START, Fleet, slow_from

replace = msgspec.structs.replace
EVENTFUL = Fleet(
    nodes=5,
    slow=slow_from(2, 4, 2.0),
    faults={
        (1, 7): [Fault(code="1200", time=START + 70)],
        (0, 9): [Fault(code="DMA_ERROR", time=START, device=1)],
    },
).records(14)


def written(sayings: list[Saying]) -> bytes:
    return b"\n".join(encode(saying) for saying in sayings)


@cache
def in_order() -> bytes:
    """What is said of the example when nothing is late."""
    return written(run(EVENTFUL))


def run(records: list[Telemetry], detector: Detector | None = None) -> list[Saying]:
    detector = detector or Detector(QUICK)
    return detector.fold(records) + detector.finish()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), sizes=st.lists(st.integers(1, 20), min_size=1, max_size=10))
def test_same_bytes_whatever_order_and_batches_within_the_lateness(seed: int, sizes: list[int]) -> None:
    chance = random.Random(seed)
    # The lateness of 10 s allows what is up to 10 s late; some come twice.
    shuffled = sorted(EVENTFUL, key=lambda record: record.time + chance.uniform(0, 10))
    for _ in range(5):
        place = chance.randrange(len(shuffled))
        shuffled.insert(place, shuffled[place])
    detector = Detector(QUICK)
    sayings: list[Saying] = []
    while shuffled:
        size = sizes[len(shuffled) % len(sizes)]
        batch, shuffled = shuffled[:size], shuffled[size:]
        sayings += detector.fold(batch)
    sayings += detector.finish()
    assert written(sayings) == in_order()
    assert detector.counts["duplicate"] == 5
    assert detector.counts["late"] == 0


def test_the_example_says_something_worth_comparing() -> None:
    said = [saying for saying in run(EVENTFUL) if isinstance(saying, Verdict)]
    assert {verdict.node for verdict in said if verdict.accused} == {"node-000", "node-002"}


def test_late_record_is_counted_and_changes_no_verdict() -> None:
    late = EVENTFUL[3]
    kept = [record for record in EVENTFUL if record is not late]
    detector = Detector(QUICK)
    assert written(run([*kept, late], detector)) == written(run(kept))
    assert detector.counts["late"] == 1


def test_one_clock_that_is_an_hour_ahead_stops_nobody() -> None:
    ahead = [
        replace(record, time=record.time + 3600) if record.node == "node-007" else record
        for record in Fleet(nodes=12, slow=slow_from(3, 10, 2.0)).records(30)
    ]
    detector = Detector(QUICK)
    accused = {s.node for s in detector.fold(ahead) if isinstance(s, Verdict) and s.accused}
    assert accused == {"node-003"}
    assert not detector.counts["late"]


VALUES = st.one_of(
    st.none(),
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from([0.0, -1.0, 1e308, 5e-324, float("nan"), float("inf"), 1e12]),
)


@settings(max_examples=25, deadline=None)
@given(values=st.lists(VALUES, min_size=8, max_size=8), count=st.sampled_from([None, 0, 1, 10, -5, 10**400]))
def test_hostile_values_neither_stop_nor_accuse_anybody(values: list[float | None], count: int | None) -> None:
    sayings = run([hostile(record, values, count) for record in Fleet(nodes=6).records(8)])
    assert not [saying for saying in sayings if isinstance(saying, Verdict) and saying.accused]
    written(sayings)


def hostile(record: Telemetry, values: list[float | None], count: int | None) -> Telemetry:
    if record.node != "node-002" or record.steps is None or record.ranks is None:
        return record
    steps = replace(
        record.steps,
        count=[count, 10],
        duration=values[0:2],
        work=values[2:4],
        sections={"compute": values[4:6], "data": values[6:8]},
        first_step=[2**80, None],
    )
    ranks = replace(record.ranks, stage=[-(2**90), None], device=[2**70, -4])
    return replace(record, steps=steps, ranks=ranks, faults=[Fault(code="x", time=float("nan"), device=2**70)])


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_constant_values_accuse_nobody(value: float) -> None:
    records = []
    for record in Fleet().records(15):
        assert record.steps is not None
        steps = replace(record.steps, sections={"compute": [value, value]}, duration=[value, value])
        records.append(replace(record, steps=steps))
    assert not [saying for saying in run(records) if isinstance(saying, Verdict) and saying.status != "ok"]


def test_records_without_steps_or_ranks_are_fine() -> None:
    records = [replace(record, steps=None, ranks=None) for record in Fleet().records(15)]
    assert {saying.node for saying in run(records) if isinstance(saying, Verdict)} == {
        f"node-{n:03}" for n in range(8)
    }


def test_nodes_that_did_other_steps_are_not_compared() -> None:
    records = []
    for record in Fleet(slow=slow_from(3, 5, 2.0)).records(30):
        steps = record.steps
        assert steps is not None
        assert steps.first_step is not None
        assert steps.last_step is not None
        if record.node == "node-003":
            steps = replace(
                steps,
                first_step=[step and step + 7 for step in steps.first_step],
                last_step=[step and step + 7 for step in steps.last_step],
            )
        records.append(replace(record, steps=steps))
    detector = Detector(QUICK)
    sayings = run(records, detector)
    assert not [saying for saying in sayings if isinstance(saying, Verdict) and saying.accused]
    assert detector.counts["not compared"] > 10


def test_steps_longer_than_a_window_are_joined() -> None:
    records = []
    for record in Fleet(slow=slow_from(3, 0, 2.0)).records(60):
        period = round((record.time - START) / 10)
        assert record.steps is not None
        if period % 4 == 3:
            steps = replace(record.steps, count=[1, 1], first_step=[period // 4] * 2, last_step=[period // 4] * 2)
        else:
            steps = replace(record.steps, count=[0, 0], first_step=None, duration=None, sections=None)
        records.append(replace(record, steps=steps))
    assert {s.node for s in run(records) if isinstance(s, Verdict) and s.accused} == {"node-003"}


def test_buffer_is_bounded_when_a_node_keeps_the_watermark_back() -> None:
    detector = Detector(QUICK)
    record = Fleet(nodes=1).records(1)[0]
    detector.fold([replace(record, node="behind", boot="b", time=START - 10.0)])
    for seq in range(5000):
        detector.fold([replace(record, node="a", seq=seq, time=START + seq * 0.001)])
    (following,) = detector._followed.values()
    assert following.arrival._held <= 64 * 18 + 1


def test_step_that_ends_on_both_sides_of_a_window_is_compared_among_all() -> None:
    # Half of the nodes report a long step one window before the others: each half alone has too few peers.
    records = []
    for record in Fleet(nodes=6, slow=slow_from(3, 0, 2.0)).records(60):
        step, phase = divmod(round((record.time - START) / 10), 4)
        assert record.steps is not None
        if phase == 1 + int(record.node[-1]) % 2:
            steps = replace(record.steps, count=[1, 1], first_step=[step] * 2, last_step=[step] * 2)
        else:
            steps = replace(record.steps, count=[0, 0], first_step=None, duration=None, sections=None)
        records.append(replace(record, steps=steps))
    assert {s.node for s in run(records) if isinstance(s, Verdict) and s.accused} == {"node-003"}
