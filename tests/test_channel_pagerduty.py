"""PagerDuty: the contract, and what is special to the Events API."""

import pytest

from detectors.verdict import Severity
from remediation.alerts.notice import Kind
from remediation.alerts.opening import open_channel
from remediation.alerts.protocol import RefusedError, SetupError, UnavailableError
from remediation.alerts.settings import PagerDuty
from tests import pager_schemas as schemas
from tests.channel_contract import PATIENCE, FaultContract, FaultWorld, LifeContract, example, fresh
from tests.pager_receivers import ROUTING_KEY, Fault, PagerDutyReceiver


class PagerDutyWorld(FaultWorld):
    story = ("trigger", "trigger", "acknowledge", "resolve")
    secrets = (ROUTING_KEY, ROUTING_KEY[-4:])

    def __init__(self, directory, receiver):
        self.receiver, self.file = receiver, directory / "routing-key"
        self.file.write_text(f"{ROUTING_KEY}\n")
        self.channel = open_channel("oncall", PagerDuty(key_file=str(self.file), url=receiver.origin))

    def told(self, page, count):
        self.receiver.wait(lambda taken: sum(one.key == page for one in taken) >= count)
        return tuple(one.action for one in self.receiver.taken if one.key == page)

    def incidents(self, page):
        return sum(key == page for key, _ in self.receiver.incidents())

    def rotate(self):
        self.receiver.key = "9" * 32
        self.file.write_text("9" * 32)

    def texts(self, body):
        payload = body["payload"]
        return [
            payload["summary"],
            payload["source"],
            *payload["custom_details"],
            *payload["custom_details"].values(),
        ]


@pytest.fixture
def world(tmp_path):
    with PagerDutyReceiver() as receiver:
        world = PagerDutyWorld(tmp_path, receiver)
        yield world
        world.channel.close()


class TestLife(LifeContract):
    pass


class TestFaults(FaultContract):
    pass


def test_an_event_says_what_where_since_when_and_what_to_do(world):
    notice = example(severity=Severity.CRITICAL, time=1_700_000_000.25)
    world.channel.send(notice, PATIENCE)
    body = world.receiver.taken[0].body
    assert (body["event_action"], body["dedup_key"]) == ("trigger", notice.page)
    assert body["links"] == [{"href": notice.runbook_url, "text": "Runbook: straggler"}]
    assert body["payload"] == {
        "summary": notice.summary,
        "source": "i-0abc",
        "severity": "critical",
        "timestamp": "2023-11-14T22:13:20.250Z",
        "component": "node-17",
        "group": "trn-a",
        "class": "straggler",
        "custom_details": {
            "approve": "guard approve inc-0a1b2c",
            "look": "guard explain node-17",
            "runbook": "guard runbook straggler",
            "where": "trn-a, node-17 (i-0abc)",
            "cost": "12 node-hours, 24 % of its speed",
        },
    }


def test_a_page_resolved_and_triggered_again_is_a_second_incident(world):
    page = fresh()
    for number, kind in enumerate((Kind.TRIGGER, Kind.RESOLVE, Kind.TRIGGER), 1):
        world.channel.send(example(kind, page, number), PATIENCE)
    assert world.incidents(page) == 2


def test_a_wrong_key_is_said_by_pagerduty_and_told_without_it(world):
    world.receiver.key = "8" * 32
    with pytest.raises(Exception, match=r"PagerDuty oncall .* it answered 400: Invalid routing key"):
        world.channel.send(example(), PATIENCE)


def test_a_page_of_somebody_else_is_no_success(world):
    world.receiver.fail(Fault.OTHER)
    with pytest.raises(UnavailableError, match="something else"):
        world.channel.send(example(), PATIENCE)


def test_a_key_is_not_sent_without_tls_to_another_machine(tmp_path):
    (tmp_path / "key").write_text(ROUTING_KEY)
    with pytest.raises(SetupError, match=r"page\.channels\.oncall\.url: expected https"):
        open_channel("oncall", PagerDuty(key_file=str(tmp_path / "key"), url="http://events.example.com"))


def test_an_answer_for_another_key_is_no_success(world):
    world.receiver.answer = lambda _: b'{"status": "success", "dedup_key": "another"}'
    with pytest.raises(UnavailableError, match="another key"):
        world.channel.send(example(), PATIENCE)


def test_a_key_that_comes_back_is_not_said(world):
    def refuse(headers, body):
        raise schemas.WrongError(400, f"no service has the key {ROUTING_KEY}")

    world.receiver.examine = refuse
    with pytest.raises(RefusedError, match=r"no service has the key \(secret\)$"):
        world.channel.send(example(), PATIENCE)
