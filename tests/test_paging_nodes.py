"""Pages about nodes: from an accusation or the ledger's incident until positive evidence ends them."""

import pytest
from msgspec.structs import replace

from detectors.verdict import Severity, Status
from remediation.alerts.notice import About, Kind
from remediation.paging import pager
from remediation.paging.policy import Paging
from tests.paging import INSTANCE, NODE, START, Pager, accusation, detail, job, moved, opened, verdict


def test_an_accusation_is_a_page_that_says_what_where_since_and_how_much():
    it = Pager()
    it.hear(0, job(0, "slow", accused=[NODE], nodes=64))
    (page,) = it.told(3600, accusation(3600, since=0))
    assert page.kind is Kind.TRIGGER
    assert page.number == 1
    assert page.about is About.STRAGGLER
    assert page.summary == "ip-10-0-12-7 slows job 81723 by 17 %: compute, device 5"
    assert [line.name for line in page.details] == ["where", "since", "cost", "evidence"]
    assert detail(page, "where") == "cluster use1, node ip-10-0-12-7, instance i-0a1b, job 81723, device 5"
    assert detail(page, "since") == "2026-09-21 14:13:20 UTC"
    assert detail(page, "cost") == "17 % of the job's speed; 10.9 node-hours so far, 10.9 more each hour"
    assert detail(page, "evidence") == "steps.compute 1.12 s vs 0.94 s typical, 11.3 sigma for 9 windows"
    assert page.look == "guard explain ip-10-0-12-7"
    assert page.runbook == "straggler"


def test_it_waits_a_little_so_that_a_storm_shows():
    it = Pager()
    it.hear(0, accusation(0))
    assert it.due(9) == []
    assert [page.kind for page in it.due(10)] == [Kind.TRIGGER]


@pytest.mark.parametrize("ledger_first", [True, False])
def test_verdict_and_incident_are_one_page_whichever_comes_first(ledger_first):
    it = Pager()
    both = [opened(1, since=0), accusation(0)]
    pages = it.told(1, *(both if ledger_first else reversed(both)))
    assert [page.kind for page in pages] == [Kind.TRIGGER]
    assert pages[0].incident == "inc-1"
    assert detail(pages[0], "evidence")


def test_it_ends_when_the_accusation_is_taken_back_and_the_incident_is_closed():
    it = Pager()
    it.told(0, accusation(0), opened(1))
    assert it.told(100, verdict(100)) == []
    assert it.kinds(120, moved(120, "healthy")) == [Kind.RESOLVE]


def test_an_accusation_without_incident_ends_when_it_is_taken_back():
    it = Pager()
    (first,) = it.told(0, accusation(0))
    (last,) = it.told(100, verdict(100))
    assert last.kind is Kind.RESOLVE
    assert last.page == first.page
    assert last.number == 2
    assert "no longer accused: ok" in detail(last, "over")


def test_the_ledger_alone_ends_it_and_the_same_accusation_said_again_opens_nothing():
    it = Pager()
    it.told(0, accusation(0), opened(1))
    assert it.kinds(100, moved(100, "healthy", before="held")) == [Kind.RESOLVE]
    assert it.told(400, accusation(400, since=0)) == []


def test_a_new_accusation_after_that_is_a_new_page():
    it = Pager()
    (first,) = it.told(0, accusation(0), opened(1))
    it.told(100, moved(100, "healthy", before="held"))
    (second,) = it.told(400, accusation(400, since=300))
    assert second.kind is Kind.TRIGGER
    assert second.page != first.page


def test_one_that_began_before_but_after_it_was_taken_back_is_new_too():
    it = Pager()
    it.told(0, accusation(0), opened(1))
    it.told(100, verdict(95), moved(100, "healthy"))
    assert it.kinds(200, accusation(200, since=98)) == [Kind.TRIGGER]


def test_history_of_an_older_incident_does_not_end_what_began_later():
    it = Pager()
    pages = it.told(500, accusation(500, since=400), opened(0), moved(100, "healthy"))
    assert [page.kind for page in pages] == [Kind.TRIGGER]
    assert pages[0].incident is None


def test_another_machine_of_the_name_ends_it():
    it = Pager()
    it.told(0, accusation(0), opened(1))
    (page,) = it.told(100, verdict(100, instance="i-new"))
    assert page.kind is Kind.RESOLVE
    assert "replaced by i-new" in detail(page, "over")
    assert it.told(110, moved(110, "gone")) == []


def test_another_machine_that_is_accused_has_its_own_page():
    it = Pager()
    (first,) = it.told(0, accusation(0))
    pages = it.told(100, accusation(100, instance="i-new"))
    assert [page.kind for page in pages] == [Kind.RESOLVE, Kind.TRIGGER]
    assert pages[0].page == first.page != pages[1].page


