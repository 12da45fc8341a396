"""The measures of reports over time hold for whatever is said: order, parts, scale, and what nobody knows."""

import json
import math
from dataclasses import astuple
from itertools import pairwise

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.standing import standing_of
from detectors.verdict import JobAttempt, JobStatus, JobVerdict, Role, Status
from guard.report.accusations import NodeLog, accusations
from guard.report.between import between, lower, upper
from guard.report.costs import blamed, costs
from guard.report.course import Course, Range, course
from guard.report.intervals import Totals, intervals, total
from guard.report.job_log import JobLog, Spoken, UnbelievableError
from guard.report.measures import fleet, measured
from guard.report.range_document import range_unanswered
from guard.report.stops import stops
from guard.report.stories import Restart
from tests.report_jobs import _SILENCE, STALE
from tests.test_report import about_job, verdict

HORIZON = 4000


@st.composite
def sayings(draw: st.DrawFn) -> list[JobVerdict]:
    """What is said of a job, in order of time, at different whole seconds."""
    times = draw(st.lists(st.integers(0, HORIZON), min_size=1, max_size=25, unique=True))
    return [draw(_saying(float(time))) for time in sorted(times)]


@st.composite
def _saying(draw: st.DrawFn, time: float) -> JobVerdict:
    status = draw(st.sampled_from(JobStatus))
    length = st.none() | st.floats(0.01, 100)
    return about_job(
        "j", status=status, time=time, since=float(draw(st.integers(0, int(time)))), step_time=draw(length),
        baseline=draw(length), nodes=draw(st.integers(0, 100)), reason=draw(st.sampled_from([None, _SILENCE])),
        accused=draw(st.lists(st.sampled_from(["n1", "n2", "n3"]), unique=True)),
    )  # fmt: skip


def spoken(said: list[JobVerdict]) -> Spoken:
    log = JobLog()
    for one in said:
        log.add(one)
    return log.spoken()


def sums(said: list[JobVerdict], since: float = 0, until: float = HORIZON) -> Totals:
    return total(intervals(spoken(said), STALE), since, until)


def close(one: Totals, other: Totals, scale: float = 1.0) -> bool:
    return np.allclose(np.array(astuple(one)) * scale, np.array(astuple(other)), atol=1e-6)


@given(sayings(), st.randoms())
def test_the_order_of_records_does_not_matter(said: list[JobVerdict], chance) -> None:
    mixed = said[:]
    chance.shuffle(mixed)
    assert close(sums(said), sums(mixed))
    assert stops_of(said) == stops_of(mixed)


@given(sayings(), st.lists(st.floats(0, HORIZON), max_size=4))
def test_a_range_is_the_sum_of_its_parts(said: list[JobVerdict], cuts: list[float]) -> None:
    edges = [0.0, *sorted(cuts), float(HORIZON)]
    parts = [sums(said, *pair) for pair in pairwise(edges)]
    assert close(sum(parts, Totals()), sums(said))


@given(sayings(), st.floats(0.1, 10))
def test_longer_times_make_longer_sums_and_the_same_shares(said: list[JobVerdict], factor: float) -> None:
    longer = [msgspec.structs.replace(one, time=one.time * factor, since=one.since * factor) for one in said]
    found = total(intervals(spoken(longer), STALE * factor), 0, HORIZON * factor)
    assert close(sums(said), found, factor)


@given(sayings())
def test_all_time_is_accounted_for_once_and_nothing_is_made_of_the_unknown(said: list[JobVerdict]) -> None:
    known = intervals(spoken(said), STALE)
    assert (known.end > known.start).all()
    assert (known.start[1:] >= known.end[:-1]).all()
    found = sums(said)
    there = min(known.last, HORIZON) - min(known.first, HORIZON)
    accounted = found.running + found.hung + found.starting + found.between + found.unknown
    assert accounted == pytest.approx(max(there, 0), abs=1e-6)
    assert 0 <= found.useful <= found.running - found.unpaced + 1e-6
    assert all(value >= 0 and math.isfinite(value) for value in astuple(found))


