"""Which record of a node or job is the newest, and what a silent detector means."""

from pathlib import Path

import pytest

from detectors.verdict import JobStatus, Role, Saying, Status, encode
from guard.bus import Message, Outgoing, Position, Topic, open_bus
from guard.bus.kafka_settings import KafkaSettings
from guard.report.fold import Answer, Health, fleet_health, job_health, node_health
from guard.report.newest import Newest, fold
from guard.report.read import read_state
from tests.test_report import CULPRIT, NOW, STALE, about_job, verdict

OK = verdict("n2")


def at(partition: int, offset: int, time: float, saying: Saying | None, key: str = "east/n2") -> Message:
    value = None if saying is None else encode(saying)
    return Message(Position(Topic.STATE, partition, offset), key, value, time)


def accused(*messages: Message) -> tuple[str, ...]:
    return fleet_health(fold(messages), NOW, STALE).accused


def test_over_partitions_the_record_counts_that_the_bus_took_last_whichever_is_read_first() -> None:
    old, new = at(0, 9, NOW - 60, CULPRIT), at(1, 1, NOW - 30, OK)
    assert accused(old, new) == accused(new, old) == ()
    assert accused(at(0, 9, NOW - 60, OK), at(1, 1, NOW - 30, CULPRIT)) == ("n2",)


def test_in_a_partition_the_later_record_counts_even_if_the_clock_was_set_back() -> None:
    assert accused(at(0, 1, NOW - 20, CULPRIT), at(0, 2, NOW - 50, OK)) == ()


def test_an_older_record_of_another_partition_does_not_bring_back_what_was_deleted() -> None:
    deleted = at(1, 5, NOW - 30, None)
    assert accused(deleted, at(0, 9, NOW - 60, CULPRIT)) == ()
    assert accused(deleted, at(0, 9, NOW - 20, CULPRIT)) == ("n2",)


def test_a_deletion_that_is_older_than_a_record_of_another_partition_deletes_nothing() -> None:
    assert accused(at(0, 9, NOW - 20, CULPRIT), at(1, 5, NOW - 30, None)) == ("n2",)


def test_a_node_and_a_job_of_one_name_are_two_things() -> None:
    state = fold([at(0, 1, NOW - 20, about_job("n2")), at(0, 2, NOW - 20, CULPRIT)])
    assert (len(state.nodes), len(state.jobs)) == (1, 1)


def test_nodes_that_are_ok_are_counted_of_the_fleet_and_of_a_job_and_found_by_name() -> None:
    nodes = [at(0, n, NOW - 20, verdict(f"n{n}"), f"east/n{n}") for n in range(5)]
    state = fold([*nodes, at(0, 9, NOW - 20, CULPRIT), at(0, 10, NOW - 20, about_job())])
    assert (len(state.fine), len(state.nodes)) == (4, 1)  # n2 was accused last
    assert fleet_health(state, NOW, STALE).counts == {"ok": 4, "straggler": 1}
    assert job_health(state, "81723", NOW, STALE).counts == {"ok": 4, "straggler": 1}
    assert node_health(state, "n3", NOW, STALE).nodes[0].verdict == verdict("n3")


def test_what_is_not_the_newest_says_nothing() -> None:
    newest = Newest()
    assert newest.take(at(1, 1, NOW - 30, OK)) == OK
    assert newest.take(at(0, 9, NOW - 60, CULPRIT)) is None


QUIET = [at(0, 1, NOW - 1000, verdict(job=None), "east/n1")]


def quiet(lately: frozenset[Topic] | None) -> Health:
    newest = Newest()
    for message in QUIET:
        newest.take(message)
    return fleet_health(newest.state(lately), NOW, STALE)


def test_an_idle_fleet_is_healthy_while_its_detector_writes_snapshots() -> None:
    assert quiet(None).answer is Answer.UNANSWERED
    idle = quiet(frozenset({Topic.SNAPSHOTS, Topic.TELEMETRY}))
    assert (idle.answer, idle.notices) == (Answer.HEALTHY, ())


def test_telemetry_without_snapshots_is_a_detector_that_does_not_fold() -> None:
    health = quiet(frozenset({Topic.TELEMETRY}))
    assert health.answer is Answer.UNANSWERED
    assert "telemetry arrives and the detector writes no snapshot" in health.notices[1]


def test_without_telemetry_the_agents_are_asked_for() -> None:
    health = quiet(frozenset())
    assert health.answer is Answer.UNANSWERED
    assert "no telemetry arrives" in health.notices[1]


def test_snapshots_do_not_speak_for_a_running_job_that_is_not_spoken_of() -> None:
    newest = Newest()
    newest.take(at(0, 1, NOW - 1000, about_job(), "east/81723"))
    health = fleet_health(newest.state(frozenset({Topic.SNAPSHOTS})), NOW, STALE)
    assert health.answer is Answer.UNANSWERED
    assert "about 1 jobs" in health.notices[0]


@pytest.mark.parametrize(
    ("lately", "words"),
    [
        ({Topic.SNAPSHOTS}, "the detector works, and has not said anything yet"),
        ({Topic.TELEMETRY}, "and telemetry arrives"),
        (set(), "and on this bus?"),
    ],
)
def test_where_nothing_was_ever_said_it_is_told_what_is_missing(lately: set[Topic], words: str) -> None:
    health = fleet_health(Newest().state(frozenset(lately)), NOW, STALE)
    assert health.answer is Answer.UNANSWERED
    assert words in health.notices[0]


def test_other_signs_are_looked_for_where_the_state_is_quiet_and_only_there(tmp_path: Path) -> None:
    address = f"file:{tmp_path / 'bus.sqlite'}"
    with open_bus(address) as bus:
        said = [verdict("n2", Status.FAULT, Role.CULPRIT), about_job(status=JobStatus.ENDED)]
        (taken, *_) = bus.publish([Outgoing(Topic.STATE, one.key, encode(one)) for one in said], 5)
        bus.publish([Outgoing(Topic.TELEMETRY, "east/-", b"{}")], 5)
        now = next(iter(bus.scan(Topic.STATE))).time
    assert taken.topic is Topic.STATE
    assert read_state(address, KafkaSettings(), now=now + 1, stale_after=STALE).lately is None
    later = read_state(address, KafkaSettings(), now=now + STALE + 60, stale_after=STALE + 59.9 + 1)
    assert later.lately is None
    # Quiet for all: neither snapshots nor telemetry since.
    assert read_state(address, KafkaSettings(), now=now + 999, stale_after=STALE).lately == frozenset()
