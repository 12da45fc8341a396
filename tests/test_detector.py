import itertools

import msgspec
import pytest

from collectors.telemetry import Telemetry
from detectors.detector import Detector
from detectors.policy import Policy
from detectors.verdict import Cause, JobStatus, JobVerdict, Role, Saying, Severity, Status, Verdict
from tests.fleet import QUICK, START, Fleet, slow_from


def run(records: list[Telemetry], policy: Policy = QUICK) -> list[Saying]:
    detector = Detector(policy)
    return detector.fold(records) + detector.finish()


def verdicts(sayings: list[Saying]) -> list[Verdict]:
    return [saying for saying in sayings if isinstance(saying, Verdict)]


def jobs(sayings: list[Saying]) -> list[JobVerdict]:
    return [saying for saying in sayings if isinstance(saying, JobVerdict)]


def not_ok(sayings: list[Saying]) -> list[Verdict]:
    return [verdict for verdict in verdicts(sayings) if verdict.status is not Status.OK]


def test_slow_node_is_the_culprit_and_nobody_who_waits_for_it_is_named() -> None:
    sayings = run(Fleet(slow=slow_from(3, 10, 2.0)).records(40))
    assert {verdict.node for verdict in not_ok(sayings)} == {"node-003"}
    first = not_ok(sayings)[0]
    assert (first.status, first.role, first.cause) == (Status.STRAGGLER, Role.CULPRIT, Cause.COMPUTE)
    assert first.severity is Severity.WARNING
    assert first.since == START + 10.0 * 9
    assert first.time == START + 10.0 * 12
    # A step takes 1.77 s where it could take 0.97 s.
    assert first.slowdown == pytest.approx(0.8 / 1.77, abs=0.02)
    assert first.evidence[0].value > 1.5 * first.evidence[0].typical


def test_job_of_a_culprit_is_slow_and_names_it() -> None:
    last = jobs(run(Fleet(slow=slow_from(3, 10, 2.0)).records(40)))[-1]
    assert (last.status, last.accused, last.nodes) == (JobStatus.SLOW, ["node-003"], 8)
    assert last.slowdown == pytest.approx(0.45, abs=0.03)


def test_healthy_job_is_normal_and_every_node_is_ok_once() -> None:
    sayings = run(Fleet().records(60))
    assert not not_ok(sayings)
    assert len(verdicts(sayings)) == 8
    assert [job.status for job in jobs(sayings)][:2] == [JobStatus.STARTING, JobStatus.NORMAL]
    assert jobs(sayings)[-1].baseline == pytest.approx(0.97, abs=0.02)


def test_job_is_reported_every_minute() -> None:
    times = [job.time for job in jobs(run(Fleet().records(60)))]
    assert max(after - before for before, after in itertools.pairwise(times)) == 60.0


@pytest.mark.parametrize("section", ["data", "host"])
def test_cause_is_the_section_that_takes_the_time(section: str) -> None:
    first = not_ok(run(Fleet(slow=slow_from(2, 5, 30.0), section=section).records(30)))[0]
    assert first.cause is {"data": Cause.INPUT, "host": Cause.HOST}[section]


def test_unequal_stages_accuse_nobody() -> None:
    fleet = Fleet(nodes=16, stages=4, stage_weight=lambda stage: 1.0 + stage)
    assert not not_ok(run(fleet.records(40)))


def test_slow_node_of_a_light_stage_is_found_among_its_own_kind() -> None:
    fleet = Fleet(nodes=16, stages=4, stage_weight=lambda stage: 1.0 + stage, slow=slow_from(4, 5, 2.0))
    assert {verdict.node for verdict in not_ok(run(fleet.records(30)))} == {"node-004"}


def test_peers_that_slow_together_are_common_and_not_accused() -> None:
    fleet = Fleet(nodes=12, slow=lambda node, period: 2.0 if node < 4 and period > 9 else 1.0)
    said = not_ok(run(fleet.records(40)))
    assert {verdict.node for verdict in said} == {f"node-{node:03}" for node in range(4)}
    assert {(verdict.status, verdict.role) for verdict in said} == {(Status.WATCH, Role.COMMON)}


