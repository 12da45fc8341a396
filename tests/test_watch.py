"""What ``guard watch`` knows, draws and does on a key: all of it pure."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from detectors.verdict import JobStatus, Role, Saying, Status, encode
from guard.bus import Message, Position, Topic
from guard.watch.keys import Look, press, pressed
from guard.watch.lines import fitted, sparkline
from guard.watch.seen import Seen
from guard.watch.view import Hearing, Picture, Size, conclude, view
from remediation.ledger import Act, Alert, Breaker, Intent, Leader, Moved, Opened, Proposed, Record
from remediation.ledger import encode as encode_record
from remediation.states import NodeState
from tests.test_report import CULPRIT, NOW, STALE, VALUES, about_job, verdict

SMALL = Size(80, 24)
NO_LOOK = Look()
READ = Hearing(heard=NOW)


def state(saying: Saying | None, *, key: str = "", time: float = NOW - 20, offset: int = 1) -> Message:
    value = None if saying is None else encode(saying)
    return Message(Position(Topic.STATE, 0, offset), key or (saying.key if saying else ""), value, time)


def entry(record: Record, offset: int, time: float = NOW - 10) -> Message:
    return Message(Position(Topic.LEDGER, 0, offset), "k", encode_record(record), time)


def seen(*messages: Message) -> Seen:
    known = Seen("east")
    for message in messages:
        known.take(message)
    return known


def picture(
    known: Seen, *, look: Look = NO_LOOK, size: Size = SMALL, hearing: Hearing = READ, now: float = NOW
) -> Picture:
    fleet = conclude(known, known.state(hearing.lately), "east", now, STALE)
    return view(fleet, hearing, look, size, now)


def text(drawn: Picture) -> str:
    return "\n".join(line.plain for line in drawn.lines)


LED = entry(Leader(id="l", cluster="east", time=NOW - 500, process="guard-1", deadline=60), 7)
OPENED = entry(
    Opened(
        id="o", cluster="east", time=NOW - 90, incident="i1", epoch=7, node="n2", instance="i-1", job="81723",
        verdict="9f2c", cause="compute", severity="critical", slowdown=0.17, since=NOW - 300,
    ), 8,
)  # fmt: skip
MOVED = entry(
    Moved(
        id="m", cluster="east", time=NOW - 80, incident="i1", epoch=7, before=NodeState.HEALTHY,
        after=NodeState.CONFIRMED, reason="two detectors agree",
    ), 9,
)  # fmt: skip
INTENT = entry(
    Intent(
        id="a1", cluster="east", time=NOW - 70, incident="i1", epoch=7, act=Act.CORDON, subject="n2",
        expires=NOW + 60, deadline=30,
    ), 10,
)  # fmt: skip
PROPOSED = entry(
    Proposed(
        id="p", cluster="east", time=NOW - 70, incident="i1", epoch=7, act=Act.CORDON, subject="n2", intent="a9",
        reason="", mode="approve",
    ), 10,
)  # fmt: skip


def test_it_says_who_is_accused_how_jobs_go_and_what_guard_does() -> None:
    known = seen(
        state(verdict()), state(CULPRIT), state(about_job(status=JobStatus.SLOW)), LED, OPENED, MOVED, INTENT
    )
    shown = text(picture(known))
    for words in (
        "fleet: accused", "1 accused: n2", "2 nodes: 1 ok, 1 straggler", "detector heard 20 s ago",
        "guard-1 leads since 8 min ago, 1 open incident", "confirmed, cordon runs", "two detectors agree",
    ):  # fmt: skip
        assert words in shown
    row = next(line for line in shown.splitlines() if line.startswith("81723"))
    assert row.split()[1:] == ["slow", "1.4", "s", "1.2", "s", "16", "%", "4", "▅"]


def test_what_waits_for_a_person_names_the_command() -> None:
    shown = text(picture(seen(state(CULPRIT), LED, OPENED, MOVED, PROPOSED), size=Size(120, 30)))
    assert "confirmed, waits for guard approve a9" in shown


def test_a_tripped_breaker_is_in_the_head() -> None:
    tripped = entry(Breaker(id="b", cluster="east", time=NOW, tripped=True, reason="9 nodes at once"), 11)
    shown = text(picture(seen(state(verdict()), LED, tripped), size=Size(120, 30)))
    assert "storm breaker tripped: 9 nodes at once" in shown.splitlines()[2]


def test_jobs_stand_worst_first() -> None:
    jobs = [
        about_job(str(n), status) for n, status in enumerate((JobStatus.NORMAL, JobStatus.SLOW, JobStatus.HUNG))
    ]
    shown = text(picture(seen(*map(state, jobs)))).splitlines()
    start = next(n for n, line in enumerate(shown) if "JOBS" in line)
    assert [line.split()[1] for line in shown[start + 1 : start + 4]] == ["hung", "slow", "normal"]


def test_another_clusters_incident_is_not_that_of_a_node_of_the_same_name() -> None:
    known = seen(state(verdict("n2", Status.FAULT, Role.CULPRIT, cluster="west")), LED, OPENED, MOVED)
    row = next(line.plain for line in picture(known).lines if line.plain.startswith("n2"))
    assert row.rstrip().endswith(" -")


def test_changes_happen_after_the_start_and_not_while_it_is_read() -> None:
    known = seen(state(CULPRIT))
    assert known.happened() == []
    known.begin()
    known.take(state(CULPRIT))
    known.take(state(verdict("n1")))
    assert known.happened() == []  # nothing new was said
    known.take(state(verdict("n2"), time=NOW - 5))
    known.take(state(about_job(status=JobStatus.HUNG, reason="all wait"), time=NOW - 4))
    assert [(one.about, one.text) for one in known.happened()] == [
        ("job 81723", "hung, step 1.4 s: all wait"),
        ("n2", "ok"),
    ]
    assert "all wait" in text(picture(known))


def test_a_bus_that_is_away_is_said_and_what_was_known_is_marked_old() -> None:
    known = seen(state(CULPRIT))
    away = Hearing(trouble="no broker let us in", heard=NOW - 90)
    shown = text(picture(known, hearing=away, size=Size(120, 30)))
    assert "the bus is away, this is OLD, of 90 s ago: no broker let us in" in shown
    assert "n2" in shown
    assert "and was not read to its end" in text(picture(Seen("east"), hearing=Hearing("no broker let us in")))
    assert "reading what the bus holds" in text(picture(Seen("east"), hearing=Hearing()))


@pytest.mark.parametrize("size", [Size(80, 24), Size(200, 60), Size(40, 12), Size(20, 5), Size(1, 1)])
@pytest.mark.parametrize("count", [0, 1, 300])
def test_the_picture_fills_any_terminal_and_no_more(size: Size, count: int) -> None:
    nodes = [state(verdict(f"n{n}", Status.FAULT, Role.CULPRIT)) for n in range(count)]
    jobs = [state(about_job(f"j{n}")) for n in range(count)]
    drawn = picture(seen(*nodes, *jobs, LED), size=size)
    assert len(drawn.lines) == max(size.height, 1)
    assert {cell_len(line.plain) for line in drawn.lines} == {size.width}


def test_a_name_filters_jobs_nodes_and_what_happened() -> None:
    known = seen(*(state(verdict(f"n{n}", Status.FAULT, Role.CULPRIT)) for n in range(30)), state(about_job()))
    drawn = picture(known, look=Look(name="n2"))
    assert drawn.total == 11
    assert "81723" not in text(drawn)


def test_scrolling_ends_at_the_last_row() -> None:
    known = seen(*(state(verdict(f"n{n:02}", Status.FAULT, Role.CULPRIT)) for n in range(60)))
    drawn = picture(known)
    look = press(Look(), "end", rows=drawn.rows, total=drawn.total)
    last = picture(known, look=look)
    assert "n59" in text(last)
    assert press(look, "j", rows=last.rows, total=last.total) == look
    assert press(look, "g", rows=last.rows, total=last.total).first == 0
    # Fewer nodes than before: no empty table.
    assert "n01" in text(picture(seen(*(state(verdict(f"n0{n}", Status.FAULT)) for n in range(3))), look=look))


def keys(typed: bytes, look: Look = NO_LOOK) -> Look:
    for key in pressed(typed):
        look = press(look, key, rows=10, total=100)
    return look


@pytest.mark.parametrize(
    ("typed", "look"),
    [
        (b"jjk", Look(first=1)),
        (b"\x1b[B\x1bOB\x1b[6~", Look(first=11)),
        (b"\x1b[A", Look()),
        (b"p", Look(paused=True)),
        (b"pp", Look()),
        (b"q", Look(ended=True)),
        (b"/jq", Look(name="jq", typing=True)),
        (b"/ab\x7f\r", Look(name="a")),
        (b"/ab\r\x1b", Look()),
        (b"/\xc3\xa4\xe4\r", Look(name="ä")),
        (b"/\x1b[200~x\r", Look(name="x")),
        (b"\x1b[99;5u\x1b[", Look()),
        (b"/" + b"x" * 100 + b"\r", Look(name="x" * 64)),
    ],
)
def test_keys(typed: bytes, look: Look) -> None:
    assert keys(typed) == look


@given(st.binary(max_size=40))
def test_whatever_is_typed_gives_a_look(typed: bytes) -> None:
    look = keys(typed)
    assert 0 <= look.first <= 90
    assert look.name.isprintable()


def test_the_course_of_step_times_is_drawn_minute_by_minute() -> None:
    points = [(NOW - 60 * n - 1, value) for n, value in enumerate((2.0, 1.0, 1.0))]
    assert sparkline(points, NOW, 5, 300) == "  ▂▂█"
    assert sparkline([(NOW, 1.0)], NOW, 5, 300) == "    ▅"
    assert sparkline([], NOW, 5, 300) == "     "
    assert sparkline([(NOW + 900, 1.0), (NOW - 9999, 2.0), (NOW, 0.0)], NOW, 5, 300) == "     "


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=30), st.integers(0, 20))
def test_text_is_cut_and_filled_to_an_exact_width(words: str, width: int) -> None:
    assert cell_len(fitted(words, width)) == cell_len(fitted(words, width, right=True)) == width


def test_what_is_remembered_is_bounded() -> None:
    known = Seen("east")
    known.begin()
    for n in range(6000):
        known.take(state(about_job(f"j{n}", JobStatus.HUNG)))
        known.take(
            entry(Alert(id=f"a{n}", cluster="east", time=NOW, about="storm", severity="warning", text=""), n)
        )
    assert len(known.happened()) == 200
    assert known.pace(("east", "j0")) == []
    assert len(known.pace(("east", "j5999"))) == 1
    for n in range(100):
        known.take(state(about_job("j5999", time=NOW + n)))
    assert len(known.pace(("east", "j5999"))) == 60


@settings(max_examples=60)
@given(st.lists(st.tuples(VALUES, st.floats(0, 4e9)), max_size=8), st.sampled_from([SMALL, Size(30, 10)]))
def test_any_state_gives_a_picture(values: Sequence[tuple[bytes | None, float]], size: Size) -> None:
    known = Seen("east")
    known.begin()
    for value, time in values:
        known.take(Message(Position(Topic.STATE, 0, 1), "east/n1", value, time))
    drawn = picture(known, size=size)
    assert {cell_len(line.plain) for line in drawn.lines} == {size.width}
    assert all(letter.isprintable() for line in drawn.lines for letter in line.plain)
