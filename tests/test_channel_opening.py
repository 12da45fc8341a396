"""Opening a channel, its secrets, the heartbeat, TLS, and what a process with all its logs on says."""

import os
import socket
import ssl
import subprocess
import sys
import time

import pytest

from remediation.alerts.answer import retry_after, words
from remediation.alerts.credentials import Secret
from remediation.alerts.heartbeat import beat
from remediation.alerts.opening import open_channel, read_secret
from remediation.alerts.protocol import RefusedError, SetupError, UnavailableError
from remediation.alerts.settings import Alertmanager, PagerDuty, Slack, Webhook
from tests.channel_contract import PATIENCE, TIMEOUT, UNAVAILABLE, example
from tests.pager_receivers import (
    ROUTING_KEY,
    SIGNING_KEY,
    Fault,
    HeartbeatReceiver,
    PagerDutyReceiver,
    SlackReceiver,
    WebhookReceiver,
)
from tools.kafka.certificates import Authority


def test_a_secret_is_one_line_without_the_space_around_it(tmp_path):
    (tmp_path / "key").write_text("  the key \r\n\n")
    assert read_secret(str(tmp_path / "key"), {}) == "the key"


def test_a_relative_name_is_looked_for_among_systemds_credentials_first(tmp_path, monkeypatch):
    (tmp_path / "credentials").mkdir()
    (tmp_path / "key").write_text("here")
    monkeypatch.chdir(tmp_path)
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path / "credentials")}
    assert read_secret("key", environment) == "here"
    (tmp_path / "credentials" / "key").write_text("there")
    assert read_secret("key", environment) == "there"
    assert read_secret(str(tmp_path / "key"), environment) == "here"


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "found nothing"),
        (b" \n", "found nothing"),
        (b"topsecret\ntopsecret2\n", "found several"),
        (b"topsecret\x1b[31m", "unprintable"),
        (b"topsecret\xff", "no text"),
        (b"topsecret" * 600, "more than 4096 bytes"),
    ],
)
def test_what_is_no_secret_is_said_by_its_file_and_never_by_its_content(tmp_path, content, found):
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(SetupError, match=found) as caught:
        read_secret(str(tmp_path / "key"), {})
    assert str(tmp_path / "key") in str(caught.value)
    assert "topsecret" not in str(caught.value)


def test_what_is_no_file_is_said_and_never_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name, said in (("pipe", "expected a file"), ("", "Is a directory"), ("gone", "cannot be read: No such")):
        with pytest.raises(SetupError, match=said):
            read_secret(str(tmp_path / name), {})


def test_a_secret_for_all_to_read_is_warned_of(tmp_path, caplog):
    (tmp_path / "key").write_text("topsecret")
    (tmp_path / "key").chmod(0o640)
    Secret(str(tmp_path / "key"), {})
    assert caplog.text == ""
    (tmp_path / "key").chmod(0o644)
    Secret(str(tmp_path / "key"), {})
    assert "everybody on this machine may read" in caplog.text
    assert "topsecret" not in caplog.text


@pytest.mark.parametrize(
    ("choice", "library"),
    [
        (PagerDuty(key_file="key"), "pagerduty"),
        (Slack(url_file="key"), "httpx"),
        (Webhook(url="https://a.example", secret_file="key"), "httpx"),  # noqa: S106
        (Alertmanager(urls=["https://a.example"]), "httpx"),
    ],
)
def test_without_its_library_a_channel_says_what_to_install(choice, library, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    for module in [name for name in sys.modules if name.startswith("remediation.alerts.")]:
        if module.rpartition(".")[2] in ("pagerduty", "slack", "webhook", "alertmanager", "http"):
            monkeypatch.delitem(sys.modules, module)
    with pytest.raises(SetupError, match=rf"oncall needs {library}: pip install 'trn-guard\[page\]'"):
        open_channel("oncall", choice)


def test_without_its_file_a_channel_does_not_open(tmp_path):
    for choice in (PagerDuty(key_file=str(tmp_path / "no")), Slack(url_file=str(tmp_path / "no"))):
        with pytest.raises(SetupError, match="no: cannot be read"):
            open_channel("oncall", choice)


def test_a_url_that_cannot_be_is_said_at_once(tmp_path):
    with pytest.raises(SetupError, match=r"page\.channels\.alerts\.urls: expected a URL"):
        open_channel("alerts", Alertmanager(urls=["http://a:99999"]))


def test_a_host_that_is_none_is_unavailable():
    channel = open_channel("alerts", Alertmanager(urls=[f"http://{'a' * 70}.example"]))
    with pytest.raises(UnavailableError):
        channel.send(example(), PATIENCE)
    channel.close()


def test_a_heartbeat_is_one_post(tmp_path):
    with HeartbeatReceiver() as receiver:
        beat(receiver.url, PATIENCE)
        assert [one.action for one in receiver.taken] == ["beat"]
        assert receiver.headers["user-agent"].startswith("guard/")


@pytest.mark.parametrize("fault", [*UNAVAILABLE, Fault.ECHO, Fault.GONE])
def test_a_heartbeat_that_fails_is_over_in_time_and_tells_no_url(fault):
    with HeartbeatReceiver() as receiver:
        receiver.fail(fault)
        began = time.monotonic()
        with pytest.raises((RefusedError, UnavailableError)) as caught:
            beat(receiver.url, TIMEOUT)
        assert time.monotonic() - began < TIMEOUT + 1
        assert "heartbeatsecret" not in str(caught.value)


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "authority")