@given(sayings())
def test_a_count_over_seconds_gives_the_same(said: list[JobVerdict]) -> None:
    painted: list[JobVerdict | None] = [None] * (HORIZON + STALE)
    bound, before = int(said[0].time), None
    for number, one in enumerate(said):
        time, more = int(one.time), said[number + 1 :]
        end = int(more[0].time) if more else (time if one.status == "ended" else time + STALE)
        for second in range(time, end if one.status == "ended" else min(end, time + STALE)):
            painted[second] = None if one.reason == _SILENCE else one
        hung = one.status == "hung" and one.reason != _SILENCE
        if hung and before != "hung":
            for second in range(max(int(one.since), bound), time):
                painted[second] = one
        before = None if one.reason == _SILENCE else one.status
        bound = time if before in ("hung", "starting", "ended") else bound
    seconds = [one for one in painted[:HORIZON] if one is not None]
    running = [one for one in seconds if one.status in ("normal", "slow")]
    paced = [min(1, one.baseline / one.step_time) for one in running if one.baseline and one.step_time]
    found = sums(said)
    assert (found.running, found.hung) == (len(running), sum(one.status == "hung" for one in seconds))
    assert (found.unpaced, found.useful) == (len(running) - len(paced), pytest.approx(sum(paced)))
    assert found.node_seconds == sum(one.nodes for one in seconds) - sum(
        one.nodes for one in running if not (one.baseline and one.step_time)
    )


def stops_of(said: list[JobVerdict], restarts: tuple[Restart, ...] = ()):
    records = spoken(said)
    return stops(records, intervals(records, STALE), restarts)


def lived(said: list[JobVerdict], restarts: tuple[Restart, ...] = ()) -> Course:
    records = spoken(said)
    known = intervals(records, STALE)
    return course(("east", "j"), known, stops(records, known, restarts), restarts, Range(0.0, float(HORIZON)))


def restart(asked: float, **fields: object) -> Restart:
    given = {"took": asked + 5, "lost_work": 60.0, "step_time": 1.0, "stood_still": False} | fields
    return Restart(cluster="east", job="j", incident="i", asked=asked, **given)


@settings(max_examples=50)
@given(sayings(), st.lists(st.integers(0, HORIZON), max_size=3))
def test_no_number_in_a_report_is_none_at_all(said: list[JobVerdict], asked: list[int]) -> None:
    restarts = tuple(restart(float(time)) for time in asked)
    one = lived(said, restarts)
    records = intervals(spoken(said), STALE)
    found = costs([blamed("east", "j", records, 0, HORIZON)], NodeLog().frame())
    both = (measured(one, found), fleet([one], found))
    text = json.dumps([msgspec.to_builtins(each) for each in both], allow_nan=False)
    assert "NaN" not in text
    goodput = both[0].goodput
    assert goodput is None or 0 <= goodput <= 1
    json.loads(range_unanswered("why", 1.0))


def course_of(*statuses: tuple[int, str]) -> list[JobVerdict]:
    return [
        about_job("j", status=JobStatus(status), time=float(time), since=float(time)) for time, status in statuses
    ]


AGAIN = ["restarted", "restarted"]


