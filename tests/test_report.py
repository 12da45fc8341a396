"""What a report concludes from the newest state, and how it shows it."""

import json
import unicodedata

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.plain import ago, plain
from detectors.verdict import (
    JOB_SCHEMA,
    VERDICT_SCHEMA,
    Cause,
    Evidence,
    JobAttempt,
    JobStatus,
    JobVerdict,
    Role,
    Saying,
    Severity,
    Status,
    Verdict,
    encode,
)
from guard.bus import Message, Position, Topic
from guard.report.document import document
from guard.report.fold import Answer, Health, NotAnsweredError, fleet_health, job_health, node_health
from guard.report.newest import fold
from guard.report.tables import render

NOW = 1_790_000_200.0
STALE = 180.0


def verdict(node: str = "n1", status: Status = Status.OK, role: Role | None = None, **other: object) -> Verdict:
    base = Verdict(
        schema=VERDICT_SCHEMA, id="9f2c", cluster="east", node=node, instance="i-1", job=JobAttempt("81723"),
        time=NOW - 20, since=NOW - 180, status=status, role=role, cause=Cause.COMPUTE if role else None,
        device=None, slowdown=0.17 if role else None, severity=Severity.WARNING, confidence=0.98,
        evidence=[Evidence("steps.compute", 1.12, 0.94, 11.3, 9)] if role else [],
    )  # fmt: skip
    return msgspec.structs.replace(base, **other)


def about_job(job: str = "81723", status: JobStatus = JobStatus.NORMAL, **other: object) -> JobVerdict:
    base = JobVerdict(
        schema=JOB_SCHEMA, id="77", cluster="east", job=job, time=NOW - 20, since=NOW - 900, status=status,
        step_time=1.4, baseline=1.2, slowdown=0.16, nodes=4, accused=[],
    )  # fmt: skip
    return msgspec.structs.replace(base, **other)


CULPRIT = verdict("n2", Status.STRAGGLER, Role.CULPRIT, device=5)


def message(value: bytes | None, key: str = "east/n1", time: float = NOW - 20) -> Message:
    return Message(Position(Topic.STATE, 0, 1), key, value, time)


def said(*sayings: Saying, time: float = NOW - 20) -> list[Message]:
    return [message(encode(saying), saying.key, time) for saying in sayings]


def fleet(*sayings: Saying, time: float = NOW - 20) -> Health:
    return fleet_health(fold(said(*sayings, time=time)), NOW, STALE)


def test_a_fleet_of_ok_nodes_is_healthy() -> None:
    assert fleet(verdict(), about_job()).answer is Answer.HEALTHY


def test_an_accused_node_is_named_first() -> None:
    health = fleet(verdict("n1", Status.WATCH, Role.INCONCLUSIVE), CULPRIT, about_job())
    assert (health.answer, health.accused) == (Answer.ACCUSED, ("n2",))
    assert health.nodes[0].verdict.node == "n2"


def test_a_later_record_of_a_node_replaces_the_earlier() -> None:
    assert fleet(CULPRIT, verdict("n2"), about_job()).answer is Answer.HEALTHY


def test_a_deleted_key_is_forgotten() -> None:
    state = fold([*said(verdict(), CULPRIT), message(None, "east/n2")])
    assert fleet_health(state, NOW, STALE).answer is Answer.HEALTHY


def test_a_node_that_only_its_job_names_is_accused_while_the_job_runs() -> None:
    named = about_job(accused=["n9"])
    assert fleet(named).accused == ("n9",)
    assert fleet(msgspec.structs.replace(named, status=JobStatus.ENDED)).answer is Answer.HEALTHY


def test_silence_is_not_health() -> None:
    assert fleet().answer is Answer.UNANSWERED
    late = fleet(verdict(), about_job(), time=NOW - STALE - 1)
    assert late.answer is Answer.UNANSWERED
    assert "not been heard for 181 s" in late.notices[0]
    assert fleet(verdict(), about_job(), time=NOW + STALE + 1).answer is Answer.UNANSWERED


