"""How a job goes: status, since when, against which baseline, and why nobody is accused."""

from dataclasses import replace
from itertools import pairwise

import msgspec
import numpy as np
import pytest

from detectors.board import Conclusion
from detectors.course import Course, CourseState, Standing
from detectors.members import Member
from detectors.policy import Policy
from detectors.standing import Grounds, standing_of
from detectors.verdict import JobStatus, JobVerdict, Role, Status

POLICY = Policy()
WINDOW = POLICY.window
START = 1_790_000_010.0
CALM = Standing(64, (), "why", None)


class Run:
    """A course and what it has said, a window after another."""

    def __init__(self) -> None:
        self.course = Course(POLICY, "east", "train", 0)
        self.windows = 0
        self.said: list[JobVerdict] = []
        self.chance = np.random.default_rng(7)

    @property
    def time(self) -> float:
        """The end of the newest window."""
        return START + WINDOW * self.windows

    def go(
        self,
        windows: int,
        step_time: float | None,
        *,
        healthy: bool = True,
        nodes: int = 64,
        standing: Standing = CALM,
        sd: float = 0.005,
    ) -> "Run":
        for _ in range(windows):
            noisy = step_time * float(np.exp(sd * self.chance.standard_normal())) if step_time else None
            self.course.note(noisy, healthy=healthy, time=self.time, nodes=nodes)
            self.windows += 1
            self.speak(replace(standing, nodes=nodes))
        return self

    def speak(self, standing: Standing = CALM) -> JobVerdict:
        self.said += self.course.say(self.time, standing)
        return self.said[-1]

    @property
    def last(self) -> JobVerdict:
        return self.said[-1]

    @property
    def statuses(self) -> list[JobStatus]:
        """Without repeats."""
        every = [said.status for said in self.said]
        return [every[0], *(after for before, after in pairwise(every) if after is not before)]


def at(window: int) -> float:
    """The start of a window."""
    return START + WINDOW * window


def test_job_that_slows_a_lot_is_slow_at_once_and_since_its_onset() -> None:
    run = Run().go(40, 1.0).go(3, 1.5)
    assert run.last.status is JobStatus.SLOW
    assert run.last.since == at(40)
    run.go(40, 1.5)
    assert run.statuses == [JobStatus.STARTING, JobStatus.NORMAL, JobStatus.SLOW]
    assert (run.last.since, run.last.reason) == (at(40), "why")
    assert run.last.baseline == pytest.approx(1.0, abs=0.01)
    assert run.last.slowdown == pytest.approx(1 / 3, abs=0.01)


@pytest.mark.parametrize("ratio", [1.06, 1.1])
def test_small_lasting_change_is_slow_and_dated(ratio: float) -> None:
    run = Run().go(60, 1.0).go(30, ratio)
    assert run.last.status is JobStatus.SLOW
    assert run.last.since == pytest.approx(at(60), abs=2 * WINDOW)


def test_change_below_five_percent_is_normal() -> None:
    assert Run().go(60, 1.0).go(60, 1.03).last.status is JobStatus.NORMAL


def test_job_is_normal_again_soon_after_it_is() -> None:
    run = Run().go(40, 1.0).go(40, 1.5).go(3, 1.0)
    assert run.last.status is JobStatus.NORMAL
    assert run.go(60, 1.0).statuses[-2:] == [JobStatus.SLOW, JobStatus.NORMAL]


def test_single_slow_windows_are_no_news() -> None:
    run = Run()
    for _ in range(20):
        run.go(9, 1.0).go(1, 3.0)
    assert run.statuses == [JobStatus.STARTING, JobStatus.NORMAL]


def test_job_of_two_step_times_is_normal() -> None:
    run = Run()
    for pace in np.random.default_rng(3).choice([1.0, 1.3], 600):
        run.go(1, float(pace))
    assert run.statuses == [JobStatus.STARTING, JobStatus.NORMAL]


def test_job_that_slows_step_by_step_is_held_against_its_first_step() -> None:
    run = Run()
    for step in range(6):
        run.go(40, 1.0 + 0.03 * step)
    assert run.last.status is JobStatus.SLOW
    assert run.last.baseline == pytest.approx(1.0, abs=0.01)
    assert run.last.since == pytest.approx(at(80), abs=3 * WINDOW)