@pytest.mark.parametrize(
    ("told", "asked", "failures"),
    [
        (((0, "normal"), (60, "starting"), (120, "normal")), (), ["restarted"]),
        (((0, "normal"), (60, "starting"), (120, "normal")), (restart(30.0),), []),
        (((0, "normal"), (60, "starting")), (restart(30.0, stood_still=True),), ["fault"]),
        (((0, "normal"), (60, "starting")), (restart(30.0, took=None),), ["restarted"]),
        (((0, "normal"), (60, "hung"), (120, "starting"), (180, "normal")), (), ["hung"]),
        (((0, "normal"), (60, "hung"), (120, "normal"), (180, "hung")), (), ["hung", "hung"]),
        (((0, "normal"), (60, "hung"), (120, "ended"), (180, "starting")), (), ["hung"]),
        (((0, "starting"), (60, "normal"), (120, "ended")), (), []),
        (((0, "normal"), (60, "ended"), (120, "normal")), (), ["restarted"]),
        (((0, "starting"), (60, "ended"), (120, "starting"), (180, "ended"), (240, "starting")), (), AGAIN),
        (((0, "slow"), (60, "normal"), (120, "slow")), (), []),
    ],
)  # fmt: skip
def test_a_failure_is_a_stop_that_nobody_asked_for(told, asked, failures) -> None:
    assert [one.kind for one in stops_of(course_of(*told), asked).failures] == failures


def test_a_restart_that_nobody_saw_still_begins_a_run() -> None:
    said = course_of((0, "normal"), (60, "normal"), (120, "normal"))
    assert stops_of(said, (restart(70.0),)).starts == (75.0,)


@pytest.mark.parametrize("events", [1, 2, 5, 30, 700])
def test_the_interval_of_a_mean_holds_what_chi_square_says(events: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    assert upper(events) == pytest.approx(stats.chi2.ppf(0.975, 2 * events + 2) / 2, rel=1e-4)
    assert lower(events) == pytest.approx(stats.chi2.ppf(0.025, 2 * events) / 2, rel=1e-4)


@given(st.integers(0, 2000), st.just(0.0) | st.floats(1, 1e9))
def test_a_mean_lies_in_its_interval_and_no_event_gives_no_mean(events: int, observed: float) -> None:
    found = between(events, observed)
    if events and observed > 0:
        assert found.low < found.mean < found.high
    else:
        assert (found.mean, found.high) == (None, None)


def test_the_reason_of_silence_is_the_detectors_own() -> None:
    member = type("Silent", (), {"silent": True, "accused": False, "node": "n", "standing": None})()
    member.stopped = member.broken = False
    assert standing_of([member], unsynced=True).silence == _SILENCE


@pytest.mark.parametrize("wrong", [{"time": 1e300}, {"nodes": 10**12}, {"step_time": 1e300}, {"baseline": -1.0}])
def test_numbers_that_cannot_be_are_refused(wrong: dict) -> None:
    with pytest.raises(UnbelievableError):
        JobLog().add(about_job(**wrong))


WORDS = st.sampled_from([(Status.OK, None), (Status.SILENT, None), (Status.STRAGGLER, Role.CULPRIT)])


@given(st.lists(WORDS, max_size=12))
def test_what_is_forgotten_of_healthy_nodes_changes_no_accusation(words) -> None:
    log, every = NodeLog(), []
    for time, (status, role) in enumerate(words):
        log.add(verdict("n", status, role, time=float(time), job=JobAttempt("j")))
        every.append(role is not None)
    found = accusations(log.frame())
    begun = [time for time, accused in enumerate(every) if accused and not (time and every[time - 1])]
    assert [one.began for one in found] == begun
    for one in found:
        after = [time for time in range(int(one.began), len(every)) if not every[time]]
        assert one.ended == (after[0] if after else None)
        assert one.cleared == bool(after and words[after[0]][0] is Status.OK)


def test_shares_that_add_up_to_more_than_the_whole_count_for_less() -> None:
    said = [about_job("j", JobStatus.SLOW, time=0.0, since=0.0, nodes=36, accused=["a", "b"], step_time=1.0)]
    log = NodeLog()
    for name in ("a", "b"):
        log.add(verdict(name, Status.STRAGGLER, Role.CULPRIT, time=0.0, slowdown=0.8, job=JobAttempt("j")))
    found = costs([blamed("east", "j", intervals(spoken(said), 100.0), 0, 100)], log.frame())
    assert found.lost == pytest.approx(36 * 100 / 3600)
    assert found.by("node") == pytest.approx({"a": 0.5, "b": 0.5})
    assert isinstance(found.rows, pd.DataFrame)
