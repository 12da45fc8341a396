"""What every channel does. A test module subclasses the contracts and has a fixture `world`.

`LifeContract`: a page from its trigger to its resolve, as the receiver shows it. `FaultContract`: a receiver that
fails in every way that one can, and what must not be said of it.
"""

import logging
import socket
import threading
import time
import traceback
import uuid
from abc import ABC, abstractmethod
from pathlib import Path

import pytest

from detectors.plain import harmless
from detectors.verdict import Severity
from remediation.alerts.notice import About, Detail, Kind, Notice
from remediation.alerts.protocol import Channel, ChannelError, RefusedError, UnavailableError
from tests.pager_receivers import Fault, Receiver

TIMEOUT = 0.6
"""Seconds for a send that must fail: nothing here takes so long by itself."""
PATIENCE = 10.0
_SPARE = 1.0
HOSTILE = harmless(
    "<script>alert(1)</script> <!channel> <!here|x> <@U012AB3CD> <https://evil.example|click> @here @everyone "
    "*bold* _italic_ ~gone~ `code` ```block``` https://evil.example/a?b=1&c=2 \"quoted\" 'and' \\back &amp; "
    "\u202eright to left \x1b[31mred\x00 🔥 ＜wide＞"  # noqa: RUF001
)
UNAVAILABLE = (
    Fault.FAIL,
    Fault.LIMIT,
    Fault.LIMIT_DATE,
    Fault.REDIRECT,
    Fault.HANG,
    Fault.DRIP,
    Fault.DRIP_BODY,
    Fault.DROP,
    Fault.LOSE,
    Fault.GARBAGE,
    Fault.HUGE,
)


class World(ABC):
    """A channel and its receiver.

    Attributes:
        channel: what is tested.
        story: what the receiver shows of a page that was triggered, updated, acknowledged and resolved.
    """

    channel: Channel
    story: tuple[str, ...]

    @abstractmethod
    def told(self, page: str, count: int) -> tuple[str, ...]:
        """What the receiver shows of a page, in order, once that is so much."""

    @abstractmethod
    def incidents(self, page: str) -> int:
        """How many incidents people see under this page."""


class FaultWorld(World):
    """With a stand-in, and with secrets.

    Attributes:
        receiver: the stand-in.
        file: the file of the secret.
        secrets: what must not be said.
    """

    receiver: Receiver
    file: Path
    secrets: tuple[str, ...]

    @abstractmethod
    def rotate(self) -> None:
        """Let the receiver take another key alone, and lay that into the file."""

    @abstractmethod
    def texts(self, body: object) -> list[str]:
        """The texts of a taken request that people read, as they are before the receiver shows them."""


def example(kind: Kind = Kind.TRIGGER, page: str = "", number: int = 1, **changes: object) -> Notice:
    """A page as the demo's straggler makes it."""
    page = page or fresh()
    now = time.time()
    fields: dict[str, object] = {
        "id": f"{page}-{number}",
        "page": page,
        "number": number,
        "kind": kind,
        "about": About.STRAGGLER,
        "cluster": "trn-a",
        "node": "node-17",
        "instance": "i-0abc",
        "job": "llama_7b",
        "team": "training",
        "severity": Severity.WARNING,
        "first_severity": Severity.WARNING,
        "time": now,
        "since": now - 300,
        "summary": "node-17 slows llama_7b: 31 % slower than its peers",
        "details": (
            Detail("where", "trn-a, node-17 (i-0abc)"),
            Detail("cost", "12 node-hours, 24 % of its speed"),
        ),
        "approve": "guard approve inc-0a1b2c",
        "look": "guard explain node-17",
        "runbook": "straggler",
        "runbook_url": "https://docs.example.com/runbooks/straggler",
        "incident": "inc-0a1b2c",
    }
    return Notice(**{**fields, **changes})  # type: ignore[arg-type]


def fresh() -> str:
    """A page of the test's own."""
    return f"page-{uuid.uuid4().hex[:12]}"


