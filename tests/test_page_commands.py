"""What people type: `guard page test` and `list`, `guard acknowledge`; and a pager that cannot start says why."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest
import yaml

from guard.bus import Topic
from guard.commands.root import run
from guard.page.outbox import Outbox
from remediation.orders import decode
from tests.page_notices import T0, notice
from tests.page_scene import SECRETS, accused, scene, well
from tests.pager_receivers import Fault

HOSTILE = "\x1b[2J\u202e<script>"


@pytest.fixture
def it(tmp_path):
    with scene(tmp_path) as it:
        yield it


@pytest.fixture
def guard(it, capsys):
    """Run `guard`: exit code, stdout, stderr."""

    def command(*arguments):
        try:
            code = run(["--config", str(it.config), *arguments])
        except SystemExit as end:
            code = end.code
        return code, *capsys.readouterr()

    return command


def test_the_test_sends_a_page_to_each_channel_and_resolves_it(it, guard):
    code, out, _ = guard("page", "test")
    assert code == 0
    assert [line.partition(",")[0] for line in out.splitlines()] == [
        "oncall (pagerduty): taken",
        "team (slack): taken",
        "hook (webhook): taken",
    ]
    assert [(one.action, one.body["about"], one.body["severity"]) for one in it.hook.taken] == [
        ("trigger", "test", "info"),
        ("resolve", "test", "info"),
    ]
    assert [actions for _, actions in it.oncall.incidents()] == [["trigger", "resolve"]]
    assert all(receiver.problems == [] for receiver in it.receivers)
    guard("page", "test")
    assert len(it.oncall.incidents()) == 2  # another test is another page


def test_the_test_says_which_channel_has_not_taken_it_and_why_and_tells_no_secret(it, guard):
    it.oncall.fail_always(Fault.ECHO)
    code, out, _ = guard("page", "test")
    assert code == 1
    first, *others = out.splitlines()
    assert first.startswith("oncall (pagerduty): not taken: ")
    assert "400" in first
    assert all(": taken, " in line for line in others)
    code, out, _ = guard("page", "test", "oncall", "--json")
    (told,) = json.loads(out)["channels"]
    assert (code, told["channel"], told["taken"]) == (1, "oncall", False)
    assert all(secret not in out for secret in SECRETS)


def test_the_test_of_some_channels_and_of_one_that_is_not_there(it, guard):
    assert guard("page", "test", "hook")[0] == 0
    assert (it.oncall.taken, len(it.hook.taken)) == ([], 2)
    code, _, error = guard("page", "test", HOSTILE)
    assert code == 2
    assert "expected one of hook, oncall, team" in error
    assert "\x1b" not in error


def test_without_a_channel_the_test_says_what_to_put_into_the_configuration(it, guard):
    it.document["page"]["channels"] = {}
    it.configure()
    code, _, error = guard("page", "test")
    assert code == 2
    sample = error.partition("for example\n")[2].partition("\nthe kinds")[0]
    assert yaml.safe_load(sample)["page"]["channels"]["oncall"]["kind"] == "pagerduty"


def test_a_secret_that_is_missing_is_named_by_its_file(it, guard):
    (it.directory / "key.secret").unlink()
    code, out, _ = guard("page", "test", "oncall")
    assert code == 1
    assert f"{it.directory}/key.secret: cannot be read" in out


def test_the_list_shows_open_pages_who_was_told_and_what_waits_while_the_service_runs(it, guard):
    it.team.fail_always(Fault.FAIL)
    it.start()
    it.started()
    assert guard("page", "list")[1] == "no page is open\n"
    it.say(accused("n1", time.time()))
    it.until(lambda: len(it.oncall.taken) == len(it.hook.taken) == 1)

    def listed():
        document = json.loads(guard("page", "list", "--json")[1])
        assert document["schema"] == "guard.page-list/1"
        return document["pages"]

    it.until(lambda: len(listed()[0]["told"]) == 2 and listed()[0]["waits"][0].get("error"))
    (page,) = listed()
    assert sorted(told["channel"] for told in page["told"]) == ["hook", "oncall"]
    assert [(letter["channel"], letter["kind"]) for letter in page["waits"]] == [("team", "trigger")]
    code, out, _ = guard("page", "list")
    assert code == 0
    assert "hook, oncall" in out
    assert "500" in out
    assert page["notice"]["summary"] in out
    it.say(well("n1"))
    it.until(lambda: listed() == [])
    document = json.loads(guard("page", "list", "--json")[1])
    assert [letter["kind"] for letter in document["waiting"]] == ["trigger", "resolve"]  # none of it is lost


def test_hostile_text_is_harmless_in_the_list(it, guard):
    with Outbox(it.directory / "page.sqlite") as outbox:
        outbox.begin(b"", {}, T0)
        outbox.commit(b"", {}, [("oncall", notice(page="p1", summary=HOSTILE))], T0)
        outbox.refused(outbox.next("oncall", {}), HOSTILE, T0)
        outbox._connection.execute("DELETE FROM pager")
    code, out, _ = guard("page", "list")
    assert code == 0
    assert "\x1b" not in out
    assert "\u202e" not in out


def test_an_acknowledgement_stops_updates_and_is_told_to_the_channels(it, guard):
    it.start()
    it.started()
    it.say(accused("n1", time.time()))
    it.until(lambda: len(it.hook.taken) == 1)
    code, out, _ = guard("acknowledge", "n1", "--by", "ann", "--reason", "on my way")
    assert (code, out) == (0, "n1: the bus has it; guard page tells the channels as it reads it\n")
    it.hook.wait(lambda taken: taken[-1].action == "acknowledge")
    it.until(lambda: list(it.pages().values()) == [["trigger", "acknowledge"]])
    assert " acknowledged " in guard("page", "list")[1]
    it.say(well("n1"))
    it.hook.wait(lambda taken: taken[-1].action == "resolve")


def test_an_acknowledgement_is_an_order_on_the_bus(it, guard):
    code, out, _ = guard("acknowledge", "p1", "--by", "ann", "--json")
    assert (code, json.loads(out)["order"]["subject"]) == (0, "p1")
    with it.open_bus() as bus:
        (order,) = [decode(message.value) for message in bus.scan(Topic.CONTROL)]
    assert (order.command, order.subject, order.by) == ("acknowledge", "p1", "ann")
    code, _, error = guard("acknowledge", HOSTILE)
    assert code == 2
    assert "characters that do not print" in error


def test_a_pager_that_cannot_start_says_what_to_do_and_a_second_one_does_not(it, guard):
    it.start()
    it.started()
    code, _, error = guard("page")
    assert code == 2
    assert "another guard page uses it; stop that one" in error
    it.stop()
    (it.directory / "page.sqlite").write_bytes(b"x" * 5000)
    code, _, error = guard("page")
    assert (code, error.count("\n")) == (2, 1)
    assert "the file is damaged: move it away" in error


def test_a_state_of_another_version_says_what_to_do(it, guard):
    with Outbox(it.directory / "page.sqlite") as outbox:
        outbox.begin(b'{"schema":"guard.pager/99"}', {}, T0)
    for arguments in (["page"], ["page", "list"]):
        code, _, error = guard(*arguments)
        assert code == 2
        assert "version of guard" in error


def test_without_a_channel_the_service_warns_and_goes_on(it):
    it.document["page"]["channels"] = {}
    it.configure()
    it.start()
    it.started()
    assert "nobody is told anything: set page.channels" in it.log()
    assert it.stop() < 3.0
    assert it.processes[-1].returncode == 0


def test_the_status_line_says_how_it_goes(it, tmp_path):

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "notify"))
        ear.settimeout(0.2)
        os.environ["NOTIFY_SOCKET"] = str(tmp_path / "notify")
        try:
            it.oncall.fail_always(Fault.FAIL)
            it.start()
        finally:
            del os.environ["NOTIFY_SOCKET"]
        heard = []

        def listen(words):
            try:
                heard.append(ear.recv(4096).decode())
            except TimeoutError:
                return False
            return words in heard[-1]

        it.until(lambda: listen("READY=1"))
        it.until(lambda: listen("STATUS=0 pages open, 0 letters wait"))
        it.say(accused("n1", time.time()))
        it.until(lambda: listen("STATUS=1 page open, 1 letter waits; oncall down since"))
        it.until(lambda: listen("WATCHDOG=1"))
        it.processes[-1].send_signal(signal.SIGTERM)
        it.until(lambda: listen("STOPPING=1"))


@pytest.mark.alone
def test_it_ends_within_two_seconds_whatever_hangs(it):
    it.document["page"]["channels"]["am"] = {"kind": "alertmanager", "urls": [it.oncall.origin]}
    it.configure()
    for receiver in it.receivers:
        receiver.fail_always(Fault.HANG)
    # As it is, with its ten seconds for each send.
    with (it.directory / "log-1").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "guard.commands", "--config", it.config, "page"], stderr=log
        )
    it.processes.append(process)
    it.started()
    it.say(accused("n1", time.time()))
    it.until(lambda: all(receiver.requests for receiver in it.receivers))
    assert it.stop() < 2.0
    assert process.returncode == 0
    assert it.log().count("left in the middle of a request") >= 3
