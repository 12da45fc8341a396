"""What a slow job says of itself: since when, and why nobody is accused."""

from dataclasses import replace

from detectors.verdict import JobStatus, Role, Status
from simulation.case import START, Case, Fault, FaultKind, Shape
from simulation.suites import suite
from tests.told import AT_FAULT, ONSET, Told, fault, job, name, told


def slow_since_the_onset(said: Told, onset: float = ONSET, windows: int = 3) -> bool:
    """Whether all that is said of the slow job dates it near its onset."""
    slow = [one for one in said.jobs if one.status is JobStatus.SLOW]
    return bool(slow) and all(abs(one.since - START - onset) <= 10 * windows for one in slow)


def reasons(said: Told) -> list[str]:
    """Why nobody is accused, as it changes."""
    found = [one.reason for one in said.jobs if one.status is JobStatus.SLOW and one.reason]
    return [reason for place, reason in enumerate(found) if reason not in found[:place]]


def test_job_without_sections_is_slow_and_suspects_by_its_hardware() -> None:
    for without in ({"sections": False}, {"synced": False}):
        said = told(job(fault(FaultKind.MEMORY, 1.8, rank=1), minutes=12, **without))
        assert not said.accused
        assert slow_since_the_onset(said)
        assert reasons(said) == ["the job reports no synchronised sections: step times alone cannot name a node"]
        watched = [verdict for verdict in said.verdicts if verdict.status is Status.WATCH]
        assert watched[0].node == name(AT_FAULT)
        assert {verdict.role for verdict in watched} == {Role.INCONCLUSIVE}
        assert abs(watched[0].since - START - ONSET) <= 30


def test_suspects_that_hardly_anything_speaks_against_are_not_written_about() -> None:
    said = told(job(fault(FaultKind.MEMORY, 1.8, rank=1), minutes=15, sections=False))
    assert {verdict.node for verdict in said.verdicts if verdict.status is Status.WATCH} == {name(AT_FAULT)}


def test_bad_rack_is_named_and_nobody_in_it_is_accused() -> None:
    case = rack()
    said = told(case)
    assert not said.accused
    assert slow_since_the_onset(said)
    assert reasons(said)[-1] == "the nodes of rack rack-1 slowed together: no one of them is at fault"
    common = {verdict.node for verdict in said.verdicts if verdict.status is Status.WATCH}
    assert common == {name(node) for node in case.faults[0].nodes}


def rack() -> Case:
    """One rack of four is slow, which is two UltraServers."""
    return job(Fault(FaultKind.RACK, tuple(range(8, 16)), ONSET, factor=1.5), shape=Shape(32), minutes=9)


def test_bad_rack_of_the_suite_accuses_nobody() -> None:
    case = next(case for case in suite("rack", 20, 77) if case.shape.nodes <= 48)
    said = told(replace(case, minutes=20))
    assert not said.accused
    assert slow_since_the_onset(said, case.faults[0].start, 5)


def test_slow_network_is_suspected_until_a_link_stands_out_and_then_that_is_accused() -> None:
    said = told(job(fault(FaultKind.LINK), minutes=14))
    assert slow_since_the_onset(said)
    assert "collectives take longer while nobody's own work does: the network is suspected" in reasons(said)
    verdict = said.accused[name(AT_FAULT)]
    assert abs(verdict.since - START - ONSET) <= 30
    assert len([one for one in said.verdicts if one.node == name(AT_FAULT)]) <= 3
    assert (said.jobs[-1].accused, said.jobs[-1].reason) == ([name(AT_FAULT)], None)


def test_evidence_is_seen_to_gather_before_it_accuses() -> None:
    said = told(job(fault(FaultKind.COMPUTE), minutes=8))
    assert slow_since_the_onset(said)
    assert {reason.split(":")[0] for reason in reasons(said)} == {f"{name(AT_FAULT)} is suspected"}
    assert (said.jobs[-1].status, said.jobs[-1].accused) == (JobStatus.SLOW, [name(AT_FAULT)])


def test_node_that_stalls_at_checkpoints_stands_accused_between_them() -> None:
    said = told(job(fault(FaultKind.STORAGE, 1.4), minutes=20))
    about = [verdict.status for verdict in said.verdicts if verdict.node == name(AT_FAULT)]
    assert about[0] is Status.OK
    assert set(about[1:]) == {Status.STRAGGLER}