@pytest.fixture
def tls(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    identity = authority.issue("receiver", hosts=["127.0.0.1"])
    context.load_cert_chain(identity.certificate, identity.key)
    return context


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(tmp_path, tls):
    (tmp_path / "key").write_text(ROUTING_KEY)
    with PagerDutyReceiver(tls=tls) as receiver:
        channel = open_channel("oncall", PagerDuty(key_file=str(tmp_path / "key"), url=receiver.origin))
        with pytest.raises(UnavailableError, match="certificate verify failed"):
            channel.send(example(), PATIENCE)
        channel.close()


def test_with_a_certificate_that_is_vouched_for_all_is_over_in_time_too(tmp_path, authority, tls, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    (tmp_path / "key").write_text(ROUTING_KEY)
    with PagerDutyReceiver(tls=tls) as receiver, SlackReceiver(tls=tls) as slack:
        (tmp_path / "url").write_text(slack.url)
        channel = open_channel("oncall", PagerDuty(key_file=str(tmp_path / "key"), url=receiver.origin))
        team = open_channel("team", Slack(url_file=str(tmp_path / "url")))
        for one, there in ((channel, receiver), (team, slack)):
            for fault in (Fault.DRIP, Fault.DRIP_BODY, Fault.HANG):
                there.fail(fault)
                began = time.monotonic()
                with pytest.raises(UnavailableError):
                    one.send(example(), TIMEOUT)
                assert time.monotonic() - began < TIMEOUT + 1
            one.send(example(), PATIENCE)
            assert len(there.taken) == 1
            one.close()


def test_a_handshake_that_never_ends_is_cut_off(tmp_path):
    (tmp_path / "key").write_text(ROUTING_KEY)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        channel = open_channel("oncall", PagerDuty(key_file=str(tmp_path / "key"), url=url))
        began = time.monotonic()
        with pytest.raises(UnavailableError):
            channel.send(example(), TIMEOUT)
        assert time.monotonic() - began < TIMEOUT + 1
        channel.close()


_ALL_LOGS_ON = """
import logging, sys
logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)
from remediation.alerts.heartbeat import beat
from remediation.alerts.opening import open_channel
from remediation.alerts.protocol import ChannelError
from remediation.alerts.settings import PagerDuty, Slack, Webhook
from tests.channel_contract import example
pagerduty, beats = sys.argv[1:]
for choice in (
    PagerDuty(key_file="key", url=pagerduty),
    Slack(url_file="slack"),
    Webhook(url_file="url", secret_file="signing"),
):
    channel = open_channel("one", choice)
    for _ in range(2):
        try:
            channel.send(example(), 5.0)
        except ChannelError:
            logging.exception("the channel failed")
beat(beats, 5.0)
logging.getLogger("other").debug("all logs are on")
"""


def test_a_process_with_all_logs_on_says_no_secret(tmp_path):
    with PagerDutyReceiver() as receiver, SlackReceiver() as slack, WebhookReceiver() as hook:
        with HeartbeatReceiver() as beats:
            hook.path = "/hooks/hooksecret0123"
            for name, text in (
                ("key", ROUTING_KEY),
                ("slack", slack.url),
                ("url", hook.url),
                ("signing", SIGNING_KEY),
            ):
                (tmp_path / name).write_text(text)
            for one in (receiver, slack, hook):
                one.fail(Fault.ECHO)
            done = subprocess.run(
                [sys.executable, "-c", _ALL_LOGS_ON, receiver.origin, beats.url],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                timeout=60,
                check=True,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            )
            taken = [len(one.taken) for one in (receiver, slack, hook, beats)]
        said = done.stdout + done.stderr
        assert taken == [1, 1, 1, 1]
        assert said.count("it answered 400") >= 3
        assert "all logs are on" in said
        secrets = (
            ROUTING_KEY,
            ROUTING_KEY[-4:],
            slack.path.rpartition("/")[2],
            "hooksecret",
            "heartbeatsecret",
            SIGNING_KEY.removeprefix("whsec_"),
        )
        assert [secret for secret in secrets if secret in said] == []


def test_an_answer_without_end_is_not_read_to_its_end():
    with HeartbeatReceiver() as receiver:
        receiver.fail(Fault.HUGE)
        with pytest.raises(UnavailableError, match="an answer \\(200\\) of more than 65536 bytes"):
            beat(receiver.url, PATIENCE)


def test_the_words_of_a_receiver_are_short_harmless_and_without_secrets():
    body = b"the key topsecret\nis \x1b[31mwrong\xff " + b"x" * 1000
    said = words(body, ["topsecret"])
    assert said.startswith("the key (secret) is \\x1b[31mwrong\ufffd xxx")
    assert len(said) == 201


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0),
        ("7", 7),
        ("999999999999999999999", 3600),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("٣", None),
        ("Tue, 14 Nov 2023 22:13:50 GMT", 30),
        ("Tue, 14 Nov 2023 22:13:50 -0000", 30),
        ("Tue, 14 Nov 2003 22:13:50 GMT", 0),
        ("Tue, 14 Nov 2093 22:13:50 GMT", 3600),
        ("Tue, 99 Nov 2093 22:13:50 GMT", None),
    ],
)
def test_how_long_to_wait_is_a_number_or_a_date(value, seconds):
    assert retry_after(value, now=1_700_000_000.0) == seconds
