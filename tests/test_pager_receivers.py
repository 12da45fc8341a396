"""The stand-ins are as strict as what they stand for, and work as a process that is killed, too."""

import json
import subprocess
import sys
import time

import httpx
import pytest

from tests import pager_schemas as schemas
from tests.pager_receivers import ROUTING_KEY, PagerDutyReceiver, SlackReceiver

EVENT = {
    "routing_key": ROUTING_KEY,
    "event_action": "trigger",
    "dedup_key": "page-1",
    "payload": {"summary": "slow", "source": "node-17", "severity": "warning"},
}


@pytest.mark.parametrize(
    "change",
    [
        {"more": 1},
        {"routing_key": "short"},
        {"routing_key": "9" * 32},
        {"event_action": "close"},
        {"dedup_key": "k" * 256},
        {"payload": None},
        {"event_action": "resolve", "dedup_key": None},
        {"payload": {**EVENT["payload"], "severity": "fatal"}},
        {"payload": {**EVENT["payload"], "summary": "x" * 1025}},
        {"payload": {**EVENT["payload"], "summary": ""}},
        {"payload": {**EVENT["payload"], "timestamp": "yesterday"}},
        {"payload": {**EVENT["payload"], "timestamp": "2026-01-01T00:00:00"}},
        {"payload": {**EVENT["payload"], "node": "more"}},
        {"payload": {"summary": "slow", "severity": "warning"}},
        {"links": [{"href": "javascript:alert(1)"}]},
    ],
)
def test_pagerduty_refuses_what_its_documents_do_not_allow(change):
    with PagerDutyReceiver() as receiver:
        assert httpx.post(receiver.url, json={**EVENT, **change}).status_code == 400
        assert receiver.taken == []
        assert len(receiver.problems) == 1
        answer = httpx.post(receiver.url, json=EVENT)
        assert (answer.status_code, answer.json()["dedup_key"]) == (202, "page-1")


def test_pagerduty_refuses_what_is_too_large():
    with PagerDutyReceiver() as receiver:
        large = {**EVENT, "payload": {**EVENT["payload"], "custom_details": {"a": "x" * 512_000}}}
        assert httpx.post(receiver.url, json=large).status_code == 413


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"text": ""},
        {"text": "a", "colour": "red"},
        {"text": "a", "blocks": [{"type": "divider2"}]},
        {"text": "a", "blocks": [{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}]},
        {"text": "a", "blocks": [{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}]},
        {"text": "a", "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}]},
        {"text": "a", "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "x"}}] * 51},
        {"text": "a", "blocks": [{"type": "context", "elements": []}]},
    ],
)
def test_slack_refuses_what_its_documents_do_not_allow(message):
    with SlackReceiver() as receiver:
        assert httpx.post(receiver.url, json=message).status_code == 400
        assert httpx.post(receiver.url + "x", json={"text": "a"}).status_code == 404
        assert httpx.post(receiver.url, json={"text": "a"}).text == "ok"


def test_mentions_are_found():
    assert schemas.special("a <!channel> b <@U1> &lt;") == ["<!channel>", "<@U1>"]


def test_as_a_process_it_leaves_a_line_for_each_request_taken_and_survives_its_kill(tmp_path):
    log = tmp_path / "taken"
    command = [
        sys.executable,
        "-m",
        "tests.pager_receivers",
        "pagerduty",
        "--log",
        str(log),
        "--fail",
        "fail,lose",
    ]
    for number in (1, 2):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            url = process.stdout.readline().strip()
            assert httpx.post(url, json=EVENT).status_code == 500
            with pytest.raises(httpx.TransportError):
                httpx.post(url, json=EVENT)
            process.kill()
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        assert [(line["action"], line["key"]) for line in lines] == [("trigger", "page-1")] * number
        assert abs(lines[-1]["time"] - time.time()) < 60