def test_two_equally_slow_nodes_of_many_do_not_excuse_each_other() -> None:
    fleet = Fleet(nodes=24, slow=lambda node, period: 2.0 if node in {3, 9} and period > 9 else 1.0)
    assert {v.node for v in verdicts(run(fleet.records(30))) if v.accused} == {"node-003", "node-009"}


@pytest.mark.parametrize("nodes", [2, 3])
def test_too_few_peers_detect_and_do_not_attribute(nodes: int) -> None:
    sayings = run(Fleet(nodes=nodes, slow=slow_from(1, 10, 2.0)).records(40))
    said = not_ok(sayings)
    assert {(verdict.node, verdict.status, verdict.role) for verdict in said} == {
        ("node-001", Status.WATCH, Role.INCONCLUSIVE)
    }
    last = jobs(sayings)[-1]
    assert last.status is JobStatus.SLOW
    assert last.reason == f"too few peers to accuse a suspect: {nodes - 1}"


def test_single_node_is_never_accused() -> None:
    assert not not_ok(run(Fleet(nodes=1, slow=slow_from(0, 10, 5.0)).records(40)))


@pytest.mark.parametrize("synced", [False, None])
def test_job_without_synchronised_sections_is_slow_and_says_why_nobody_is_named(synced: bool | None) -> None:
    sayings = run(Fleet(slow=slow_from(3, 10, 2.0), synced=synced).records(40))
    assert not not_ok(sayings)
    last = jobs(sayings)[-1]
    assert (last.status, last.accused) == (JobStatus.SLOW, [])
    assert last.reason == "the job reports no synchronised sections: step times alone cannot name a node"


def test_slow_work_that_costs_the_job_nothing_is_only_watched() -> None:
    fleet = Fleet(slow=slow_from(3, 5, 2.0))
    records = [stretched(record) for record in fleet.records(30)]
    assert {v.status for v in not_ok(run(records))} == {Status.WATCH}


def stretched(record: Telemetry) -> Telemetry:
    """The same, in a job that spends nearly all of its time on something else."""
    assert record.steps is not None
    steps = msgspec.structs.replace(record.steps, duration=[1000.0 for _ in record.steps.count])
    return msgspec.structs.replace(record, steps=steps)


def test_slow_device_is_named() -> None:
    records = []
    for record in Fleet(ranks=4).records(20):
        steps = record.steps
        assert steps is not None
        assert steps.sections is not None
        if record.node == "node-005":
            compute = list(steps.sections["compute"])
            compute[2] = 20.0
            steps = msgspec.structs.replace(steps, sections={**steps.sections, "compute": compute})
        records.append(msgspec.structs.replace(record, steps=steps))
    first = not_ok(run(records))[0]
    assert (first.node, first.device) == ("node-005", 2)


def test_node_is_ok_again_after_five_good_windows_and_not_before() -> None:
    fleet = Fleet(slow=lambda node, period: 2.0 if node == 3 and 10 <= period < 20 else 1.0)
    said = [verdict for verdict in verdicts(run(fleet.records(40))) if verdict.node == "node-003"]
    assert [verdict.status for verdict in said] == [Status.OK, Status.STRAGGLER, Status.OK]
    assert said[-1].time == START + 10.0 * 24


def test_verdict_that_stands_is_repeated_every_five_minutes_since_the_same_onset() -> None:
    said = not_ok(run(Fleet(slow=slow_from(3, 10, 2.0)).records(110)))
    assert [after.time - before.time for before, after in itertools.pairwise(said)] == [300.0] * 3
    assert len({verdict.since for verdict in said}) == 1
    assert len({verdict.id for verdict in said}) == len(said)


def test_work_excuses_longer_compute() -> None:
    records = []
    for record in Fleet(slow=slow_from(3, 5, 2.0)).records(30):
        assert record.steps is not None
        double = record.node == "node-003" and record.time >= START + 50
        work = [2000.0 if double else 1000.0 for _ in record.steps.count]
        records.append(msgspec.structs.replace(record, steps=msgspec.structs.replace(record.steps, work=work)))
    assert not not_ok(run(records))
