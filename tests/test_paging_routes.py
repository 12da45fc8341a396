"""Who is told: routes, teams, hours, maintenance, acknowledgements."""

import pytest

from detectors.verdict import Severity, Status
from remediation.alerts.notice import Kind
from remediation.ledger import Act, Proposed
from remediation.paging.policy import Paging, Quiet, Route, Team
from remediation.rail_policy import TimeOfWeek
from tests.paging import JOB, NODE, Pager, accusation, acknowledge, detail, job, moved, opened, record, verdict

# The tests begin on a Monday at 14:13:20 UTC.
AFTERNOON = TimeOfWeek("12:00", 6)
EVENING = TimeOfWeek("18:00", 12)
AT_SIX = 13_600.0 + 10


def channels(policy, *things, now=0.0, names=("a", "b", "c")):
    it = Pager(policy=policy, channels=names)
    it.hear(now, *things)
    return {letter.channel for letter in it.all_due(now + 11)}


def test_without_routes_every_channel_is_told():
    assert channels(Paging(), accusation(0)) == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("route", "told"),
    [
        (Route(["a"], severities=[Severity.WARNING]), True),
        (Route(["a"], severities=[Severity.CRITICAL]), False),
        (Route(["a"], clusters=["use1*"]), True),
        (Route(["a"], clusters=["USE1"]), False),
        (Route(["a"], jobs=["817*"]), True),
        (Route(["a"], jobs=["vit-*"]), False),
        (Route(["a"], teams=["vision"]), True),
        (Route(["a"], teams=["speech"]), False),
        (Route(["a"], hours=[AFTERNOON]), True),
        (Route(["a"], hours=[EVENING]), False),
        (Route(["a"], severities=[Severity.WARNING], jobs=["vit-*"]), False),
    ],
)
def test_a_route_takes_what_matches_all_that_it_names_and_the_rest_goes_to_everybody(route, told):
    policy = Paging(routes=[route], teams=[Team("vision", nodes=["ip-10-*"])])
    assert channels(policy, accusation(0)) == ({"a"} if told else {"a", "b", "c"})


def test_the_first_route_wins_unless_it_says_further():
    assert channels(Paging(routes=[Route(["a"]), Route(["b"])]), accusation(0)) == {"a"}
    assert channels(Paging(routes=[Route(["a"], further=True), Route(["b"]), Route(["c"])]), accusation(0)) == {
        "a",
        "b",
    }


def test_a_route_to_nobody_tells_nobody_and_one_to_a_channel_that_is_not_there_is_ignored():
    assert channels(Paging(routes=[Route([])]), accusation(0)) == set()
    assert channels(Paging(routes=[Route(["gone"]), Route(["b"])]), accusation(0)) == {"b"}
    assert channels(Paging(routes=[Route(["gone"])]), accusation(0)) == {"a", "b", "c"}
    assert channels(Paging(routes=[Route(["gone", "a"])]), accusation(0)) == {"a"}


def test_the_first_team_that_matches_has_it():
    teams = [Team("speech", jobs=["x*"]), Team("vision", jobs=["817*"]), Team("hardware", nodes=["ip-*"])]
    (page,) = Pager(policy=Paging(teams=teams)).told(0, accusation(0))
    assert page.team == "vision"


def test_a_page_that_becomes_severe_also_goes_to_those_who_have_the_severe_ones():
    routes = [Route(["pager"], severities=[Severity.CRITICAL]), Route(["chat"])]
    it = Pager(policy=Paging(routes=routes), channels=("chat", "pager"))
    it.hear(0, accusation(0))
    assert [letter.channel for letter in it.all_due(11)] == ["chat"]
    it.hear(60, accusation(60, status=Status.FAULT, severity=Severity.CRITICAL, since=0))
    told = [(letter.channel, letter.notice.kind, letter.notice.number) for letter in it.all_due(61)]
    assert told == [("chat", Kind.UPDATE, 2), ("pager", Kind.TRIGGER, 2)]
    it.hear(90, verdict(90))
    told = [(letter.channel, letter.notice.kind, letter.notice.number) for letter in it.all_due(91)]
    assert told == [("chat", Kind.RESOLVE, 3), ("pager", Kind.RESOLVE, 3)]


def test_routes_follow_the_hours_and_whom_was_told_hears_the_end():
    it = Pager(
        policy=Paging(routes=[Route(["day"], hours=[AFTERNOON]), Route(["night"])]), channels=("day", "night")
    )
    it.hear(0, accusation(0))
    assert [letter.channel for letter in it.all_due(11)] == ["day"]
    assert it.all_due(AT_SIX - 20) == []
    assert [(letter.channel, letter.notice.kind) for letter in it.all_due(AT_SIX)] == [("night", Kind.TRIGGER)]
    it.hear(AT_SIX + 10, verdict(AT_SIX + 10))
    assert [letter.channel for letter in it.all_due(AT_SIX + 11)] == ["day", "night"]