def test_an_accusation_stands_while_the_detector_is_silent() -> None:
    late = fleet(CULPRIT, time=NOW - 10_000)
    assert late.answer is Answer.ACCUSED
    assert "not been heard" in late.notices[0]


def test_a_running_job_that_nobody_speaks_about_is_not_healthy_and_an_ended_one_may_be_silent() -> None:
    old = said(about_job("old"), time=NOW - 1000)
    health = fleet_health(fold([*old, *said(about_job("new"))]), NOW, STALE)
    assert health.answer is Answer.UNANSWERED
    assert [job.unheard for job in health.jobs] == [False, True]
    ended = said(about_job("old", JobStatus.ENDED), time=NOW - 1000)
    assert fleet_health(fold([*ended, *said(about_job("new"))]), NOW, STALE).answer is Answer.HEALTHY


def test_a_hung_job_in_which_nobody_is_named_is_not_healthy_and_a_slow_one_says_why() -> None:
    assert fleet(about_job(status=JobStatus.HUNG, reason="all wait")).answer is Answer.UNANSWERED
    slow = fleet(about_job(status=JobStatus.SLOW, reason="all nodes alike"))
    assert slow.answer is Answer.HEALTHY
    assert "all nodes alike" in slow.notices[0]


def test_what_cannot_be_read_is_counted_and_mentioned() -> None:
    broken = [message(b"{"), message(b'{"schema": "guard.verdict/9"}'), message(b"\xff\x00")]
    health = fleet_health(fold([*broken, *said(about_job())]), NOW, STALE)
    assert health.unreadable == 3
    assert "3 records of the state could not be read" in health.notices[0]


def test_a_name_in_two_clusters_needs_the_cluster() -> None:
    state = fold(said(*(saying for home in ("east", "west") for saying in (
        verdict(cluster=home), about_job(cluster=home)))))  # fmt: skip
    with pytest.raises(NotAnsweredError, match="in 2 clusters \\(east, west\\)"):
        job_health(state, "81723", NOW, STALE)
    with pytest.raises(NotAnsweredError, match="--cluster"):
        node_health(state, "n1", NOW, STALE)
    assert node_health(state, "n1", NOW, STALE, "west").nodes[0].verdict.cluster == "west"
    assert len(fleet_health(state, NOW, STALE, "west").jobs) == 1


def test_an_unknown_job_or_node_is_said_so() -> None:
    with pytest.raises(NotAnsweredError, match="nothing is known of job nope"):
        job_health(fold(said(about_job())), "nope", NOW, STALE)
    with pytest.raises(NotAnsweredError, match="nothing is known of node n1 in cluster west"):
        node_health(fold(said(verdict())), "n1", NOW, STALE, "west")


def test_a_report_about_a_job_or_node_is_not_about_others() -> None:
    other = verdict("n3", job=JobAttempt("other"))
    state = fold(said(CULPRIT, other, about_job(accused=["n2"]), about_job("other")))
    assert job_health(state, "81723", NOW, STALE).answer is Answer.ACCUSED
    assert job_health(state, "other", NOW, STALE).answer is Answer.HEALTHY
    assert node_health(state, "n3", NOW, STALE).answer is Answer.HEALTHY


def test_a_silent_node_is_not_healthy() -> None:
    state = fold(said(verdict(status=Status.SILENT), about_job()))
    assert node_health(state, "n1", NOW, STALE).answer is Answer.UNANSWERED


@pytest.mark.parametrize("width", [80, 220, None])
def test_the_table_shows_the_node_and_why(width: int | None) -> None:
    shown = render(fleet(CULPRIT, verdict(), about_job()), width=width, color=False, limit=None)
    for word in ("n2", "culprit", "compute", "17 %", "98 %", "3 min ago"):
        assert word in shown
    assert (
        "steps.compute 1.12 s vs 0.94 s typical, 11.3 sigma for 9 windows" in " ".join(shown.split())
        or width == 80
    )
    assert width is None or max(map(len, shown.splitlines())) <= width


def test_a_pipe_gets_whole_names_and_one_line_a_row() -> None:
    long = "n" * 253
    shown = render(fleet(verdict(long, Status.FAULT, Role.CULPRIT)), width=None, color=False, limit=None)
    assert len([line for line in shown.splitlines() if long in line]) == 1