class LifeContract:
    """A page's life."""

    def test_a_page_is_told_from_trigger_to_resolve_in_order_under_one_key(self, world):
        page = fresh()
        for number, kind in enumerate((Kind.TRIGGER, Kind.UPDATE, Kind.ACKNOWLEDGE, Kind.RESOLVE), 1):
            world.channel.send(example(kind, page, number), PATIENCE)
            if number == 1:
                assert world.told(page, 1) == world.story[:1]
        assert world.told(page, len(world.story)) == world.story
        assert world.incidents(page) == 1

    def test_the_same_notice_twice_is_one_incident(self, world):
        notice = example()
        for _ in range(2):
            world.channel.send(notice, PATIENCE)
        assert world.incidents(notice.page) == 1

    def test_a_page_of_which_all_that_may_change_does_stays_one_incident(self, world):
        page = fresh()
        world.channel.send(example(Kind.TRIGGER, page, instance=None), PATIENCE)
        changes = {"severity": Severity.CRITICAL, "job": "vit", "team": "vision", "instance": "i-1"}
        changes |= {"summary": "worse", "details": (), "approve": None, "incident": "inc-2", "runbook": "proposed"}
        world.channel.send(example(Kind.UPDATE, page, 2, since=time.time() - 900, **changes), PATIENCE)
        assert world.incidents(page) == 1

    def test_two_pages_of_one_node_are_two_incidents(self, world):
        pages = fresh(), fresh()
        for page in pages:
            world.channel.send(example(Kind.TRIGGER, page), PATIENCE)
        assert [world.incidents(page) for page in pages] == [1, 1]

    def test_a_notice_with_nothing_but_what_is_needed_is_taken(self, world):
        nothing = dict.fromkeys(
            ("node", "instance", "job", "team", "approve", "look", "runbook_url", "incident"),
        )
        notice = example(details=(), **nothing)
        world.channel.send(notice, PATIENCE)
        assert world.incidents(notice.page) == 1

    def test_hostile_text_and_the_largest_notice_are_taken(self, world):
        for notice in (hostile(), largest()):
            world.channel.send(notice, PATIENCE)
            assert world.incidents(notice.page) == 1


