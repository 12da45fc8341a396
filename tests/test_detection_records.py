"""What the benchmark measures on arrays holds for records: the same nodes, for the same reasons, and when."""

from dataclasses import replace

import pytest

from detectors.verdict import Cause, Role
from simulation.case import Case, Disturbance, FaultKind, Shape
from simulation.disorder import Disorder, arrivals, disordered
from simulation.records import records
from tests.told import AT_FAULT, Accusation, fault, job, judged, name, told

WILD = (Disturbance.LATE, Disturbance.LOST, Disturbance.REPEATED, Disturbance.REORDERED)
WORST = Disorder(late=0.2, lost=0.02, repeated=0.2, reordered=0.5)
CASES = {
    "compute": (job(fault(FaultKind.COMPUTE)), (Role.CULPRIT, Cause.COMPUTE, None)),
    "device": (job(fault(FaultKind.DEVICE, rank=2)), (Role.CULPRIT, Cause.COMPUTE, 1)),
    "input": (job(fault(FaultKind.INPUT)), (Role.CULPRIT, Cause.INPUT, None)),
    "host": (job(fault(FaultKind.HOST)), (Role.CULPRIT, Cause.HOST, None)),
    "throttle": (job(fault(FaultKind.THROTTLE)), (Role.CULPRIT, Cause.COMPUTE, None)),
    "link": (job(fault(FaultKind.LINK), minutes=14), (Role.LINK, Cause.NETWORK, None)),
    "storage": (job(fault(FaultKind.STORAGE, 1.4), minutes=16), (Role.CULPRIT, Cause.STORAGE, None)),
    "stages": (
        job(fault(FaultKind.COMPUTE), shape=Shape(16, stages=2), disturbances=[Disturbance.UNEQUAL_STAGES]),
        (Role.CULPRIT, Cause.COMPUTE, None),
    ),
}


@pytest.mark.parametrize(("case", "right"), CASES.values(), ids=list(CASES))
def test_records_accuse_whom_arrays_accuse_and_for_the_same_reason(case: Case, right: Accusation) -> None:
    if case.shape.stages > 1:
        # The slower stage is the one that counts.
        case = replace(case, faults=(replace(case.faults[0], nodes=(13,)),))
    wanted, said = judged(case), told(case).accused
    culprit = name(case.faults[0].nodes[0])
    assert list(said) == list(wanted) == [culprit]
    verdict, (time, accusation) = said[culprit], wanted[culprit]
    assert (verdict.role, verdict.cause, verdict.device) == accusation == right
    assert abs(verdict.time - time) <= 20


@pytest.mark.parametrize("kind", ["compute", "host"])
def test_culprit_is_found_among_late_lost_repeated_and_reordered_records(kind: str) -> None:
    case, right = CASES[kind]
    said = told(disordered(records(case), WORST, 1)).accused
    assert list(said) == [name(AT_FAULT)]
    assert (said[name(AT_FAULT)].role, said[name(AT_FAULT)].cause) == right[:2]
    # More than one in ten of all records comes too late to count.
    assert said[name(AT_FAULT)].time - judged(case)[name(AT_FAULT)][0] <= 60


@pytest.mark.parametrize("seed", [1, 2])
def test_disorder_accuses_nobody(seed: int) -> None:
    healthy = job(seed=seed, disturbances=WILD)
    assert not told(arrivals(healthy)).accused
    assert not told(disordered(records(healthy), WORST, seed)).accused


def test_records_that_get_lost_in_a_larger_job_cost_no_time() -> None:
    # One in a hundred: of 40 nodes, some node's in every third window.
    case = job(fault(FaultKind.COMPUTE), shape=Shape(40), minutes=8, disturbances=[Disturbance.LOST])
    assert told(case).accused[name(AT_FAULT)].time <= judged(case)[name(AT_FAULT)][0] + 20
