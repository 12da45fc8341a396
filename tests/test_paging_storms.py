"""Too many nodes at once are one page."""

import time

from detectors.verdict import Severity
from remediation.alerts.notice import About, Kind
from remediation.ledger import Act, Proposed
from remediation.paging import pager, pages, storms
from remediation.paging.policy import Paging, Storm
from tests.paging import START, Pager, accusation, alert, breaker, detail, moved, opened, record, verdict


def nodes(first, last):
    return [f"n{number}" for number in range(first, last)]


def accuse(time, names):
    return [accusation(time, node=name) for name in names]


def stormy(limit=5) -> Pager:
    return Pager(policy=Paging(storm=Storm(nodes=limit, within=600)))


def test_as_many_as_the_limit_are_told_one_by_one():
    pages = stormy().told(0, *accuse(0, nodes(0, 5)))
    assert [page.about for page in pages] == [About.STRAGGLER] * 5


def test_more_are_one_page():
    (page,) = stormy().told(0, *accuse(0, nodes(0, 6)))
    assert (page.about, page.severity, page.kind) == (About.STORM, Severity.CRITICAL, Kind.TRIGGER)
    assert page.summary == "storm in use1: 6 nodes are accused, so many at once that they are one page"
    assert detail(page, "nodes") == "n0, n1, n2, n3, n4, n5"
    assert page.look == "guard report fleet"


def test_those_told_before_live_on_as_they_are():
    it = stormy()
    it.told(0, *accuse(0, nodes(0, 4)))
    (page,) = it.told(100, *accuse(100, nodes(4, 8)))
    assert page.summary == (
        "storm in use1: 4 more nodes are accused after 4 with pages of their own,"
        " so many at once that they are one page"
    )
    (ended,) = it.told(200, verdict(200, node="n0"))
    assert (ended.kind, ended.about) == (Kind.RESOLVE, About.STRAGGLER)


def test_nodes_that_come_slowly_are_no_storm():
    it = stormy()
    for number in range(12):
        (page,) = it.told(number * 150, accusation(number * 150, node=f"n{number}"))
        assert page.about is About.STRAGGLER


def test_it_is_news_again_only_when_the_nodes_have_doubled():
    it = stormy()
    it.told(0, *accuse(0, nodes(0, 6)))
    assert it.told(20, *accuse(20, nodes(6, 11))) == []
    (page,) = it.told(40, *accuse(40, nodes(11, 12)))
    assert (page.kind, page.number) == (Kind.UPDATE, 2)
    assert "12 nodes" in page.summary


def test_it_ends_when_all_its_nodes_are_well_and_no_breaker_is_tripped():
    it = stormy()
    it.told(0, *accuse(0, nodes(0, 6)), breaker(5, True), alert(5, "storm", incident=None))
    well = [verdict(100, node=name) for name in nodes(0, 6)]
    assert it.told(100, *well[:-1]) == []
    assert it.told(101, well[-1]) == []
    (page,) = it.told(200, breaker(200, False))
    assert (page.kind, page.about) == (Kind.RESOLVE, About.STORM)


def test_an_incident_of_its_nodes_must_be_closed_as_well():
    it = stormy(1)
    it.told(0, *accuse(0, nodes(0, 2)), opened(1, node="n0"))
    assert it.told(100, *[verdict(100, node=name) for name in nodes(0, 2)]) == []
    assert it.kinds(120, moved(120, "healthy")) == [Kind.RESOLVE]


def test_the_breaker_of_the_ledger_opens_one_too_and_what_comes_then_joins():
    it = stormy()
    (page,) = it.told(0, breaker(0, True), alert(0, "storm", severity="critical", incident=None))
    assert page.about is About.STORM
    assert detail(page, "breaker") == "a person is needed"
    assert it.told(50, accusation(50)) != []  # the first node doubles none: it is said once that there are some
    assert it.told(100, *accuse(100, nodes(1, 2))) != []
    assert it.kinds(200, breaker(200, False)) == []
    assert it.kinds(300, verdict(300), verdict(300, node="n1")) == [Kind.RESOLVE]


