"""Attempts, comings and goings, silence and hard faults."""

import msgspec
import pytest

from collectors.telemetry import Fault, Telemetry
from detectors.detector import Detector
from detectors.verdict import Cause, JobStatus, JobVerdict, Role, Saying, Severity, Status, Verdict
from tests.fleet import QUICK, START, Fleet, slow_from

replace = msgspec.structs.replace


def run(records: list[Telemetry], detector: Detector | None = None) -> list[Saying]:
    detector = detector or Detector(QUICK)
    return detector.fold(records) + detector.finish()


def about(sayings: list[Saying], node: str) -> list[Verdict]:
    return [saying for saying in sayings if isinstance(saying, Verdict) and saying.node == node]


def job_statuses(sayings: list[Saying]) -> list[JobStatus]:
    return [saying.status for saying in sayings if isinstance(saying, JobVerdict)]


def test_new_attempt_needs_its_own_evidence() -> None:
    # Two bad windows before the restart and two after it are not three in a row.
    first = Fleet(slow=slow_from(3, 8, 2.0)).records(10)
    second = Fleet(slow=slow_from(3, 10, 2.0), attempt=1).records(2, start=10)
    quiet = Fleet(attempt=1).records(10, start=12)
    assert {verdict.status for verdict in about(run(first + second + quiet), "node-003")} == {Status.OK}


def test_accusation_stands_in_the_next_attempt_until_five_good_windows() -> None:
    first = Fleet(slow=slow_from(3, 5, 2.0)).records(15)
    second = Fleet(attempt=1).records(20, start=15)
    said = about(run(first + second), "node-003")
    assert [(v.status, v.job.attempt if v.job else None) for v in said] == [
        (Status.OK, 0),
        (Status.STRAGGLER, 0),
        (Status.OK, 1),
    ]
    assert said[-1].time == START + 10.0 * 19


def test_other_hardware_under_the_same_name_does_not_inherit_an_accusation() -> None:
    first = Fleet(slow=slow_from(3, 5, 2.0)).records(15)
    second = [
        replace(record, instance="i-new", boot="new") if record.node == "node-003" else record
        for record in Fleet(attempt=1).records(3, start=15)
    ]
    said = about(run(first + second), "node-003")
    assert (said[-1].status, said[-1].instance) == (Status.OK, "i-new")


def test_record_of_an_attempt_that_is_over_is_counted_and_changes_nothing() -> None:
    detector = Detector(QUICK)
    old = [replace(record, boot="old") for record in Fleet(attempt=0).records(1, start=9)]
    run(Fleet(attempt=1).records(10) + old, detector)
    assert detector.counts["stale"] == 8


def test_node_that_leaves_is_not_silent_and_the_others_go_on() -> None:
    records = Fleet().records(5)
    records = [replace(r, leaving=True) if (r.node, r.time) == ("node-001", START + 40) else r for r in records]
    rest = [record for record in Fleet().records(30, start=5) if record.node != "node-001"]
    sayings = run(records + rest)
    assert [verdict.status for verdict in about(sayings, "node-001")] == [Status.OK]
    last = [saying for saying in sayings if isinstance(saying, JobVerdict)][-1]
    assert (last.status, last.nodes) == (JobStatus.NORMAL, 7)


def test_job_has_ended_when_every_node_said_that_it_leaves() -> None:
    records = Fleet().records(12)
    records[-8:] = [replace(record, leaving=True) for record in records[-8:]]
    assert job_statuses(run(records))[-1] is JobStatus.ENDED


def test_node_that_comes_later_is_compared_like_the_others() -> None:
    records = [
        r for r in Fleet(slow=slow_from(3, 0, 2.0)).records(30) if r.node != "node-003" or r.time > START + 100
    ]
    assert about(run(records), "node-003")[-1].status is Status.STRAGGLER


def test_node_without_records_is_silent_after_the_grace_and_ok_when_it_comes_back() -> None:
    records = [r for r in Fleet().records(40) if r.node != "node-002" or not 100 < r.time - START < 250]
    said = about(run(records), "node-002")
    assert [(v.status, v.role) for v in said] == [(Status.OK, None), (Status.SILENT, None), (Status.OK, None)]
    assert said[1].time == START + 100 + QUICK.silence
    assert said[2].time == START + 250


def test_silence_of_all_is_noticed_by_ticks_alone_and_the_job_has_not_ended() -> None:
    detector = Detector(QUICK)
    detector.tick(0.0)
    detector.fold(Fleet().records(20))
    sayings: list[Saying] = []
    for now in range(1, 120):
        sayings += detector.tick(float(now))
    silent = [saying for saying in sayings if isinstance(saying, Verdict) and saying.status is Status.SILENT]
    assert len(silent) == 8
    assert {verdict.time for verdict in silent} == {START + 190 + QUICK.silence}
    last = [saying for saying in sayings if isinstance(saying, JobVerdict)][-1]
    assert last.status is not JobStatus.ENDED
    assert last.reason
    assert "no telemetry" in last.reason