def test_the_limit_says_what_it_left_out() -> None:
    health = fleet(*(verdict(f"n{i}", Status.FAULT, Role.CULPRIT) for i in range(7)))
    assert "and 5 more nodes" in render(health, width=80, color=False, limit=2)
    assert json.loads(document(health, 2))["nodes_left_out"] == 5


HOSTILE = [
    "\x1b[2J\x1b]0;owned\x07",
    "[red]n[/red]",
    "a\u202eb\u2066c\u200f",
    "x\r\ny",
    "\x9b31m",
    ":smile:",
    "[/]",
]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("width", [80, None])
def test_hostile_names_are_shown_as_harmless_text(name: str, width: int | None) -> None:
    spoken = [Evidence(name, 1, 1, 1, 1)]
    node = verdict(name, Status.FAULT, Role.CULPRIT, evidence=spoken, instance=name, job=JobAttempt(name))
    health = fleet(node, about_job(name, reason=name, accused=[name]))
    for text in (render(health, width=width, color=False, limit=None), document(health, None)):
        assert not [char for char in text if unicodedata.category(char) in ("Cc", "Cf") and char != "\n"]
    assert plain(name) in render(health, width=None, color=False, limit=None)


def test_text_longer_than_any_name_is_cut_and_says_so() -> None:
    assert plain("x" * 10_240).endswith("… (10240 characters)")
    assert len(plain("\x1b" * 10_240)) < 1100


def test_times_are_relative_to_the_question() -> None:
    assert [ago(NOW - age, NOW) for age in (0, 30, 180, 7200, 400_000, -60)] == [
        "now", "30 s ago", "3 min ago", "2 h ago", "5 days ago", "in 60 s"]  # fmt: skip


def test_a_length_too_large_for_a_number_is_still_shown() -> None:
    assert ago(1.7e308, -1.7e308) == "in inf days"


NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
SHARES = st.floats(0, 1)
NAMES = st.one_of(st.sampled_from(["n1", "n2"]), st.text(st.characters(codec="utf-8"), min_size=1, max_size=253))
EVIDENCE = st.builds(Evidence, NAMES, NUMBERS, NUMBERS, NUMBERS, st.integers(-9, 99))
VERDICTS = st.builds(
    Verdict, st.just(VERDICT_SCHEMA), NAMES, NAMES, NAMES, NAMES, st.none() | st.builds(JobAttempt, NAMES),
    NUMBERS, NUMBERS, st.sampled_from(Status), st.none() | st.sampled_from(Role),
    st.none() | st.sampled_from(Cause), st.none() | st.integers(0, 99), st.none() | SHARES,
    st.sampled_from(Severity), SHARES, st.lists(EVIDENCE, max_size=2),
)  # fmt: skip
LENGTHS = st.none() | NUMBERS
JOBS = st.builds(
    JobVerdict, st.just(JOB_SCHEMA), NAMES, NAMES, NAMES, NUMBERS, NUMBERS, st.sampled_from(JobStatus),
    LENGTHS, LENGTHS, LENGTHS, st.integers(0, 99), st.lists(NAMES, max_size=4), st.none() | NAMES,
)  # fmt: skip
VALUES = st.one_of(VERDICTS.map(encode), JOBS.map(encode), st.binary(max_size=20), st.none())


@settings(max_examples=40)
@given(st.lists(st.tuples(VALUES, NUMBERS), max_size=6), NUMBERS)
def test_any_state_gives_a_report_whose_exit_code_is_1_exactly_when_somebody_is_accused(
    values: list[tuple[bytes | None, float]], now: float
) -> None:
    health = fleet_health(fold(message(value, time=time) for value, time in values), now, STALE)
    assert (health.answer == 1) == bool(health.accused)
    held = {node.verdict.node for node in health.nodes if node.verdict.accused}
    assert held <= set(health.accused)
    assert json.loads(document(health, None))["exit"] == health.answer
    for width in (80, None):
        render(health, width=width, color=False, limit=None)
