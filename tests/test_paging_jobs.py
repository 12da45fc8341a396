"""Pages about jobs: only where nobody is accused."""

from detectors.verdict import Severity
from remediation.alerts.notice import About, Kind
from remediation.paging.policy import Paging
from tests.paging import JOB, NODE, Pager, accusation, detail, job, verdict


def test_a_job_that_hangs_with_nobody_accused_is_critical_at_once():
    it = Pager()
    it.hear(0, job(0, "hung", nodes=64))
    assert it.due(9) == []
    (page,) = it.due(11)
    assert (page.about, page.severity, page.job) == (About.HUNG, Severity.CRITICAL, JOB)
    assert page.summary == "job 81723 stands still, and no node can be named"
    assert page.look == "guard report job 81723"
    assert "64 more each hour" in detail(page, "cost")


def test_a_slow_job_is_a_page_only_after_a_while_and_says_why_nobody_is_named():
    it = Pager(policy=Paging(slow=900))
    it.hear(0, job(0, "slow", reason="all ranks alike", slowdown=0.2))
    it.hear(880, job(880, "slow", since=0, reason="all ranks alike", slowdown=0.2))
    assert it.due(899) == []
    (page,) = it.due(900)
    assert (page.about, page.severity) == (About.SLOW, Severity.WARNING)
    assert detail(page, "reason") == "all ranks alike"


def test_one_that_was_slow_for_long_before_it_was_heard_is_told_soon():
    assert Pager().kinds(5000, job(5000, "slow", since=0)) == [Kind.TRIGGER]


def test_a_job_that_was_slow_for_a_short_while_is_never_told():
    it = Pager()
    it.hear(0, job(0, "slow"))
    it.hear(800, job(800, "normal"))
    assert it.due(5000) == []


def test_it_ends_when_the_job_runs_or_has_ended():
    for status in ("normal", "ended"):
        it = Pager()
        it.told(0, job(0, "hung"))
        assert it.told(50, job(50, "starting")) == []
        assert it.kinds(60, job(60, status)) == [Kind.RESOLVE]


def test_it_ends_when_somebody_is_accused_because_that_page_has_it():
    for said in (accusation(60), job(60, "hung", since=0, accused=[NODE])):
        it = Pager()
        it.told(0, job(0, "hung"))
        pages = it.told(60, said)
        assert pages[0].kind is Kind.RESOLVE
        assert detail(pages[0], "over").endswith("ip-10-0-12-7 is accused, and has its own page")


def test_a_job_with_an_accused_node_has_no_page():
    it = Pager()
    it.hear(0, accusation(0), job(1, "hung", accused=[NODE]))
    assert [page.about for page in it.due(20)] == [About.STRAGGLER]
    it.hear(
        30, job(-5, "slow", name="late"), accusation(40, node="n2", job="other"), job(35, "hung", name="other")
    )
    assert [page.about for page in it.due(60)] == [About.STRAGGLER]


def test_an_accusation_while_it_gathers_leaves_one_page():
    it = Pager()
    it.hear(0, job(0, "hung"))
    it.hear(5, accusation(5))
    assert [page.about for page in it.due(30)] == [About.STRAGGLER]


def test_when_nobody_is_accused_any_more_and_it_hangs_on_it_is_a_page_again():
    it = Pager()
    it.told(0, accusation(0), job(1, "hung", accused=[NODE]))
    it.told(60, verdict(60))
    assert [page.about for page in it.told(70, job(70, "hung", since=0))] == [About.HUNG]


def test_slow_that_becomes_hung_is_more_severe_and_the_same_page():
    it = Pager()
    (first,) = it.told(2000, job(2000, "slow", since=0))
    (page,) = it.told(2100, job(2100, "hung"))
    assert (page.kind, page.severity, page.page) == (Kind.UPDATE, Severity.CRITICAL, first.page)
    assert (page.about, page.runbook) == (About.SLOW, "hung")
    assert it.told(2200, job(2200, "slow"), job(2300, "hung")) == []


def test_records_that_repeat_are_not_news():
    it = Pager()
    it.told(0, job(0, "hung"))
    assert it.told(60, job(60, "hung", since=0), job(0, "hung"), job(-9, "normal")) == []
