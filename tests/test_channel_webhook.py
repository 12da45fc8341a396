"""The signed webhook: the contract, and the signature."""

import base64
import hashlib
import hmac
import json
import re
from pathlib import Path

import msgspec
import pytest

from remediation.alerts.notice import Notice
from remediation.alerts.opening import open_channel
from remediation.alerts.protocol import RefusedError, SetupError
from remediation.alerts.settings import Webhook
from remediation.alerts.webhook import WebhookChannel, signature
from tests.channel_contract import PATIENCE, FaultContract, FaultWorld, LifeContract, example
from tests.pager_receivers import SIGNING_KEY, Fault, WebhookReceiver

OTHER_KEY = "whsec_" + base64.b64encode(b"another key of thirty-two bytes!").decode()


class WebhookWorld(FaultWorld):
    story = ("trigger", "update", "acknowledge", "resolve")
    secrets = (SIGNING_KEY, SIGNING_KEY.removeprefix("whsec_"), "pathsecret")

    def __init__(self, directory, receiver):
        receiver.path = "/guard/pathsecret"
        self.receiver, self.file = receiver, directory / "signing-key"
        self.file.write_text(f"{SIGNING_KEY}\n")
        (directory / "url").write_text(f"{receiver.origin}/guard/pathsecret")
        self.channel = open_channel("tools", Webhook(url_file=str(directory / "url"), secret_file=str(self.file)))

    def told(self, page, count):
        taken = self.receiver.wait(lambda taken: sum(one.key == page for one in taken) >= count)
        return tuple(one.action for one in taken if one.key == page)

    def incidents(self, page):
        return sum(one.key == page and one.body["number"] == 1 for one in self.receiver.once)

    def rotate(self):
        self.receiver.key = OTHER_KEY
        self.file.write_text(OTHER_KEY)

    def texts(self, body):
        return [body["summary"], body["node"], *(detail["text"] for detail in body["details"])]


@pytest.fixture
def world(tmp_path):
    with WebhookReceiver() as receiver:
        world = WebhookWorld(tmp_path, receiver)
        yield world
        world.channel.close()


class TestLife(LifeContract):
    pass


class TestFaults(FaultContract):
    pass


def test_the_notice_arrives_as_it_is(world):
    notice = example()
    world.channel.send(notice, PATIENCE)
    body = world.receiver.taken[0].body
    assert set(body) == set(Notice.__struct_fields__)
    assert (body["schema"], body["page"], body["kind"]) == ("guard.page/1", notice.page, "trigger")


def test_the_example_of_the_specification_verifies():
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    assert (
        signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body)
        == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


def test_a_changed_body_does_not_verify(world):
    world.channel.send(example(), PATIENCE)
    headers = world.receiver.headers
    body = json.dumps(world.receiver.taken[0].body).encode()
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = hmac.new(base64.b64decode(SIGNING_KEY.removeprefix("whsec_")), signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] != "v1," + base64.b64encode(digest).decode()


def test_the_stamp_is_of_the_sending_so_that_a_late_notice_is_not_too_old(world):
    world.channel.send(example(time=1_700_000_000.0), PATIENCE)
    assert len(world.receiver.taken) == 1


def test_a_stamp_that_is_too_old_is_refused(world, tmp_path):
    choice = Webhook(url=world.receiver.url, secret_file=str(tmp_path / "signing-key"))
    with pytest.raises(RefusedError, match="too old"):
        WebhookChannel("tools", choice, {}, clock=lambda: 1_700_000_000.0).send(example(), PATIENCE)


def test_a_url_that_is_no_secret_is_told_by_its_host(world, tmp_path):
    choice = Webhook(url=world.receiver.url, secret_file=str(tmp_path / "signing-key"), updates=False)
    channel = open_channel("tools", choice)
    assert not channel.wants_updates
    world.receiver.fail(Fault.GONE)
    with pytest.raises(RefusedError, match=rf"webhook tools \({world.receiver.origin}\): it answered 410"):
        channel.send(example(), PATIENCE)


@pytest.mark.parametrize("key", ["whsec_", "whsec_abc", "whsec_!!!!", base64.b64encode(b"x" * 32).decode()])
def test_a_key_that_is_none_is_said_without_it(tmp_path, key):
    (tmp_path / "signing-key").write_text(key)
    with pytest.raises(SetupError, match="signing-key: expected whsec_ and the base64 of 24 to 64 bytes"):
        open_channel("tools", Webhook(url="https://tools.example.com/", secret_file=str(tmp_path / "signing-key")))


def test_the_documentation_is_true(world):
    text = (Path(__file__).parents[1] / "docs" / "channels.md").read_text("utf-8")
    code, shown = (re.search(rf"```{kind}\n(.*?)```", text, re.DOTALL)[1] for kind in ("python", "json"))
    assert set(json.loads(shown)) == set(Notice.__struct_fields__)
    names: dict = {}
    exec(code, names)  # noqa: S102 - our own documentation
    notice = msgspec.json.decode(shown, type=Notice)
    world.channel.send(notice, PATIENCE)
    headers, body = world.receiver.headers, msgspec.json.encode(notice)
    assert names["verified"](headers, body, SIGNING_KEY)
    assert not names["verified"](headers, body + b" ", SIGNING_KEY)
    assert not names["verified"]({**headers, "webhook-timestamp": "1700000000"}, body, SIGNING_KEY)
