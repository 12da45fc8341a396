"""Clocks that are off, agents that die, jobs that change: nobody is accused for any of it."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from collectors.telemetry import Telemetry
from detectors.verdict import JobStatus, Status
from simulation import plan
from simulation.case import START, Case, Disturbance, FaultKind
from simulation.records import records
from tests.told import AT_FAULT, fault, job, later, name, since, told, until

CULPRIT = fault(FaultKind.COMPUTE)
OTHER = 7
"""A node that is well."""


def with_clock(monkeypatch: pytest.MonkeyPatch, node: int, seconds: float) -> None:
    """Let one node's clock be ahead."""

    def skew(case: Case, _chance: np.random.Generator) -> np.ndarray:
        return np.where(np.arange(case.shape.nodes) == node, seconds, 0.0)

    monkeypatch.setattr(plan, "_skew", skew)


@pytest.mark.parametrize("seconds", [-30.0, -4.0, 12.0, 30.0])
def test_clock_that_is_off_accuses_nobody_and_hides_no_other_node(
    monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    with_clock(monkeypatch, OTHER, seconds)
    said = told(job(CULPRIT, minutes=8))
    assert list(said.accused) == [name(AT_FAULT)]
    assert said.accused[name(AT_FAULT)].time <= START + 420
    assert {verdict.status for verdict in said.verdicts if verdict.node != name(AT_FAULT)} == {Status.OK}


@pytest.mark.parametrize("seconds", [-3.0, 4.0])
def test_culprit_whose_clock_is_some_seconds_off_is_found_in_a_steady_job(
    monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    with_clock(monkeypatch, AT_FAULT, seconds)
    assert list(told(job(CULPRIT, minutes=8)).accused) == [name(AT_FAULT)]


@pytest.mark.parametrize(("seconds", "way"), [(12.0, "ahead"), (-30.0, "behind")])
def test_slow_job_says_whose_clock_forbids_to_compare_it(
    monkeypatch: pytest.MonkeyPatch, seconds: float, way: str
) -> None:
    with_clock(monkeypatch, AT_FAULT, seconds)
    said = told(job(CULPRIT, minutes=8))
    assert not said.accused
    last = said.jobs[-1]
    assert last.status is JobStatus.SLOW
    assert last.reason is not None
    assert last.reason.startswith(
        f"{name(AT_FAULT)} cannot be compared: its clock is about {abs(seconds):.0f} s {way}"
    )


@pytest.mark.parametrize("fate", [Disturbance.AGENT_DEATH, Disturbance.QUIET])
def test_node_without_telemetry_is_silent_and_never_accused(fate: Disturbance) -> None:
    said = told(job(disturbances=[fate]))
    assert not said.accused
    silent = [verdict for verdict in said.verdicts if verdict.status is Status.SILENT]
    assert len({verdict.node for verdict in silent}) == 1
    assert all(verdict.role is None for verdict in silent)


def test_culprit_that_falls_silent_stays_accused() -> None:
    said = told(r for r in records(job(CULPRIT)) if r.node != name(AT_FAULT) or r.time <= START + 420)
    assert [verdict.status for verdict in said.verdicts if verdict.node == name(AT_FAULT)] == [
        Status.OK,
        Status.STRAGGLER,
    ]


@pytest.mark.parametrize(
    "happening",
    [
        (Disturbance.RESIZE, Disturbance.UNEQUAL_BATCHES),
        (Disturbance.EVALUATION, Disturbance.CHECKPOINT),
        (Disturbance.WARM_UP, Disturbance.GARBAGE_COLLECTION),
        (Disturbance.RECOMPILATION, Disturbance.LONE_RECOMPILATION),
        (Disturbance.FILE_SYSTEM_STALL, Disturbance.CLOCK_SKEW),
    ],
    ids=lambda happening: happening[0],
)
def test_what_happens_to_healthy_jobs_accuses_nobody(happening: tuple[Disturbance, ...]) -> None:
    said = told(job(minutes=15, disturbances=happening))
    assert not said.accused
    assert {verdict.status for verdict in said.verdicts} == {Status.OK}


def test_new_attempt_with_other_nodes_at_work_accuses_nobody_and_carries_the_accused() -> None:
    first = job(CULPRIT, minutes=8)
    said = told([*records(first), *again(records(replace(job(minutes=5), seed=6)), 480.0)])
    assert list(said.accused) == [name(AT_FAULT)]
    assert not [v for v in said.verdicts if v.accused and v.job is not None and v.job.attempt == 1]
    # What stands against it is not taken back by the restart alone: ten good minutes are.
    assert said.of(AT_FAULT, Status.OK)[-1].time < START + 480


def again(stream: Iterable[Telemetry], seconds: float) -> Iterator[Telemetry]:
    """The records as a second attempt, so many seconds later."""
    for record in later(stream, seconds):
        assert record.job is not None
        yield msgspec.structs.replace(record, boot="again", job=msgspec.structs.replace(record.job, attempt=1))


def test_pause_of_four_minutes_without_a_step_is_no_hang() -> None:
    # A checkpoint or a recompilation of all ranks: every process is at work in the same section.
    healthy = list(records(job()))
    for section in ("checkpoint", "compute"):
        waiting = [
            msgspec.structs.replace(record, steps=paused(record, section, seconds))
            for seconds in np.arange(10.0, 241.0, 10.0)
            for record in later((r for r in healthy if r.time == START + 300), float(seconds))
        ]
        said = told([*until(healthy, 300), *waiting, *later(since(healthy, 300), 240)])
        assert not said.accused
        assert {verdict.status for verdict in said.verdicts} == {Status.OK}
        assert JobStatus.HUNG not in {verdict.status for verdict in said.jobs}


def paused(record: Telemetry, section: str, seconds: float) -> object:
    """What a rank says that is in a section for so long; no step ended."""
    steps = record.steps
    assert steps is not None
    assert steps.last_end is not None
    ranks = len(steps.last_end)
    return msgspec.structs.replace(
        steps,
        count=[0] * ranks,
        first_step=None,
        last_end=[end and end - seconds for end in steps.last_end],
        duration=None,
        slowest=None,
        sections=None,
        peak=None,
        current=[section] * ranks,
        current_age=[seconds] * ranks,
    )
