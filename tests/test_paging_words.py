"""Whatever names hold, a page is printable, bounded, and its commands are safe to paste."""

import shlex

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from detectors.plain import plain
from remediation.alerts.notice import Notice
from remediation.ledger import Act, Denied, Proposed
from remediation.paging.events import Tried
from remediation.paging.policy import Paging
from tests.paging import START, Pager, accusation, acknowledge, alert, breaker, job, moved, opened, record, verdict

HOSTILE = [
    "\x1b[2J\x1b]0;owned\x07",
    "n" * 10_000,
    "\u202egnp.exe\u202c",
    "🔥" * 300,
    "<script>alert(1)</script>",
    "a'b\"; rm -rf / #$(id)`id`",
    "-rf --help",
    "line\nbreak\r\ttab",
    "\x00" * 253,
    "%s{0}{node}",
]


def texts(notice: Notice):
    fields = (notice.page, notice.cluster, notice.node, notice.instance, notice.job, notice.team, notice.summary)
    more = (notice.approve, notice.look, notice.runbook, notice.runbook_url, notice.incident, notice.id)
    yield from (text for text in fields + more if text is not None)
    for line in notice.details:
        yield line.name
        yield line.text


def check(notices):
    for notice in notices:
        assert len(notice.summary) <= 200
        assert len(notice.details) <= 20
        assert len(notice.page) <= 64
        for text in texts(notice):
            assert text.isprintable(), text
            assert len(text) <= 4000
        for command in filter(None, (notice.approve, notice.look)):
            assert shlex.split(command)[0] == "guard"


def everything(name: str) -> list[Notice]:
    """Each kind of page, with the name wherever a name or a text from outside can be."""
    short = name[:253]
    it = Pager(policy=Paging(trouble=10))
    it.hear(
        0,
        job(0, "hung", name=f"{name}!"[-253:], reason=name),
        accusation(0, node=short, instance=short, job=short),
    )
    it.hear(1, opened(1, node=name, instance=name, incident=name), alert(1, name, incident=name, text=name))
    for mode in ("observe", "approve"):
        wish = record(
            Proposed, 2, incident=name, act=Act.CORDON, subject=name, intent=name, reason=name, mode=mode
        )
        it.hear(2, wish)
    it.hear(3, record(Denied, 3, incident=name, act=Act.CORDON, subject=name, rail=name, reason=name))
    for about in ("blind", "halted", "leftover", "storm"):
        it.hear(4, alert(4, about, incident=None, subject=name, text=name, severity=name))
    it.hear(5, breaker(5, True), Tried("slack", START, name))
    it.due(30)
    it.hear(40, acknowledge(40, short or "x", by=name))
    it.hear(50, verdict(50, node=short, instance="new"), moved(50, "gone", incident=name, reason=name))
    it.due(60)
    return [letter.notice for letter in it.letters]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_and_texts_are_harmless(name):
    notices = everything(name)
    assert {notice.about for notice in notices} >= {"storm", "hung", "blind", "halted", "leftover", "channel"}
    check(notices)


@settings(max_examples=60, deadline=None)
@given(st.text(min_size=1, max_size=400))
def test_any_name_is_harmless(name):
    check(everything(name))


@given(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=100))
def test_a_command_names_exactly_the_node(name):
    if name != plain(name):
        return
    (page,) = Pager().told(0, accusation(0, node=name))
    assert page.look is not None
    words = shlex.split(page.look)
    assert words[:2] == ["guard", "explain"]
    assert words[-1] == name
    assert not name.startswith("-") or words[2] == "--"


def test_a_date_beyond_the_calendar_is_still_a_page():
    (page,) = Pager().told(0, accusation(9e11))
    assert "no date" in page.details[1].text


def test_the_link_leads_to_the_runbook_of_the_state():
    (page,) = Pager(policy=Paging(runbooks="https://runbooks.example/guard/")).told(0, accusation(0))
    assert page.runbook_url == "https://runbooks.example/guard/straggler.md"
