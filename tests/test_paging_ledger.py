"""What guard does, would do or may not is news of the node's page; some alerts are pages of their own."""

import pytest

from detectors.verdict import Severity
from remediation.alerts.notice import About, Kind
from remediation.ledger import (
    Act,
    Applied,
    Denied,
    Intent,
    Outcome,
    Proposed,
    Result,
    Verified,
)
from tests.paging import JOB, NODE, START, Pager, accusation, alert, cleared, detail, job, moved, opened, record


def paged() -> Pager:
    it = Pager()
    assert len(it.told(0, accusation(0), opened(1))) == 1
    return it


def intent(time, act, subject, *, name, by=None):
    return record(
        Intent, time, id=name, act=act, subject=subject, expires=START + 9e5, deadline=60.0, approved_by=by
    )


def outcome(time, name, result=Result.DONE):
    return record(Outcome, time, intent=name, result=result)


def proposal(time, *, mode="approve", name="abc123", act=Act.CORDON):
    return record(Proposed, time, act=act, subject=NODE, intent=name, reason="compute", mode=mode)


def test_a_proposal_says_by_which_command_it_is_approved():
    (page,) = paged().told(60, proposal(60), alert(60, "proposed"))
    assert page.kind is Kind.UPDATE
    assert page.approve == "guard approve abc123"
    assert page.runbook == "proposed"
    assert page.summary.endswith("(waits for approval)")
    assert detail(page, "next") == f"waits for approval: cordon {NODE}: compute"


def test_what_guard_would_do_in_another_mode_is_told_without_a_command():
    (page,) = paged().told(60, proposal(60, mode="observe"))
    assert page.approve is None
    assert detail(page, "next") == f"guard would cordon {NODE}, were its mode not observe: compute"


def test_proposal_and_its_alert_are_one_state_even_if_they_come_apart():
    it = paged()
    assert len(it.told(60, proposal(60))) == 1
    assert it.told(61, alert(61, "proposed")) == []


def test_the_course_of_a_remediation_is_told_step_by_step_and_deeds_with_their_times():
    it = paged()
    assert it.kinds(20, moved(20, "confirmed"), proposal(21)) == [Kind.UPDATE]
    steps = [
        (intent(40, Act.CHECKPOINT, JOB, name="i1"), "checkpoint asked for"),
        (moved(60, "cordoned", before="confirmed"), "out of service, checkpoint asked for"),
    ]
    for said, phase in steps:
        (page,) = it.told(said.time - START, said)
        assert f"({phase})" in page.summary or phase in page.summary
    it.hear(61, intent(61, Act.RESTART, JOB, name="i2", by="ana"))
    (page,) = it.told(90, outcome(90, "i2"))
    assert "(out of service, job restarted)" in page.summary
    assert f"restart {JOB}, approved by ana: done" in detail(page, "did")
    assert it.told(95, moved(95, "draining", before="cordoned")) == []
    fine = record(Verified, 120, job=JOB, restarts=0, running=True, resumed=5, faster=True, fine=True)
    (page,) = it.told(120, fine)
    assert "restart verified" in page.summary
    (page,) = it.told(140, moved(140, "held", before="draining"), alert(140, "held", severity="info"))
    assert "held for a person" in page.summary
    assert page.runbook == "held"
    assert page.severity is Severity.WARNING
    (page,) = it.told(900, moved(900, "healthy", before="held", reason="given back as ordered"))
    assert page.kind is Kind.RESOLVE
    assert page.summary == "ip-10-0-12-7 slows job 81723 by 17 %: compute, device 5"
    assert [letter.notice.number for letter in it.letters if letter.channel == "slack"] == list(range(1, 9))


def test_a_node_that_is_out_costs_its_job_nothing_more():
    it = paged()
    it.hear(1, job(1, "slow", accused=[NODE], nodes=100))
    (page,) = it.told(3600, moved(3600, "cordoned"))
    assert detail(page, "cost") == "17 % of the job's speed; 17 node-hours so far"
    (page,) = it.told(7200, moved(7200, "held", before="cordoned"))
    assert detail(page, "cost") == "17 % of the job's speed; 17 node-hours so far"