def test_nothing_is_silent_while_records_keep_coming() -> None:
    detector = Detector(QUICK)
    sayings: list[Saying] = []
    for period in range(30):
        sayings += detector.tick(10.0 * period)
        sayings += detector.fold(Fleet().records(1, start=period))
    assert not [saying for saying in sayings if isinstance(saying, Verdict) and saying.status is Status.SILENT]


def test_silence_takes_no_accusation_back() -> None:
    records = [
        r for r in Fleet(slow=slow_from(3, 5, 2.0)).records(40) if r.node != "node-003" or r.time < START + 200
    ]
    assert about(run(records), "node-003")[-1].accused


def test_what_was_not_heard_for_an_hour_is_forgotten() -> None:
    detector = Detector(QUICK)
    detector.fold(Fleet().records(3))
    for now in (0.0, 100.0, 4000.0):
        detector.tick(now)
    assert not detector._followed
    assert not detector._homes


@pytest.mark.parametrize(
    "code",
    [
        "SRAM_UNCORRECTABLE_ERROR",
        "NC_UNCORRECTABLE_ERROR",
        "HBM_UNCORRECTABLE_ERROR",
        "DMA_ERROR",
        "1201",
        "1202",
        "1203",
    ],
)
def test_hard_error_of_the_hardware_accuses_its_node_at_once(code: str) -> None:
    fleet = Fleet(faults={(4, 2): [Fault(code=code, time=START + 20, device=3)]})
    said = about(run(fleet.records(20)), "node-004")
    fault = said[1]
    assert (fault.status, fault.role, fault.cause) == (Status.FAULT, Role.CULPRIT, Cause.DEVICE)
    assert (fault.severity, fault.device, fault.time) == (Severity.CRITICAL, 3, START + 20)
    assert len(said) == 2, "good windows do not repair hardware"


@pytest.mark.parametrize("code", ["HANG_ON_COLLECTIVES", "1200"])
def test_hang_on_collectives_makes_a_victim_never_an_accused(code: str) -> None:
    fleet = Fleet(nodes=48, faults={(node, 2): [Fault(code=code, time=START + 20)] for node in range(48)})
    sayings = run(fleet.records(20))
    victims = [s for s in sayings if isinstance(s, Verdict) and s.role is Role.VICTIM]
    assert len(victims) == 32, "at most so many of a job"
    assert {verdict.status for verdict in victims} == {Status.WATCH}
    assert about(sayings, "node-000")[-1].status is Status.OK, "it passes"


def test_unknown_code_is_watched() -> None:
    fleet = Fleet(faults={(1, 2): [Fault(code="NEW_ERROR", time=START)]})
    assert (about(run(fleet.records(5)), "node-001")[-1].role) is Role.INCONCLUSIVE


def test_idle_node_is_ok_then_silent_and_its_faults_count() -> None:
    idle = [replace(record, job=None, steps=None, ranks=None) for record in Fleet(nodes=1).records(5)]
    faulty = replace(idle[3], faults=[Fault(code="DMA_ERROR", time=START, device=1)])
    said = about(run([*idle[:3], faulty, idle[4]]), "node-000")
    assert [(verdict.status, verdict.job) for verdict in said] == [(Status.OK, None), (Status.FAULT, None)]
    detector = Detector(QUICK)
    detector.fold(idle)
    sayings = [saying for now in range(100) for saying in detector.tick(float(now))]
    assert about(sayings, "node-000")[-1].status is Status.SILENT


def test_node_that_takes_up_a_job_is_not_silent_where_it_idled() -> None:
    idle = [replace(record, job=None, steps=None, ranks=None) for record in Fleet().records(5)]
    detector = Detector(QUICK)
    sayings = detector.fold(idle)
    for period in range(5, 30):
        sayings += detector.fold(Fleet().records(1, start=period)) + detector.tick(10.0 * period)
    assert not [saying for saying in sayings if isinstance(saying, Verdict) and saying.status is Status.SILENT]


def test_remembered_accusation_survives_a_restart_of_the_detector() -> None:
    said = about(run(Fleet(slow=slow_from(3, 5, 2.0)).records(15)), "node-003")[-1]
    detector = Detector(QUICK)
    detector.remember(said)
    after = about(detector.fold(Fleet().records(4, start=15)) + detector.finish(), "node-003")
    assert not after, "four good windows are too few"