def test_slow_decay_is_slow() -> None:
    run = Run()
    for window in range(600):
        run.go(1, 1.0 + 0.0005 * window)
    assert run.last.status is JobStatus.SLOW
    assert run.last.baseline == pytest.approx(1.0, abs=0.05)


def test_job_that_was_resized_has_a_baseline_of_its_own() -> None:
    run = Run().go(60, 1.0).go(60, 1.8, nodes=32)
    assert run.last.status is JobStatus.NORMAL
    assert run.last.baseline == pytest.approx(1.8, abs=0.02)
    assert run.go(30, 2.2, nodes=32).last.status is JobStatus.SLOW


def test_lost_node_is_no_resize() -> None:
    assert Run().go(60, 1.0).go(30, 1.8, nodes=63).last.status is JobStatus.SLOW


def test_job_that_is_slow_from_its_start_has_no_baseline_until_it_was_well() -> None:
    accused = replace(CALM, accused=("node-003",))
    run = Run().go(40, 1.5, healthy=False, standing=accused)
    assert (run.last.status, run.last.baseline, run.last.reason) == (JobStatus.SLOW, None, None)
    run.go(40, 1.0)
    assert run.last.status is JobStatus.NORMAL
    assert run.last.baseline == pytest.approx(1.0, abs=0.01)


def test_slow_start_is_not_the_baseline() -> None:
    run = Run().go(12, 2.0).go(60, 1.0)
    assert run.last.status is JobStatus.NORMAL
    assert run.last.baseline == pytest.approx(1.0, abs=0.01)


def test_hang_has_its_since_and_its_reason_until_it_is_over() -> None:
    run = Run().go(20, 1.0)
    run.course.hang(at(18), "rank 7 is in compute for 395 s")
    run.go(5, None)
    assert (run.last.status, run.last.since) == (JobStatus.HUNG, at(18))
    assert run.last.reason == "rank 7 is in compute for 395 s"
    run.course.unhang()
    assert run.go(1, 1.0).last.status is JobStatus.NORMAL
    run.course.end()
    assert run.speak().status is JobStatus.ENDED


def test_going_on_from_a_snapshot_says_the_same() -> None:
    one, other = Run().go(60, 1.0).go(9, 1.4), Run().go(60, 1.0).go(9, 1.4)
    one.course.hang(at(66), "stuck")
    state = msgspec.msgpack.decode(msgspec.msgpack.encode(one.course.freeze()), type=CourseState)
    other.course = Course(POLICY, "east", "train", 0)
    other.course.restore(state)
    assert one.go(30, 1.4).said[-10:] == other.go(30, 1.4).said[-10:]


def test_nobody_to_hear_of_is_said() -> None:
    assert Run().speak(replace(CALM, silence="no telemetry")).reason == "no telemetry"


@pytest.mark.parametrize(
    ("grounds", "reason"),
    [
        (
            Grounds(common="the nodes of rack r7"),
            "the nodes of rack r7 slowed together: no one of them is at fault",
        ),
        (Grounds(storage=True), "the nodes wait for storage: a checkpoint, or a file system that they share"),
        (Grounds(peers=2), "too few peers to accuse a suspect: 2"),
        (
            Grounds(network=True),
            "collectives take longer while nobody's own work does: the network is suspected",
        ),
        (
            Grounds(suspect=("node-x", 0.629)),
            "node-x is suspected: evidence 62 % of what an accusation needs",
        ),
        (None, "no node's own work stands out from that of its peers for long enough"),
    ],
)
def test_reason_why_nobody_is_accused_is_specific(grounds: Grounds | None, reason: str) -> None:
    assert standing_of([Member("n", "i", 0, 0.0)], unsynced=False, grounds=grounds).excuse == reason


def test_what_rules_an_accusation_out_comes_first() -> None:
    unsure = Member("n", "i", 0, 0.0, Conclusion(Status.WATCH, Role.INCONCLUSIVE))
    common = Member("m", "i", 1, 0.0, Conclusion(Status.WATCH, Role.COMMON))
    gathering = Grounds(suspect=("n", 2.0))
    assert standing_of([unsure], unsynced=False, grounds=gathering).excuse.startswith(
        "the suspects (1) have too few"
    )
    assert "together" in standing_of([unsure, common], unsynced=False, grounds=gathering).excuse
    assert "sections" in standing_of([unsure], unsynced=True, grounds=gathering).excuse
    assert "evidence 99 %" in standing_of([], unsynced=False, grounds=gathering).excuse