def test_a_page_that_is_over_is_told_nobody_who_did_not_hear_of_it():
    it = Pager(
        policy=Paging(routes=[Route(["day"], hours=[AFTERNOON]), Route(["night"])]), channels=("day", "night")
    )
    it.told(0, accusation(0))
    it.hear(AT_SIX - 30, verdict(AT_SIX - 30))
    assert [(letter.channel, letter.notice.kind) for letter in it.all_due(AT_SIX)] == [("day", Kind.RESOLVE)]


def test_nodes_that_were_well_before_maintenance_ended_make_no_storm():
    it = Pager(policy=Paging(maintenance=[Quiet([AFTERNOON])]))
    for number in range(8):
        it.told(number * 60, accusation(number * 60, node=f"n{number}"))
    it.told(900, *[verdict(900, node=f"n{number}") for number in range(6)])
    assert [page.about for page in it.due(AT_SIX)] == ["straggler", "straggler"]


def test_in_maintenance_a_new_page_waits_for_the_end_and_what_is_over_by_then_is_not_told():
    it = Pager(policy=Paging(maintenance=[Quiet([AFTERNOON], clusters=["use*"])]))
    it.hear(0, accusation(0), accusation(0, node="n2"))
    assert it.due(11) == []
    it.hear(600, verdict(600, node="n2"))
    assert it.due(700) == []
    assert [page.node for page in it.due(AT_SIX)] == [NODE]


def test_what_was_told_before_maintenance_goes_on():
    it = Pager(policy=Paging(maintenance=[Quiet([EVENING])]))
    it.told(0, accusation(0), opened(1))
    assert it.kinds(AT_SIX, moved(AT_SIX, "cordoned")) == [Kind.UPDATE]
    assert it.kinds(AT_SIX + 60, moved(AT_SIX + 60, "healthy")) == [Kind.RESOLVE]
    assert it.told(AT_SIX + 90, accusation(AT_SIX + 90, node="n2")) == []


def test_maintenance_of_some_jobs_leaves_others():
    it = Pager(policy=Paging(maintenance=[Quiet([AFTERNOON], jobs=["vit*"])]))
    assert [page.job for page in it.told(0, job(0, "hung", name="vit-l"), job(0, "hung"))] == [JOB]


@pytest.mark.parametrize("subject", ["key", NODE, JOB])
def test_a_page_is_acknowledged_by_its_key_its_node_or_its_job(subject):
    it = Pager()
    (page,) = it.told(0, accusation(0))
    (page,) = it.told(60, acknowledge(60, page.page if subject == "key" else subject))
    assert (page.kind, page.number) == (Kind.ACKNOWLEDGE, 2)
    assert detail(page, "acknowledged").startswith("by ana at 2026-09-21 14:14:20 UTC")
    assert it.told(70, acknowledge(60, NODE), acknowledge(65, NODE)) == []


def test_after_that_only_what_cannot_wait_is_told():
    it = Pager()
    it.told(0, accusation(0), opened(1))
    it.told(60, acknowledge(60, NODE))
    assert it.told(100, moved(100, "cordoned")) == []
    wish = record(Proposed, 120, act=Act.RESTART, subject=JOB, intent="abc", reason="r", mode="approve")
    (page,) = it.told(120, wish)
    assert page.approve == "guard approve abc"
    assert "out of service" in page.summary
    assert it.kinds(200, accusation(200, severity=Severity.CRITICAL, since=0)) == [Kind.UPDATE]
    assert it.kinds(300, moved(300, "healthy")) == [Kind.RESOLVE]


def test_an_acknowledgement_and_what_follows_at_once_are_both_told_in_order():
    it = Pager()
    it.told(0, accusation(0))
    pages = it.told(60, acknowledge(60, NODE), verdict(61))
    assert [(page.kind, page.number) for page in pages] == [(Kind.ACKNOWLEDGE, 2), (Kind.RESOLVE, 3)]


def test_another_clusters_order_and_other_subjects_acknowledge_nothing():
    it = Pager()
    it.told(0, accusation(0, cluster="euw1"))
    assert it.told(60, acknowledge(60, NODE)) == []
    it.told(100, accusation(100))
    assert it.told(160, acknowledge(160, "ip-10")) == []


def test_acknowledging_a_node_of_a_storm_acknowledges_the_storm():
    it = Pager()
    it.told(0, *[accusation(0, node=f"n{number}") for number in range(8)])
    (page,) = it.told(60, acknowledge(60, "n3"))
    assert (page.kind, page.about) == (Kind.ACKNOWLEDGE, "storm")
