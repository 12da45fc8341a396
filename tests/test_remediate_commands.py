"""What operators type: orders that are answered, what was done, and every rail's answer."""

import json
import os
import time

import pytest
import yaml

from detectors.verdict import Status
from guard.bus import Outgoing, Topic
from guard.bus.file import FileBus
from guard.commands.root import run
from remediation.ledger import Act, Applied, Denied, Leader, Opened, encode
from remediation.orders import Command, decode
from remediation.states import NodeState
from tests.remediate_fleet import BAD, scene
from tests.remediator import CLUSTER

HOSTILE = "n\x1b[2J\u202e1"


@pytest.fixture
def guard(tmp_path, capsys):
    """Run `guard` on the test's bus: exit code, stdout, stderr."""
    file = tmp_path / "guard.yaml"
    file.write_text(yaml.safe_dump({"cluster": CLUSTER, "bus": f"file:{tmp_path}/bus.sqlite"}))

    def command(*arguments):
        try:
            code = run(["--config", str(file), *arguments])
        except SystemExit as end:
            code = end.code
        return code, *capsys.readouterr()

    return command


@pytest.fixture
def bus(tmp_path):
    with FileBus(tmp_path / "bus.sqlite") as bus:
        yield bus


def orders(bus):
    return [decode(message.value) for message in bus.scan(Topic.CONTROL)]


def test_orders_are_answered_by_the_one_that_leads(tmp_path, guard):
    with scene(tmp_path) as it:
        it.start()
        it.until(lambda: it.of(Leader) != [])
        code, out, _ = guard("pause", "--for", "2h", "--by", "ann", "--reason", "we work on the switches")
        assert (code, out) == (0, "pause of ann taken: we work on the switches\n")
        assert guard("resume", "--by", "ben")[0] == 0
        code, out, _ = guard("resume", "--by", "ann")
        assert (code, out) == (1, "resume of ann refused: guard is not paused\n")
        code, out, _ = guard("approve", "none", "--by", "ann", "--json")
        answer = json.loads(out)
        assert (code, answer["schema"], answer["applied"]["accepted"]) == (1, "guard.order-answer/1", False)
        code, out, _ = guard("breaker", "reset", "--by", "ann")
        assert (code, out) == (1, "breaker-reset of ann refused: the breaker has not tripped\n")


def test_an_order_tells_what_became_of_it_and_the_actions_show_it(tmp_path, guard):
    with scene(tmp_path) as it:
        it.start()
        it.until(lambda: it.of(Leader) != [])
        it.training.beat()
        code, out, _ = guard("cordon", "n6", "--by", "ann", "--reason", "its fan is loud")
        assert code == 0, it.told()
        assert out.splitlines()[0] == "cordon of ann taken: its fan is loud"
        assert out.splitlines()[-1] == "outcome done"
        it.until(lambda: NodeState.HELD in it.states())
        code, out, _ = guard("actions", "--node", "n6")
        assert code == 0
        assert "cordon of ann taken: its fan is loud" in out
        assert "draining -> held" in out
        document = json.loads(guard("actions", "--json")[1])
        assert [(one["node"], one["state"]) for one in document["incidents"]] == [("n6", "held")]
        assert guard("actions", "--node", "n5")[1].startswith("no open incidents")
        code, out, _ = guard("release", "n6", "--by", "ann")
        assert (code, out.splitlines()[-1]) == (0, "outcome done")
        assert it.effects() == [("cordon", "n6"), ("uncordon", "n6")]


def test_without_waiting_the_order_stands_on_the_bus_and_says_who_and_why(guard, bus):
    assert guard("hold", "n1", "--no-wait", "--reason", "looking") == (0, "ordered\n", "")
    (order,) = orders(bus)
    assert (order.command, order.subject, order.reason, order.cluster) == (Command.HOLD, "n1", "looking", CLUSTER)
    assert order.by
    assert abs(order.time - time.time()) < 60


def test_where_nobody_answers_the_command_says_so_and_ends_2(guard, bus, monkeypatch):
    monkeypatch.setattr("guard.commands.orders._ANSWER", 0.3)
    code, out, err = guard("resume")
    assert (code, out) == (2, "")
    assert err == "no answer within 0 s; the order stands. Does guard remediate run? See guard actions\n"


@pytest.mark.parametrize(
    "arguments",
    [["cordon", HOSTILE], ["hold", "x" * 254], ["pause", "--reason", "a\nb"], ["pause", "--for", "soon"]],
)
def test_what_is_no_order_is_refused_before_it_is_given(guard, bus, arguments):
    code, _, err = guard(*arguments, "--no-wait")
    assert code == 2
    assert err.startswith("Usage: guard ")
    assert "\x1b" not in err
    assert orders(bus) == []


def opened(node, incident="inc-1", **more):
    return Opened(
        id="o", cluster=CLUSTER, time=time.time(), incident=incident, epoch=1, node=node, instance="i", job="j",
        verdict="v", cause="compute", severity="warning", slowdown=0.2, since=0.0, **more,
    )  # fmt: skip


def ledger(bus, *records):
    bus.publish([Outgoing(Topic.LEDGER, "c", encode(record)) for record in records], 5.0)


def test_hostile_names_and_records_that_cannot_be_read_steer_no_terminal(guard, bus):
    bus.publish([Outgoing(Topic.LEDGER, "c", b"\xff\x1b[2J")], 5.0)
    denied = Denied(
        id="d",
        cluster=CLUSTER,
        time=time.time(),
        epoch=1,
        act=Act.CORDON,
        subject=HOSTILE,
        rail="peers",
        reason=HOSTILE,
    )
    ledger(bus, Leader(id="l", cluster=CLUSTER, time=0.0, process=HOSTILE, deadline=1.0), opened(HOSTILE), denied)
    code, out, _ = guard("actions", "--since", "1h")
    assert code == 0
    assert "denied by peers" in out
    assert not {"\x1b", "\u202e"} & set(out)


def test_before_anybody_led_the_actions_say_so(guard, bus):
    assert (
        guard("actions")[1]
        == "no remediator has led yet: start guard remediate on a machine that reaches the scheduler\n"
        "no open incidents\n\nno records\n"
    )


def test_why_not_asks_every_rail_and_says_that_no_cluster_is_set(guard, bus):
    code, out, _ = guard("why-not", "n1")
    assert (code, "nothing has been said of n1" in out) == (1, True)


def test_why_not_of_an_accused_node(tmp_path, guard):
    with scene(tmp_path) as it:
        it.training.accused[BAD] = Status.STRAGGLER
        it.training.beat()
        code, out, _ = guard("why-not", BAD, "--json")
        rails = {one["rail"]: one for one in json.loads(out)["rails"]}
        assert code == 1
        assert not rails["view"]["allowed"]
        assert rails["accused"]["allowed"]
        assert it.of(Applied) == it.of(Leader) == []  # it changed nothing


def test_a_login_without_a_name_is_no_obstacle(guard, bus, monkeypatch):
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 123_456)
    assert guard("resume", "--no-wait")[0] == 0
    assert orders(bus)[0].by == "unknown"