def test_a_denial_is_news_once_and_then_only_in_the_text():
    it = paged()
    (page,) = it.told(20, record(Denied, 20, act=Act.CORDON, subject=NODE, rail="window", reason="not now"))
    assert detail(page, "refused") == f"cordon {NODE}: window: not now"
    assert page.summary.endswith("(guard may not act)")
    assert it.told(90, record(Denied, 90, act=Act.CORDON, subject=NODE, rail="spares", reason="none")) == []
    (page,) = it.told(99, proposal(99))
    assert "spares" in detail(page, "refused")


def test_a_denial_before_there_is_an_incident_reaches_the_nodes_page():
    it = Pager()
    it.told(0, accusation(0))
    denial = record(Denied, 20, incident=None, act=Act.CORDON, subject=NODE, rail="cool-down", reason="rests")
    assert "cool-down" in detail(it.told(20, denial)[0], "refused")


@pytest.mark.parametrize("about", ["refused", "repair", "unverified"])
def test_alerts_of_an_incident_are_news_of_its_page_with_their_runbook(about):
    (page,) = paged().told(60, alert(60, about, severity="critical"))
    assert (page.kind, page.runbook, page.severity) == (Kind.UPDATE, about, Severity.CRITICAL)
    assert detail(page, "alert") == "a person is needed"


def test_a_rejected_proposal_waits_no_more():
    it = paged()
    it.told(60, proposal(60))
    (page,) = it.told(80, record(Applied, 80, order="o", what="reject", subject="abc123", by="ana", accepted=True))
    assert page.approve is None
    assert "reject ordered by ana" in detail(page, "did")


def test_an_alert_after_its_incident_opens_a_page_that_ends_with_the_job():
    it = paged()
    it.told(100, moved(100, "healthy", before="draining"))
    (page,) = it.told(200, alert(200, "unverified"))
    assert (page.kind, page.runbook, page.node) == (Kind.TRIGGER, "unverified", NODE)
    it.restart()
    assert it.told(250, job(190, "normal")) == []
    assert it.kinds(300, job(300, "normal")) == [Kind.RESOLVE]


def test_an_alert_of_an_unknown_incident_is_a_page_until_that_is_closed():
    it = Pager()
    (page,) = it.told(0, alert(0, "repair", incident="inc-9"))
    assert (page.kind, page.runbook) == (Kind.TRIGGER, "repair")
    (page,) = it.told(30, alert(30, "refused", incident="inc-9", severity="critical"))
    assert (page.kind, page.runbook, page.severity) == (Kind.UPDATE, "refused", Severity.CRITICAL)
    assert it.kinds(60, moved(60, "healthy", incident="inc-9")) == [Kind.RESOLVE]


@pytest.mark.parametrize("about", ["halted", "leftover", "blind"])
def test_alerts_that_are_cleared_have_pages_of_their_own(about):
    it = paged()
    said = alert(60, about, severity="critical", subject="81723")
    (page,) = it.told(60, said)
    assert (page.kind, page.about, page.runbook) == (Kind.TRIGGER, About(about), about)
    assert page.summary == "a person is needed"
    assert it.told(61, said, cleared(62, "another")) == []
    (page,) = it.told(70, cleared(70, said.id))
    assert (page.kind, detail(page, "over")[-15:]) == (Kind.RESOLVE, "seen to be over")


def test_the_same_alert_after_it_was_cleared_is_a_page_again():
    it = Pager()
    first = alert(0, "blind", incident=None)
    (before,) = it.told(0, first)
    it.told(50, cleared(50, first.id))
    (page,) = it.told(
        90, record(type(first), 90, incident=None, id=first.id, about="blind", severity="critical", text="x")
    )
    assert page.kind is Kind.TRIGGER
    assert page.page != before.page
