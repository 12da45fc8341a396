"""Slack: the contract, and that nothing in a message is a mention, a link or a format but our own."""

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.verdict import Severity
from remediation.alerts.notice import Detail, Kind
from remediation.alerts.opening import open_channel
from remediation.alerts.protocol import RefusedError, SetupError, UnavailableError
from remediation.alerts.settings import Slack
from remediation.alerts.slack import inert, message
from tests import pager_schemas as schemas
from tests.channel_contract import PATIENCE, FaultContract, FaultWorld, LifeContract, example, hostile, largest
from tests.pager_receivers import SLACK_PATH, Fault, SlackReceiver


class SlackWorld(FaultWorld):
    story = ("🟠 Warning", "🟠 Update, warning", "🟠 Acknowledged", "🟢 Resolved")
    secrets = (SLACK_PATH, SLACK_PATH.rpartition("/")[2], "T00000000", "B00000000")

    def __init__(self, directory, receiver):
        self.receiver, self.file = receiver, directory / "slack-url"
        self.file.write_text(f"{receiver.url}\n")
        self.channel = open_channel("team", Slack(url_file=str(self.file)))

    def told(self, page, count):
        taken = self.receiver.wait(lambda taken: sum(page in str(one.body) for one in taken) >= count)
        return tuple(one.action.partition(":")[0] for one in taken if page in str(one.body))

    def incidents(self, page):
        # Slack knows no incidents: people see one by its page, which is in each message.
        return int(any(page in str(one.body) for one in self.receiver.taken))

    def rotate(self):
        self.receiver.path = SLACK_PATH + "2"
        self.file.write_text(self.receiver.url)

    def texts(self, body):
        return schemas.slack(msgspec.json.encode(body)).markup()


@pytest.fixture
def world(tmp_path):
    with SlackReceiver() as receiver:
        world = SlackWorld(tmp_path, receiver)
        yield world
        world.channel.close()


class TestLife(LifeContract):
    pass


class TestFaults(FaultContract):
    pass


def acted_on(sent):
    """What Slack would make of the markup of a message, our own formats and the runbook's link aside."""
    found = []
    for text in schemas.slack(msgspec.json.encode(sent)).markup():
        found += [one for one in schemas.special(text) if not one.startswith("<https://docs.example.com/")]
        shown = re.sub(r"`[^`\n]*`|<https://docs[^>]*>", "", text)
        shown = re.sub(r"^\*[^*\n]*\*: ", "", shown, flags=re.MULTILINE)
        found += re.findall(r"[*~`@<>]|://|(?<!\w)_|_(?!\w)", shown)
    return found


@pytest.mark.parametrize("notice", [example(), hostile(), largest()])
def test_nothing_from_outside_is_a_mention_a_link_or_a_format(notice):
    assert acted_on(message(notice)) == []


@given(
    text=st.text(alphabet=st.sampled_from("<>!@#&*_~`|:/ \n\r\tab1.\\🔥\u202e\u200b"), min_size=1, max_size=400)
)
def test_no_text_whatever_is_acted_on(text):
    sent = message(example(summary=text[:200], details=(Detail(text[:50], text),), approve=text, cluster=text))
    assert acted_on(sent) == []


def test_names_stay_as_they_are():
    assert inert("node_17 of llama_7b-v2.1, 31 % (x=1)") == "node_17 of llama_7b-v2.1, 31 % (x=1)"


def test_a_message_reads_what_where_and_what_to_do():
    blocks = message(example(severity=Severity.CRITICAL))["blocks"]
    assert blocks[0]["text"]["text"] == "🔴 Critical: node-17 slows llama_7b: 31 % slower than its peers"
    assert blocks[1]["text"]["text"] == (
        "*Where*: trn-a, node-17 (i-0abc)\n*Cost*: 12 node-hours, 24 % of its speed"
    )
    assert blocks[2]["text"]["text"] == ("*Approve*: `guard approve inc-0a1b2c`\n*Look*: `guard explain node-17`")
    assert "<https://docs.example.com/runbooks/straggler|runbook straggler>" in blocks[3]["elements"][0]["text"]


def test_details_beyond_the_limit_of_blocks_are_counted():
    details = tuple(Detail(f"Detail {number}", "x" * 600) for number in range(1000))
    blocks = message(example(details=details))["blocks"]
    assert len(blocks) <= 50
    assert blocks[-3]["text"]["text"] == "… and 770 more lines"


@pytest.mark.parametrize("status", [400, 403, 404, 410])
def test_what_slack_refuses_is_refused(world, status):
    def refuse(headers, body):
        raise schemas.WrongError(status, "no_service")

    world.receiver.examine = refuse
    with pytest.raises(RefusedError, match=f"Slack team: it answered {status}: no_service"):
        world.channel.send(example(), PATIENCE)


def test_a_page_of_somebody_else_is_no_success(world):
    world.receiver.fail(Fault.OTHER)
    with pytest.raises(UnavailableError, match="something else than ok"):
        world.channel.send(example(), PATIENCE)


def test_updates_are_told_or_not_and_messages_are_a_second_apart(world, tmp_path):
    assert world.channel.interval == 1.0
    assert world.channel.wants_updates
    assert not open_channel("quiet", Slack(url_file=str(tmp_path / "slack-url"), updates=False)).wants_updates


@pytest.mark.parametrize(
    "url",
    [
        "hooks.slack.com/services/T0/B0/keykeykey",
        "http://hooks.slack.com/keykeykey",
        "https://user:keykeykey@hooks.slack.com/",
        "https://hooks.slack.com:99999/keykeykey",
    ],
)
def test_a_file_that_holds_no_url_is_said_without_it(tmp_path, url):
    (tmp_path / "slack-url").write_text(url)
    with pytest.raises(SetupError, match="slack-url: expected") as caught:
        open_channel("team", Slack(url_file=str(tmp_path / "slack-url")))
    assert "keykeykey" not in str(caught.value)


def test_each_kind_has_its_mark():
    marks = {kind: message(example(kind))["text"][:1] for kind in Kind}
    assert marks == {Kind.TRIGGER: "🟠", Kind.UPDATE: "🟠", Kind.ACKNOWLEDGE: "🟠", Kind.RESOLVE: "🟢"}
