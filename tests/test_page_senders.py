"""Sending: no channel delays another, order holds, what fails is tried again, and what is refused is told."""

import logging
import threading
import time
from queue import SimpleQueue

import pytest

from guard.page import senders
from guard.page.metrics import Metrics
from guard.page.outbox import Outbox, contents
from guard.page.senders import Sender
from remediation.alerts.notice import Kind
from remediation.alerts.opening import open_channel
from remediation.alerts.protocol import SetupError
from remediation.alerts.settings import Alertmanager, PagerDuty, Slack, Webhook
from tests.page_notices import notice
from tests.pager_receivers import (
    ROUTING_KEY,
    SIGNING_KEY,
    AlertmanagerReceiver,
    Fault,
    PagerDutyReceiver,
    SlackReceiver,
    WebhookReceiver,
)

TRIGGER, UPDATE, ACKNOWLEDGE, RESOLVE = Kind
LIFE = (notice(), notice(number=2, kind=ACKNOWLEDGE), notice(number=3, kind=RESOLVE))


class Office:
    """An outbox and its senders, as the service has them."""

    def __init__(self, directory, metrics):
        self.directory, self.metrics = directory, metrics
        self.outbox = Outbox(directory / "page.sqlite")
        self.outbox.begin(b"", {}, 0.0)
        self.stop, self.news = threading.Event(), SimpleQueue()
        self.senders = {}

    def add(self, name, choice, *, opener=open_channel, refusal_stands=0.5):
        self.senders[name] = Sender(
            name,
            lambda: opener(name, choice),
            self.outbox,
            self.news,
            self.stop,
            metrics=self.metrics,
            refusal_stands=refusal_stands,
        )
        self.senders[name].start()

    def put(self, name, *letters):
        self.outbox.commit(b"", {}, [(name, letter) for letter in letters], time.time())
        self.senders[name].wake()

    def file(self, name, secret):
        path = self.directory / name
        path.write_text(secret + "\n")
        path.chmod(0o600)
        return str(path)

    def pagerduty(self, receiver):
        return PagerDuty(key_file=self.file("key", ROUTING_KEY), url=receiver.origin)

    def slack(self, receiver, **more):
        return Slack(url_file=self.file("url", receiver.url), **more)

    def webhook(self, receiver):
        return Webhook(url=receiver.url, secret_file=self.file("secret", SIGNING_KEY))

    def until(self, condition, seconds=15.0):
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def empty(self):
        self.until(lambda: self.outbox.queues() == {})

    def end(self):
        self.stop.set()
        for sender in self.senders.values():
            sender.wake()
        left = [name for name, sender in self.senders.items() if not sender.join(12)]
        self.outbox.close()
        return left


@pytest.fixture
def office(tmp_path, monkeypatch):
    monkeypatch.setattr(senders, "_FIRST", 0.1)
    monkeypatch.setattr(senders, "WITHIN", 1.0)
    office = Office(tmp_path, Metrics())
    yield office
    assert office.end() == []


def actions(taken):
    return [(one.key, one.action) for one in taken]


def test_every_channel_gets_the_life_of_a_page_in_order(office):
    with PagerDutyReceiver() as pagerduty, WebhookReceiver() as webhook:
        office.add("oncall", office.pagerduty(pagerduty))
        office.add("hook", office.webhook(webhook))
        office.put("oncall", *LIFE)
        office.put("hook", *LIFE)
        assert pagerduty.wait(lambda taken: len(taken) == 3)
        assert webhook.wait(lambda taken: len(taken) == 3)
        office.empty()
        assert pagerduty.incidents() == [("p1", ["trigger", "acknowledge", "resolve"])]
        assert actions(webhook.taken) == [("p1", "trigger"), ("p1", "acknowledge"), ("p1", "resolve")]


@pytest.mark.parametrize("fault", [Fault.FAIL, Fault.DROP, Fault.HANG, Fault.GARBAGE, Fault.LOSE])
def test_a_channel_that_fails_is_tried_again_and_gets_everything_in_order(office, fault):
    with PagerDutyReceiver() as receiver:
        receiver.fail(fault, fault)
        office.add("oncall", office.pagerduty(receiver))
        office.put("oncall", *LIFE)
        office.empty()
        assert receiver.incidents()[0][0] == "p1"
        firsts = [one.action for one in receiver.once]
        assert firsts == ["trigger", "acknowledge", "resolve"]
        assert len(receiver.incidents()) == 1  # what came twice had the same key
    tried = office.news.get(timeout=5)
    assert (tried.channel, tried.since is not None) == ("oncall", True)
    office.until(lambda: not office.news.empty())
    while not office.news.empty():
        tried = office.news.get()
    assert tried.since is None


@pytest.mark.alone
@pytest.mark.parametrize("fault", [Fault.HANG, Fault.FAIL, Fault.DRIP])
def test_a_channel_that_is_down_delays_no_other(office, fault):
    with PagerDutyReceiver() as down, WebhookReceiver() as up:
        down.fail_always(fault)
        office.add("down", office.pagerduty(down))
        office.add("up", office.webhook(up))
        waits = []
        for number in range(20):
            one = notice(f"p{number}")
            office.put("down", one)
            began = time.monotonic()
            office.put("up", one)
            up.wait(lambda taken, upto=number + 1: len(taken) == upto)
            waits.append(time.monotonic() - began)
        assert max(waits) < 2.0
        assert down.taken == []
        down.fail_always(None)
        down.wait(lambda taken: len(taken) == 20, 30)
        assert len({one.key for one in down.taken}) == 20


