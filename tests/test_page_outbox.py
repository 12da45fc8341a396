"""The outbox: state, positions and letters together or not at all, in order, without old news."""

import os
import sqlite3
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.bus import Topic
from guard.page import outbox as module
from guard.page.outbox import Outbox, Reached, contents
from guard.page.outbox_file import OutboxError
from remediation.alerts.notice import Kind
from tests.page_notices import T0, notice

AT = (Topic.VERDICTS, 3)
TRIGGER, UPDATE, ACKNOWLEDGE, RESOLVE = Kind


@pytest.fixture
def path(tmp_path):
    return tmp_path / "page.sqlite"


@pytest.fixture
def outbox(path):
    with Outbox(path) as outbox:
        outbox.begin(b"first", {}, T0)
        yield outbox


def put(outbox, *letters, channel="a", now=T0):
    outbox.commit(b"s", {}, [(channel, letter) for letter in letters], now)


def waiting(outbox, channel="a"):
    """What waits, in the order in which it is sent; the outbox is then empty."""
    found = []
    while (letter := outbox.next(channel, {})) is not None:
        found.append((letter.notice.page, letter.notice.kind, letter.notice.number))
        outbox.sent(letter, T0, None)
    return found


def test_state_positions_and_letters_are_there_after_a_restart(path):
    with Outbox(path) as outbox:
        assert outbox.state() is None
        outbox.begin(b"first", {AT: Reached(4, T0)}, T0)
        outbox.commit(b"second", {AT: Reached(7, T0 + 1)}, [("a", notice()), ("b", notice())], T0)
    with Outbox(path) as outbox:
        assert (outbox.state(), outbox.began()) == (b"second", T0)
        assert outbox.reached() == {AT: Reached(7, T0 + 1)}
        assert outbox.next("a", {}).notice == outbox.next("b", {}).notice == notice()


def test_what_fails_in_the_middle_is_not_there_at_all(path, outbox):
    class FullError(Exception):
        pass

    def letters():
        yield "a", notice()
        raise FullError

    with pytest.raises(FullError):
        outbox.commit(b"second", {AT: Reached(7, T0)}, letters(), T0)
    assert (outbox.state(), outbox.reached(), outbox.next("a", {})) == (b"first", {}, None)


def test_a_newer_update_or_the_end_makes_an_update_that_waits_old_news(outbox):
    put(outbox, notice(), notice(number=2, kind=UPDATE), notice(number=3, kind=UPDATE))
    put(outbox, notice("p2"), notice("p2", 2, UPDATE))
    assert outbox.dropped == 1
    put(outbox, notice("p2", 3, RESOLVE))
    assert outbox.dropped == 2
    assert waiting(outbox) == [("p1", TRIGGER, 1), ("p1", UPDATE, 3), ("p2", TRIGGER, 1), ("p2", RESOLVE, 3)]


def test_triggers_acknowledgements_and_resolves_are_never_dropped(outbox):
    put(outbox, notice(), notice(number=2, kind=ACKNOWLEDGE), notice(number=3, kind=RESOLVE))
    assert waiting(outbox) == [("p1", TRIGGER, 1), ("p1", ACKNOWLEDGE, 2), ("p1", RESOLVE, 3)]


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from(["p1", "p2", "p3"]), st.sampled_from(list(Kind))),
        max_size=30,
    ),
    st.randoms(use_true_random=False),
)
def test_whatever_is_written_and_sent_in_between_each_channel_gets_a_page_in_order(
    tmp_path_factory, written, chance
):
    numbers: dict[str, int] = {}
    sent: dict[tuple[str, str], list[int]] = {}
    must = set()
    with Outbox(tmp_path_factory.mktemp("outbox") / "page.sqlite") as outbox:
        outbox.begin(b"", {}, T0)

        def send(channel):
            letter = outbox.next(channel, {})
            if letter is not None:
                sent.setdefault((channel, letter.notice.page), []).append(letter.notice.number)
                must.discard((channel, letter.notice.page, letter.notice.number))
                outbox.sent(letter, T0, None)
            return letter is not None

        for channel, page, kind in written:
            numbers[page] = numbers.get(page, 0) + 1
            put(outbox, notice(page, numbers[page], kind), channel=channel)
            if kind is not UPDATE:
                must.add((channel, page, numbers[page]))
            if chance.random() < 0.4:
                send(chance.choice("ab"))
        while send("a") or send("b"):
            pass
    assert all(order == sorted(set(order)) for order in sent.values())
    assert must == set()


def test_beyond_its_bound_the_oldest_updates_give_way_and_nothing_else(outbox, monkeypatch):
    monkeypatch.setattr(module, "MOST_WAITING", 5)
    put(outbox, *[notice(f"p{n}", kind=UPDATE) for n in range(4)], *[notice(f"t{n}") for n in range(3)])
    assert outbox.dropped == 2
    assert [page for page, _, _ in waiting(outbox)] == ["p2", "p3", "t0", "t1", "t2"]
    put(outbox, *[notice(f"t{n}") for n in range(9)])
    assert outbox.queues()["a"].letters == 9