class FaultContract:
    """A receiver that fails, and words about it."""

    @pytest.mark.parametrize("fault", [Fault.REFUSE, Fault.ECHO])
    def test_a_refusal_is_final_and_was_asked_once(self, world, fault):
        world.receiver.fail(fault)
        with pytest.raises(RefusedError):
            world.channel.send(example(), PATIENCE)
        assert world.receiver.requests == 1

    @pytest.mark.parametrize("fault", UNAVAILABLE)
    def test_all_else_may_be_tried_again_is_over_in_time_and_asked_once(self, world, fault):
        world.receiver.fail(fault)
        began = time.monotonic()
        with pytest.raises(UnavailableError):
            world.channel.send(example(), TIMEOUT)
        assert time.monotonic() - began < TIMEOUT + _SPARE
        assert world.receiver.requests == 1
        notice = example()
        world.channel.send(notice, PATIENCE)
        assert world.incidents(notice.page) == 1

    @pytest.mark.parametrize(
        ("fault", "seconds"), [(Fault.LIMIT, 7), (Fault.LIMIT_DATE, 3600), (Fault.FAIL, None)]
    )
    def test_the_receiver_says_how_long_to_wait_up_to_an_hour(self, world, fault, seconds):
        world.receiver.fail(fault)
        with pytest.raises(UnavailableError) as caught:
            world.channel.send(example(), PATIENCE)
        assert caught.value.retry_after == seconds

    def test_a_receiver_that_is_gone_and_comes_back(self, world):
        world.receiver.__exit__()
        with pytest.raises(UnavailableError):
            world.channel.send(example(), TIMEOUT)

    def test_a_lost_answer_and_the_repeat_are_one_incident(self, world):
        notice = example()
        world.receiver.fail(Fault.LOSE)
        with pytest.raises(UnavailableError):
            world.channel.send(notice, PATIENCE)
        world.channel.send(notice, PATIENCE)
        assert world.incidents(notice.page) == 1

    def test_a_name_server_that_hangs_holds_nobody_and_nothing_is_sent_late(self, world, monkeypatch):
        answer, resolve = threading.Event(), socket.getaddrinfo

        def hang(*arguments: object, **options: object) -> object:
            answer.wait(PATIENCE)
            return resolve(*arguments, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(socket, "getaddrinfo", hang)
        before = set(threading.enumerate())
        began = time.monotonic()
        for _ in range(2):
            with pytest.raises(UnavailableError):
                world.channel.send(example(), TIMEOUT)
        assert time.monotonic() - began < 2 * (TIMEOUT + _SPARE)
        answer.set()
        late = [one for one in threading.enumerate() if one not in before and one.name == "guard-request"]
        assert len(late) == 1
        for thread in late:
            thread.join(PATIENCE)
        assert world.receiver.taken == []

    @pytest.mark.parametrize("fault", [*UNAVAILABLE, Fault.ECHO, Fault.REFUSE, Fault.OTHER, None])
    def test_no_secret_is_said_in_errors_or_logged_at_any_level(self, world, fault, caplog):
        caplog.set_level(logging.DEBUG)
        if fault is not None:
            world.receiver.fail(fault)
        said = ""
        try:
            world.channel.send(example(), TIMEOUT)
        except ChannelError as error:
            said = "".join(traceback.format_exception(error)) + repr(error)
        said += "".join(record.getMessage() + str(record.exc_text) for record in caplog.records) + caplog.text
        assert [secret for secret in world.secrets if secret in said] == []
        assert harmless(said.replace("\n", "")) == said.replace("\n", "")

    def test_a_new_key_is_used_from_the_next_send_on(self, world):
        first, second = example(), example()
        world.channel.send(first, PATIENCE)
        world.rotate()
        world.channel.send(second, PATIENCE)
        assert world.incidents(second.page) == 1

    @pytest.mark.parametrize("content", [None, "", "first-secret\nsecond-secret\n", "a\x00b", "x" * 5000])
    def test_a_secret_that_is_lost_is_said_by_its_file_alone(self, world, content):
        if content is None:
            world.file.unlink()
        else:
            world.file.write_text(content)
        with pytest.raises(UnavailableError, match=world.file.name) as caught:
            world.channel.send(example(), PATIENCE)
        assert not content or content.split("\n")[0] not in str(caught.value)
        assert world.receiver.requests == 0

    def test_a_request_says_who_asks_and_wants_its_answer_as_it_is(self, world):
        world.channel.send(example(), PATIENCE)
        headers = world.receiver.headers
        assert headers["user-agent"].startswith("guard")
        assert (headers["accept-encoding"], headers["connection"]) == ("identity", "close")

    def test_what_is_hostile_arrives_as_text(self, world):
        world.channel.send(hostile(), PATIENCE)
        assert world.receiver.problems == []
        texts = world.texts(world.receiver.taken[-1].body)
        assert any("script" in text for text in texts)
        assert all(harmless(line) == line for text in texts for line in text.split("\n"))

    def test_the_largest_notice_arrives_whole_or_visibly_cut(self, world):
        world.channel.send(largest(), PATIENCE)
        assert world.receiver.problems == []
        assert world.texts(world.receiver.taken[-1].body)


def hostile() -> Notice:
    """All names and texts from somebody who means harm, made printable as the core does."""
    texts = dict.fromkeys(("cluster", "node", "instance", "job", "team", "approve", "look"), HOSTILE)
    details = (Detail(HOSTILE, HOSTILE), Detail("evidence", "x" * 10_000), Detail("evidence", HOSTILE * 40))
    return example(summary=HOSTILE[:200], details=details, **texts)


def largest() -> Notice:
    """More than any receiver takes, of characters that take the most room in JSON."""
    return example(summary="🔥" * 200, details=tuple(Detail(f"Detail {n}", "🔥&<" * 10_000) for n in range(100)))