def test_a_refusal_is_final_told_and_holds_up_nothing_and_the_trouble_stands_for_a_while(office, tmp_path):
    with PagerDutyReceiver() as receiver:
        receiver.fail(Fault.REFUSE)
        office.add("oncall", office.pagerduty(receiver), refusal_stands=0.8)
        office.put("oncall", notice(), notice("p2"))
        assert [one.key for one in receiver.wait(lambda taken: len(taken) == 1)] == ["p2"]
        tried = office.news.get(timeout=5)
        assert "refused trigger of page p1" in tried.reason
        assert receiver.requests == 2
        office.empty()
        (left,) = contents(tmp_path / "page.sqlite").letters
        assert (left.notice.page, left.refused is not None) == ("p1", True)
        office.senders["oncall"].wake()
        assert office.news.empty()  # what it took at once is no reason to forget
        began = time.monotonic()
        while office.news.empty():
            office.senders["oncall"].wake()
            time.sleep(0.05)
            assert time.monotonic() - began < 5
        assert office.news.get().since is None


def test_a_receiver_that_asks_for_time_gets_it(office):
    with PagerDutyReceiver() as receiver:
        receiver.fail(Fault.LIMIT)
        office.add("oncall", office.pagerduty(receiver))
        office.put("oncall", notice())
        office.until(lambda: receiver.requests == 1)
        began = time.monotonic()
        receiver.wait(lambda taken: len(taken) == 1, 12)
        assert 6.0 < time.monotonic() - began < 9.0


def test_what_stands_is_told_again_and_ends_with_its_resolve(office):
    with AlertmanagerReceiver() as receiver:
        choice = Alertmanager(urls=[receiver.origin], repeat=5.0)

        def quick(name, choice):
            channel = open_channel(name, choice)
            type(channel).repeat = 0.3
            return channel

        repeat = type(open_channel("am", choice)).repeat
        try:
            office.add("am", choice, opener=quick)
            office.put("am", notice())
            receiver.wait(lambda taken: len(taken) == 3)
            office.put("am", notice(number=2, kind=RESOLVE))
            receiver.wait(lambda taken: taken[-1].action == "resolve")
            count = len(receiver.taken)
            time.sleep(1.2)  # a few repeats' time
            assert len(receiver.taken) == count
        finally:
            type(open_channel("am", choice)).repeat = repeat


def test_a_channel_that_wants_no_updates_hears_of_beginning_and_end(office):
    with SlackReceiver() as receiver:
        office.add("team", office.slack(receiver, updates=False))
        office.put("team", *LIFE)
        office.empty()
        assert len(receiver.taken) == 2


def test_slack_is_sent_no_more_than_a_message_a_second(office):
    with SlackReceiver() as receiver:
        office.add("team", office.slack(receiver))
        office.put("team", *LIFE)
        office.empty()
        times = [one.time for one in receiver.taken]
        assert times == sorted(times)
        assert times[2] - times[0] > 1.8


def test_a_channel_that_cannot_be_opened_is_in_trouble_until_it_can(office, monkeypatch):
    monkeypatch.setattr(senders, "_IDLE", 0.2)
    with PagerDutyReceiver() as receiver:
        ready = threading.Event()

        def opener(name, choice):
            if not ready.is_set():
                raise SetupError("key: cannot be read")
            return open_channel(name, choice)

        office.add("oncall", office.pagerduty(receiver), opener=opener)
        office.put("oncall", notice())
        assert office.news.get(timeout=5).reason == "key: cannot be read"
        ready.set()
        receiver.wait(lambda taken: len(taken) == 1)


def test_a_mistake_of_a_library_ends_no_thread_and_its_words_are_not_said(office, caplog):
    class Broken:
        interval, repeat, wants_updates = 0.0, None, True

        def send(self, notice, timeout):
            raise ValueError("https://hooks.example/secret")

        def close(self):
            pass

    caplog.set_level(logging.DEBUG)
    office.add("odd", None, opener=lambda name, choice: Broken())
    office.put("odd", notice())
    assert office.news.get(timeout=5).reason == "ValueError in sending"
    assert office.senders["odd"].alive
    assert "secret" not in caplog.text


def test_what_could_not_be_marked_is_marked_before_anything_else_is_sent(office, monkeypatch):
    monkeypatch.setattr(senders, "_DISK", 0.05)
    with PagerDutyReceiver() as receiver:
        refusals = iter(range(3))
        sent = office.outbox.sent

        def full(*arguments):
            if next(refusals, None) is not None:
                raise senders.OutboxError("the disk is full")
            sent(*arguments)

        monkeypatch.setattr(office.outbox, "sent", full)
        office.add("oncall", office.pagerduty(receiver))
        office.put("oncall", *LIFE)
        office.empty()
        assert [one.action for one in receiver.taken] == ["trigger", "acknowledge", "resolve"]