def test_an_old_alert_about_a_storm_does_not_outlive_the_reset():
    it = stormy()
    said = alert(0, "storm", severity="critical", incident=None)
    assert it.kinds(0, breaker(0, True), said) == [Kind.TRIGGER]
    assert it.kinds(50, breaker(50, False)) == [Kind.RESOLVE]
    assert it.told(60, alert(40, "storm", incident=None)) == []


def test_a_proposal_for_a_node_of_a_storm_is_not_kept_from_people():
    it = stormy(1)
    it.told(0, *accuse(0, nodes(0, 3)), opened(1, node="n1"))
    wish = record(Proposed, 60, act=Act.CORDON, subject="n1", intent="abc", reason="slow", mode="approve")
    (page,) = it.told(60, wish)
    assert page.about is About.STORM
    assert page.approve == "guard approve abc"
    assert "n1: guard approve abc" in detail(page, "next")


def test_clusters_have_their_own_storms():
    it = stormy()
    both = [accusation(0, node=name, cluster=cluster) for cluster in ("a", "b") for name in nodes(0, 6)]
    assert [(page.cluster, page.about) for page in it.told(0, *both)] == [("a", "storm"), ("b", "storm")]


def test_a_storm_that_is_over_before_it_is_told_is_told_whole():
    it = stormy()
    it.hear(0, *accuse(0, nodes(0, 6)))
    it.hear(100, *[verdict(100, node=name) for name in nodes(0, 6)])
    assert [(page.about, page.kind) for page in it.due(101)] == [("storm", Kind.TRIGGER), ("storm", Kind.RESOLVE)]


def test_the_whole_fleet_at_once_is_one_page_soon():
    it = Pager()
    events = accuse(0, nodes(0, 20_000))
    begun = time.process_time()
    it.hear(0, *events)
    (page,) = it.due(11)
    it.hear(20, *[verdict(20, node=name) for name in nodes(0, 20_000)])
    (end,) = it.due(21)
    assert (page.page, end.kind) == (end.page, Kind.RESOLVE)
    assert time.process_time() - begun < 10
    assert it.state.pages.size == it.state.restless.size == 0


def test_with_too_many_pages_of_single_nodes_new_ones_are_told_as_one(monkeypatch):
    monkeypatch.setattr(storms, "PAGES", 3)
    it = stormy(1000)
    assert [page.about for page in it.told(0, *accuse(0, nodes(0, 3)))] == ["straggler"] * 3
    assert [page.about for page in it.told(60, *accuse(60, nodes(3, 5)))] == ["storm"]


def test_troubles_that_cannot_be_kept_are_counted_and_said(monkeypatch):
    monkeypatch.setattr(pages, "LIMIT", 3)
    told = stormy(1000).told(0, *accuse(0, nodes(0, 4)), opened(1, incident="inc-9", node="n9"))
    assert sorted(page.about for page in told) == ["blind", "straggler", "straggler", "straggler"]
    blind = next(page for page in told if page.about is About.BLIND)
    assert blind.summary == "the pager has more troubles than it can keep: some are told nobody"
    assert detail(blind, "reason").startswith("2 troubles could not be kept")


def test_nodes_that_are_well_cost_nothing():
    it = Pager()
    before = it.state
    it.hear(0, *[verdict(0, node=name) for name in nodes(0, 500)])
    assert it.state is before


def test_a_thousand_standing_pages_cost_nothing_while_nothing_is_new():
    it = stormy(10_000)
    assert len(it.told(0, *accuse(0, nodes(0, 1000)))) == 1000
    it.due(60)
    begun = time.process_time()
    for second in range(100):
        before = it.state
        assert it.due(61 + second) == []
        assert it.state is before
    assert (time.process_time() - begun) / 100 < 0.005
    assert pager.watched(it.state)["open"] == 1000
    assert len(pager.standing(it.state, it.policy, START + 200)) == 1000
