"""Silence of nodes, of what guard sees by, and of channels."""

import pytest

from detectors.verdict import Severity, Status
from remediation.alerts.notice import About, Kind
from remediation.paging import seeing
from remediation.paging.events import Looked, Source, Tried
from remediation.paging.policy import Paging, Route
from tests.paging import START, Pager, detail, job, verdict


def silent(time, node="n0", **more):
    return verdict(time, node=node, status=Status.SILENT, **more)


def test_silent_nodes_are_one_page_after_a_while():
    it = Pager(policy=Paging(silent=900))
    it.hear(0, job(0, "normal", nodes=64), *[silent(0, f"n{number}") for number in range(3)])
    assert it.due(899) == []
    (page,) = it.due(900)
    assert (page.about, page.severity, page.kind) == (About.SILENT, Severity.INFO, Kind.TRIGGER)
    assert page.summary == "3 nodes send no telemetry in use1: nothing is known of them"
    assert detail(page, "nodes") in {
        "n0, n1, n2",
        "n2, n1, n0",
        "n1, n2, n0",
        "n0, n2, n1",
        "n1, n0, n2",
        "n2, n0, n1",
    }


@pytest.mark.parametrize(
    ("count", "of", "severity"), [(9, 1000, "info"), (10, 1000, "warning"), (1, 10, "warning")]
)
def test_many_nodes_of_a_running_job_are_worse(count, of, severity):
    it = Pager()
    it.hear(0, job(0, "normal", nodes=of), *[silent(0, f"n{number}") for number in range(count)])
    (page,) = it.due(900)
    assert page.severity == severity


def test_it_gets_worse_once():
    it = Pager()
    it.hear(0, job(0, "normal", nodes=100), silent(0))
    assert it.due(900)[0].severity is Severity.INFO
    it.hear(950, *[silent(50, f"m{number}") for number in range(20)])
    (page,) = it.due(1000)
    assert (page.kind, page.severity) == (Kind.UPDATE, Severity.WARNING)
    it.hear(1100, *[silent(60, f"k{number}") for number in range(20)])
    assert it.due(1200) == []


def test_it_ends_when_each_of_them_was_heard():
    it = Pager()
    it.hear(0, silent(0, "n0"), silent(0, "n1"))
    it.due(900)
    assert it.told(950, verdict(950, node="n0"), silent(960, "n1", since=0)) == []
    (page,) = it.told(970, verdict(970, node="n1"))
    assert page.kind is Kind.RESOLVE


def test_it_ends_with_their_job():
    it = Pager()
    it.hear(0, job(0, "normal"), silent(0, "n0"), silent(1, "n1"))
    it.due(901)
    assert it.kinds(950, job(950, "ended")) == [Kind.RESOLVE]
    it.hear(960, silent(940, "n2"))
    assert it.due(9000) == []


def test_a_short_silence_is_never_told():
    it = Pager()
    it.hear(0, silent(0))
    it.hear(800, verdict(800, node="n0"))
    assert it.due(5000) == []


def test_guard_is_blind_when_a_source_is_silent_for_long_and_sees_again():
    it = Pager(policy=Paging(blind=180))
    it.hear(0, Looked({Source.DETECTOR: START}))
    assert it.due(179) == []
    (page,) = it.due(180)
    assert (page.about, page.severity) == (About.BLIND, Severity.CRITICAL)
    assert page.summary == "guard is blind: telemetry comes, and no detector folds it"
    it.hear(200, Looked({Source.DETECTOR: START, Source.BUS: START + 100}))
    assert it.due(201) == []
    (page,) = it.told(210, Looked({Source.BUS: START + 100}))
    assert page.kind is Kind.RESOLVE
    assert [page.kind for page in it.due(300)] == [Kind.TRIGGER]


def test_a_channel_in_trouble_is_told_by_the_others():
    it = Pager(policy=Paging(trouble=300))
    it.hear(0, Tried("slack", START, "503 from the receiver"))
    assert it.all_due(299) == []
    (letter,) = it.all_due(300)
    assert (letter.channel, letter.notice.about) == ("pagerduty", About.CHANNEL)
    assert letter.notice.summary == "the pager's channel slack takes nothing: 503 from the receiver"
    assert letter.notice.look == "guard page test slack"
    it.hear(400, Tried("slack", None))
    (letter,) = it.all_due(401)
    assert (letter.channel, letter.notice.kind) == ("pagerduty", Kind.RESOLVE)


def test_the_others_hear_of_it_even_if_its_route_names_the_broken_one_alone():
    it = Pager(policy=Paging(routes=[Route(channels=["slack"])]))
    it.hear(0, Tried("slack", START, "away"))
    assert [letter.channel for letter in it.all_due(300)] == ["pagerduty"]


def test_a_channel_that_is_no_longer_configured_is_in_no_trouble():
    it = Pager()
    it.hear(0, Tried("slack", START, "away"))
    it.due(300)
    it.channels = ("pagerduty",)
    assert [page.kind for page in it.due(301)] == [Kind.RESOLVE]


def test_what_cannot_be_kept_is_counted_and_said(monkeypatch):
    monkeypatch.setattr(seeing, "_MUTE", 10)
    it = Pager()
    it.hear(0, *[silent(0, f"n{number}") for number in range(12)])
    (page,) = it.due(1)
    assert (page.about, page.severity) == (About.BLIND, Severity.CRITICAL)
    assert detail(page, "reason").startswith("2 troubles could not be kept")
    it.hear(10, *[verdict(10, node=f"n{number}") for number in range(12)])
    assert [page.kind for page in it.due(11)] == [Kind.RESOLVE]