@pytest.mark.parametrize(
    "silence", [verdict(100, status=Status.SILENT), verdict(90, instance="i-x", status=Status.SILENT)]
)
def test_silence_ends_nothing(silence):
    it = Pager(policy=Paging(silent=86400))
    it.told(0, accusation(0))
    assert it.told(200, silence) == []
    assert it.due(86000) == []
    assert len(pager.standing(it.state, it.policy, START + 86000)) == 1


def test_old_and_repeated_events_change_nothing():
    it = Pager()
    events = [accusation(0), opened(1), accusation(60, since=0)]
    it.told(60, *events)
    assert it.told(80, *events, verdict(-10), verdict(60)) == []
    over = [verdict(100), moved(101, "healthy")]
    it.told(101, *over)
    assert it.told(130, *events, *over) == []


def test_a_clock_that_is_set_back_keeps_no_page_waiting():
    it = Pager()
    it.hear(0, accusation(0))
    assert [page.kind for page in it.due(-7200)] == [Kind.TRIGGER]


def test_a_node_that_a_person_gave_to_guard_is_a_page_as_well():
    said = opened(0, severity="info")
    it = Pager()
    (page,) = it.told(0, replace(said, cause="unknown", slowdown=None, verdict=""))
    assert page.severity is Severity.INFO
    assert page.summary == "ip-10-0-12-7 is looked after, of job 81723"


def test_what_is_taken_back_while_it_gathers_is_not_told():
    it = Pager()
    assert it.told(9, accusation(0), verdict(9)) == []
    assert it.state.pages.size == 0


def test_what_began_and_ended_before_it_was_told_is_told_whole_and_in_order():
    it = Pager()
    pages = it.told(300, accusation(0), verdict(200))
    assert [(page.kind, page.number) for page in pages] == [(Kind.TRIGGER, 1), (Kind.RESOLVE, 2)]
    assert len({page.page for page in pages}) == 1


def test_history_before_the_first_start_is_not_told():
    it = Pager()
    it.hear(9000, opened(0), moved(4000, "healthy"), opened(5000, incident="inc-2", node="n2"))
    it.state = pager.settle(it.state)
    assert [page.node for page in it.due(9011)] == ["n2"]


def test_severity_that_rises_is_news_and_one_that_falls_or_numbers_that_drift_are_not():
    it = Pager()
    it.told(0, accusation(0))
    assert it.told(60, accusation(60, since=0)) == []
    (page,) = it.told(120, accusation(120, since=0, status=Status.FAULT, severity=Severity.CRITICAL))
    assert (page.kind, page.number, page.severity) == (Kind.UPDATE, 2, Severity.CRITICAL)
    assert page.about is About.STRAGGLER  # as it was triggered
    assert page.first_severity is Severity.WARNING
    assert it.told(180, accusation(180, since=0), accusation(240, severity=Severity.CRITICAL, since=0)) == []


def test_a_hard_error_is_a_page_about_that():
    (page,) = Pager().told(0, accusation(0, status=Status.FAULT, severity=Severity.CRITICAL))
    assert page.about is About.FAULT
    assert page.summary == "ip-10-0-12-7 reports a hard error in job 81723: compute, device 5"


def test_the_key_comes_from_what_began_it_and_holds_for_life():
    one, other = Pager(), Pager(channels=("b",))
    (first,), (same,) = one.told(0, accusation(0)), other.told(7, accusation(0), accusation(5, since=0))
    assert first.page == same.page
    assert first.page.startswith("guard-node-")
    assert len(first.page) <= 64
    assert set(first.page) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    (last,) = one.told(100, verdict(100))
    assert last.page == first.page


def test_what_an_older_leader_still_writes_does_not_count():
    it = Pager()
    it.hear(0, opened(0, incident="inc-1", node="n1", epoch=7))
    it.hear(1, opened(1, incident="inc-2", node="n2", epoch=3))
    assert [page.node for page in it.due(20)] == ["n1"]


def test_after_a_restart_all_goes_on():
    it = Pager()
    it.hear(0, accusation(0))
    it.restart()
    it.hear(1, opened(1))
    it.restart()
    (first,) = it.due(20)
    it.restart()
    assert it.due(21) == []
    assert it.told(100, verdict(100)) == []
    it.restart()
    (last,) = it.told(101, moved(101, "healthy"))
    assert (last.kind, last.page, last.instance) == (Kind.RESOLVE, first.page, INSTANCE)


def test_a_state_of_another_version_is_refused():
    with pytest.raises(pager.StateError, match="version 99"):
        pager.decode(b'{"version":99}')
    with pytest.raises(pager.StateError):
        pager.decode(b"[]")
