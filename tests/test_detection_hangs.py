"""Jobs that stop, go on again, and hardware that reports a hard error: told by records."""

from functools import cache
from itertools import chain

from detectors.hang_policy import HangPolicy
from detectors.policy import Policy
from detectors.verdict import Cause, JobStatus, Role, Severity, Status
from simulation.case import START, Case, FaultKind
from simulation.records import records
from simulation.suites import suite
from tests.told import AT_FAULT, ONSET, Told, fault, job, later, name, since, told, until

AFTER = HangPolicy().after
FEW = 3 * Policy().window
STUCK = job(fault(FaultKind.HANG, rank=2), minutes=16)
RESUMED = 700.0
"""Seconds after which steps go on again."""


@cache
def stuck() -> Told:
    """What is said of it as long as it lasts."""
    return told(STUCK)


@cache
def resumed() -> Told:
    """A job that hangs for a while, and then goes on where it was."""
    before = until(records(STUCK), RESUMED)
    rest = later(since(records(job(minutes=18)), ONSET), RESUMED - ONSET)
    return told(chain(before, rest))


def small(cases: int) -> list[Case]:
    """Some cases of the suite, of jobs that are small enough for a test."""
    found = (case for case in suite("hang", 60, 77) if case.shape.nodes <= 20 and case.shape.nodes > 8)
    return [next(found) for _ in range(cases)]


def test_rank_that_others_wait_for_is_accused_and_its_job_is_hung() -> None:
    for case in (STUCK, *small(2)):
        hang = case.faults[0]
        culprit = name(hang.nodes[0])
        said = stuck() if case is STUCK else told(case)
        assert list(said.accused) == [culprit]
        verdict = said.accused[culprit]
        assert (verdict.role, verdict.severity, verdict.slowdown) == (Role.CULPRIT, Severity.CRITICAL, 1.0)
        assert START + hang.start + AFTER - case.step <= verdict.time <= START + hang.start + AFTER + FEW
        assert abs(verdict.since - START - hang.start) <= 2 * case.step
        last = said.jobs[-1]
        assert (last.status, last.accused, last.since) == (JobStatus.HUNG, [culprit], verdict.since)
        rank = hang.nodes[0] * case.shape.ranks + (hang.rank or 0)
        assert last.reason is not None
        assert last.reason.startswith(f"rank {rank} is in compute for ")
        assert last.reason.endswith(", and the others wait in a collective")


def test_accusation_of_a_hang_stands_and_is_not_taken_back_while_it_lasts() -> None:
    said = [verdict for verdict in stuck().verdicts if verdict.node == name(AT_FAULT)]
    assert [verdict.status for verdict in said] == [Status.OK, Status.STRAGGLER, Status.STRAGGLER]
    assert said[-1].time - said[-2].time == Policy().refresh


def test_job_that_goes_on_is_normal_and_its_culprit_ok_after_good_windows() -> None:
    said = resumed()
    assert said.at(RESUMED).status is JobStatus.HUNG
    later_on = said.at(RESUMED + 2 * FEW)
    assert (later_on.status, later_on.accused) == (JobStatus.NORMAL, [name(AT_FAULT)])
    good = Policy().clear * Policy().window
    (cleared,) = said.of(AT_FAULT, Status.OK)[1:]
    assert START + RESUMED + good <= cleared.time <= START + RESUMED + good + FEW
    assert said.jobs[-1].accused == []
    assert list(said.accused) == [name(AT_FAULT)]


def test_second_hang_is_found_as_soon_as_the_first() -> None:
    once = list(until(records(STUCK), RESUMED))
    # It goes on for five minutes, as it did at first, and is stuck again.
    again = list(later(since(records(STUCK), 0), RESUMED))
    said = told([*once, *again])
    hung = [verdict.since for verdict in said.jobs if verdict.status is JobStatus.HUNG]
    assert len(set(hung)) == 2
    second = next(verdict for verdict in said.jobs if verdict.since == max(hung))
    assert second.time <= START + RESUMED + ONSET + AFTER + FEW


def test_stopped_job_without_sections_is_hung_and_says_why_nobody_is_named() -> None:
    said = told(job(fault(FaultKind.HANG, rank=2), minutes=12, sections=False))
    assert not said.accused
    assert said.jobs[-1].status is JobStatus.HUNG
    assert said.jobs[-1].reason == "no step ends, and too few ranks say in which section they are"


def test_hard_error_accuses_at_once_and_does_not_make_the_job_slow() -> None:
    said = told(job(fault(FaultKind.HARD, 1.0, rank=2)))
    verdict = said.accused[name(AT_FAULT)]
    assert (verdict.status, verdict.role, verdict.severity) == (Status.FAULT, Role.CULPRIT, Severity.CRITICAL)
    assert (verdict.cause, verdict.device) == (Cause.DEVICE, 1)
    assert verdict.time == START + ONSET + 10
    assert (said.jobs[-1].status, said.jobs[-1].accused) == (JobStatus.NORMAL, [name(AT_FAULT)])
