"""Operators' orders: what is one, what each does, and what is refused with which words."""

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediation.events import Ordered
from remediation.ledger import Act, Applied, Moved
from remediation.orders import (
    ABOUT_A_NODE,
    ABOUT_A_PAGE,
    ABOUT_A_PROPOSAL,
    LARGEST,
    Command,
    Order,
    OrderError,
    decode,
    encode,
)
from tests.remediation_stage import staged

GOOD = {"schema": "guard.control/1", "cluster": "c", "time": 1.0, "by": "ines", "command": "pause"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema": "guard.control/2"}, "schema"),
        ({"command": "explode"}, r"\$\.command"),
        ({"command": "cordon"}, "needs a node"),
        ({"command": "approve"}, "needs the id of a proposal"),
        ({"command": "acknowledge"}, "needs the key of a page"),
        ({"subject": "n1"}, "expected no subject"),
        ({"by": ""}, r"\$\.by"),
        ({"by": "\x1b[2J"}, "do not print"),
        ({"reason": "x" * 501}, r"\$\.reason"),
        ({"reason": "a\nb"}, "do not print"),
        ({"time": -1}, r"\$\.time"),
        ({"also": 1}, "unknown field `also`"),
        ({"command": "resume", "lasts": 5}, "does not end by itself"),
    ],
)
def test_what_is_no_order_is_refused_with_the_field_and_the_reason(change, words):
    with pytest.raises(OrderError, match=words):
        decode(msgspec.json.encode({**GOOD, **change}))


@given(st.binary(max_size=200))
def test_bytes_of_any_kind_are_an_order_or_a_clear_error(line):
    with contextlib.suppress(OrderError):
        assert decode(line).cluster


def test_an_order_that_is_too_long_is_not_looked_into():
    with pytest.raises(OrderError, match="bytes"):
        decode(b" " * (LARGEST + 1))


@pytest.mark.parametrize("command", Command)
def test_an_order_is_read_as_it_was_written(command):
    subject = "n1" if command in ABOUT_A_NODE | ABOUT_A_PROPOSAL | ABOUT_A_PAGE else ""
    order = Order(cluster="c", time=5.0, by="ines", command=command, subject=subject, reason="because")
    assert decode(encode(order)) == order


def test_that_somebody_looks_after_a_page_is_none_of_the_remediators_business():
    stage = staged()
    before = len(stage.ledger)
    stage.order(Command.ACKNOWLEDGE, "n00003")
    stage.run(30)
    assert len(stage.ledger) == before


def last(stage):
    return stage.kinds(Applied)[-1]


def test_a_pause_stops_what_harms_until_it_is_resumed():
    stage = staged()
    stage.order(Command.PAUSE)
    stage.accuse("n00010", job=None)
    stage.run(60)
    assert stage.acts() == []
    stage.order(Command.RESUME)
    stage.run(5)
    assert stage.state_of("n00010") == "held"


def test_a_pause_with_a_term_ends_by_itself():
    stage = staged()
    order = Order(cluster="c", time=stage.now, by="ines", command=Command.PAUSE, lasts=100.0)
    stage.tell(Ordered(order, "0-99"))
    stage.accuse("n00010", job=None)
    stage.run(90)
    assert stage.acts() == []
    stage.run(20)
    assert stage.state_of("n00010") == "held"


def test_a_person_may_cordon_a_healthy_node_and_release_it():
    stage = staged()
    stage.order(Command.CORDON, "n00010")
    stage.run(4)
    assert stage.state_of("n00010") == "held"
    stage.order(Command.RELEASE, "n00010")
    stage.run(4)
    assert stage.state_of("n00010") is None
    assert stage.cluster.acts == [("cordon", "n00010"), ("uncordon", "n00010")]
    assert all(intent.approved_by == "ines" for intent in stage.acts())


def test_a_node_that_was_given_back_is_not_taken_out_for_what_was_said_before():
    stage = staged()
    stage.accuse("n00010", job=None)
    stage.run(60)
    stage.order(Command.RELEASE, "n00010")
    since = stage.now - 60
    for _ in range(600):
        stage.accuse("n00010", job=None, since=since)
        stage.step()
    assert stage.state_of("n00010") is None
    assert len(stage.acts(Act.CORDON)) == 1


def test_a_held_node_is_left_alone():
    stage = staged()
    stage.order(Command.HOLD, "n00003")
    stage.run(2)
    stage.accuse("n00003")
    stage.run(200)
    assert stage.state_of("n00003") == "held"
    assert stage.acts() == []
    stage.order(Command.RELEASE, "n00003")
    stage.run(2)
    assert stage.kinds(Moved)[-1].after == "healthy"


@pytest.mark.parametrize(
    ("command", "subject", "words"),
    [
        (Command.APPROVE, "nothing", "no such proposal"),
        (Command.RELEASE, "n00001", "no incident"),
        (Command.CORDON, "n99999", "no such node"),
        (Command.HOLD, "n99999", "no such node"),
        (Command.CORDON, "n00011", "cordoned already"),
        (Command.RESUME, "", "not paused"),
        (Command.BREAKER_RESET, "", "not tripped"),
    ],
)
def test_an_order_that_cannot_be_followed_is_answered_with_the_reason(command, subject, words):
    stage = staged()
    stage.cluster.cordon_as_person("n00011", "bad fan")
    stage.observe()
    stage.order(command, subject)
    stage.run(2)
    assert not last(stage).accepted
    assert words in last(stage).reason
    assert stage.acts() == []


@pytest.mark.parametrize("age", [3600.0, -3600.0])
def test_an_order_of_another_time_is_refused(age):
    stage = staged()
    order = Order(cluster="c", time=stage.now - age, by="ines", command=Command.CORDON, subject="n00001")
    stage.tell(Ordered(order, "0-99"))
    stage.run(3)
    assert not last(stage).accepted
    assert stage.acts() == []


def test_an_order_that_comes_twice_is_taken_once_also_by_the_next_leader():
    stage = staged()
    order = Order(cluster="c", time=stage.now, by="ines", command=Command.PAUSE)
    for _ in range(2):
        stage.tell(Ordered(order, "0-7"))
        stage.run(2)
    heir = stage.successor()
    heir.tell(Ordered(order, "0-7"))
    heir.run(2)
    assert len(heir.kinds(Applied)) == 1


def test_an_order_for_another_cluster_is_not_taken():
    stage = staged()
    order = Order(cluster="other", time=stage.now, by="ines", command=Command.PAUSE)
    stage.tell(Ordered(order, "0-7"))
    stage.run(2)
    assert stage.kinds(Applied) == []


def test_so_many_orders_that_they_cannot_wait_are_refused():
    stage = staged()
    for number in range(1001):
        order = Order(cluster="c", time=stage.now, by="ines", command=Command.RELEASE, subject="n00001")
        records = stage.tell(Ordered(order, f"0-{number}"))
    assert [record.accepted for record in records] == [False]
    stage.run(10)
    assert len(stage.kinds(Applied)) == 1000