def test_a_letter_that_fails_again_and_again_lets_others_pass_and_its_page_waits_for_it(outbox):
    put(outbox, notice(), notice(number=2, kind=RESOLVE), notice("p2"), notice("p2", 2, RESOLVE))
    first = outbox.next("a", {})
    outbox.failed(first, "away")
    assert outbox.next("a", {first.id: 2}).id == first.id
    other = outbox.next("a", {first.id: 3})
    assert (other.notice.page, other.notice.kind) == ("p2", TRIGGER)
    assert outbox.next("a", {first.id: 3, other.id: 3}).id == first.id


def test_what_stands_is_told_again_until_it_is_over_and_not_while_news_wait(outbox):
    put(outbox, notice())
    outbox.sent(outbox.next("a", {}), T0, T0 + 60)
    assert outbox.again("a", T0 + 59) is None
    assert outbox.again("b", T0 + 61) is None
    told = outbox.again("a", T0 + 61)
    assert told.notice == notice()
    outbox.repeated(told, T0 + 61, T0 + 121)
    assert outbox.again("a", T0 + 62) is None
    put(outbox, notice(number=2, kind=RESOLVE))
    assert outbox.again("a", T0 + 200) is None
    outbox.sent(outbox.next("a", {}), T0, T0 + 60)
    assert outbox.again("a", T0 + 999) is None


def test_refused_letters_are_kept_the_newest_and_hold_up_nobody(path, outbox, monkeypatch):
    monkeypatch.setattr(module, "_MOST_REFUSED", 2)
    put(outbox, *[notice(f"p{n}") for n in range(4)])
    for _ in range(3):
        outbox.refused(outbox.next("a", {}), "no such key", T0 + 5)
    assert [(one.notice.page, one.refused, one.error) for one in contents(path).letters] == [
        ("p1", T0 + 5, "no such key"),
        ("p2", T0 + 5, "no such key"),
        ("p3", None, ""),
    ]
    assert outbox.queues()["a"].letters == 1


def test_a_channel_that_is_gone_from_the_configuration_leaves_nothing(outbox):
    put(outbox, notice(), notice("p2"))
    outbox.sent(outbox.next("a", {}), T0, None)
    put(outbox, notice("p3"), channel="b")
    assert outbox.keep_only(["b"]) == {"a": 1}
    assert outbox.keep_only(["b"]) == {}
    assert (outbox.next("a", {}), outbox.next("b", {}).notice.page) == (None, "p3")


def test_two_processes_never_share_an_outbox(path, outbox):
    with pytest.raises(
        OutboxError, match=r"another guard page uses it; stop that one, or give this one a page.out"
    ):
        Outbox(path)
    put(outbox, notice())
    assert [one.notice for one in contents(path).letters] == [notice()]  # reading it is free


def test_a_process_that_was_killed_holds_nothing(path):
    code = (
        "import os, sys; from guard.page.outbox import Outbox; o = Outbox(sys.argv[1]); o.begin(b'x', {}, 0);"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, path], timeout=30, check=False)
    with Outbox(path) as outbox:
        assert outbox.state() == b"x"


def test_a_file_of_another_version_a_damaged_one_and_one_of_another_program_say_what_to_do(path):
    with Outbox(path) as outbox:
        outbox.begin(b"s", {}, T0)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 9")
    connection.close()
    with pytest.raises(OutboxError, match=r"format 9, this one knows 1\); run that version, or move it away \(mv"):
        Outbox(path)
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(OutboxError, match="the file is damaged: move it away"):
        Outbox(path)
    path.unlink()
    sqlite3.connect(path).execute("CREATE TABLE other (x)").connection.close()
    with pytest.raises(OutboxError, match=r"a database of another program; give page.outbox another path"):
        Outbox(path)


def test_a_directory_that_is_not_there_and_an_outbox_that_is_not_there_say_what_to_do(tmp_path):
    with pytest.raises(OutboxError, match=f"make the directory {tmp_path}/none"):
        Outbox(tmp_path / "none" / "page.sqlite")
    with pytest.raises(OutboxError, match="not there; has guard page run here"):
        contents(tmp_path / "page.sqlite")


def test_a_full_disk_is_an_error_that_says_so_and_what_was_there_stays(path, outbox):
    put(outbox, notice())
    (pages,) = outbox._connection.execute("PRAGMA page_count").fetchone()
    outbox._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(OutboxError, match="free some of the disk that holds"):
        put(outbox, *[notice(f"p{n}", summary="x" * 200) for n in range(200)])
    outbox._connection.execute("PRAGMA max_page_count = 1000000")
    assert waiting(outbox) == [("p1", TRIGGER, 1)]


def test_only_its_user_can_read_it(path, outbox):
    assert os.stat(path).st_mode & 0o777 == 0o600  # noqa: PTH116
