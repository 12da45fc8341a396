"""Permissions: each role has the least that it needs."""

import shlex
from itertools import pairwise

import pytest

from guard.bus import Topic
from guard.detect import GROUP
from guard.topics.acls import DETECTOR_GROUP, Acl, Operation, Pattern, Resource, Role, acls, commands


def topics(role: Role, operation: Operation) -> set[str]:
    allowed = acls(role, "User:x")
    return {acl.name for acl in allowed if acl.resource is Resource.TOPIC and acl.operation is operation}


def test_an_agent_writes_telemetry_and_nothing_else():
    assert acls(Role.AGENT, "User:a") == (
        Acl("User:a", Resource.TOPIC, "guard.telemetry", Pattern.LITERAL, Operation.WRITE),
    )


@pytest.mark.parametrize("role", list(Role))
def test_only_the_operator_gives_orders_and_only_the_remediator_writes_the_ledger(role):
    assert (Topic.CONTROL in topics(role, Operation.WRITE)) == (role is Role.OPERATOR)
    assert (Topic.LEDGER in topics(role, Operation.WRITE)) == (role is Role.REMEDIATOR)
    assert (Topic.TELEMETRY in topics(role, Operation.WRITE)) == (role is Role.AGENT)
    assert (Topic.VERDICTS in topics(role, Operation.WRITE)) == (role is Role.DETECTOR)


def test_a_reader_writes_nothing_even_where_brokers_are_old():
    assert {acl.operation for acl in acls(Role.READER, "User:r", idempotent_write=True)} == {Operation.READ}


def test_the_detector_may_join_the_group_that_it_joins():
    assert DETECTOR_GROUP == GROUP
    (group,) = (acl for acl in acls(Role.DETECTOR, "User:d") if acl.resource is Resource.GROUP)
    assert (group.name, group.pattern) == (GROUP, Pattern.LITERAL)


def test_names_stand_behind_the_prefix():
    names = {acl.name for role in Role for acl in acls(role, "User:a", prefix="t1.")}
    assert all(name.startswith("t1.guard") for name in names)


def test_old_brokers_ask_one_thing_more_of_those_who_write():
    *_, last = acls(Role.AGENT, "User:a", idempotent_write=True)
    assert (last.resource, last.operation) == (Resource.CLUSTER, Operation.IDEMPOTENT_WRITE)


def test_the_commands_say_the_same_and_survive_a_shell():
    allowed = [acl for role in Role for acl in acls(role, f"User:CN={role}, O=a'b; rm -rf", idempotent_write=True)]
    said = set()
    for line in commands(allowed, "h1:9092,h2:9092"):
        program, *words = shlex.split(line)
        assert program == "kafka-acls.sh"
        options = dict.fromkeys(words)
        pairs = list(pairwise(words))
        (principal,) = (b for a, b in pairs if a == "--allow-principal")
        (operation,) = (b for a, b in pairs if a == "--operation")
        pattern = "prefixed" if "--resource-pattern-type" in options else "literal"
        said |= {(principal, a[2:], b, pattern, operation) for a, b in pairs if a in ("--topic", "--group")}
        if "--cluster" in options:
            said.add((principal, "cluster", "kafka-cluster", pattern, operation))
    assert said == {(acl.principal, acl.resource, acl.name, acl.pattern, acl.operation) for acl in allowed}


def test_the_pager_writes_nothing_joins_no_group_and_reads_neither_telemetry_nor_snapshots():
    allowed = acls(Role.PAGER, "User:p", idempotent_write=True)
    assert {acl.resource for acl in allowed} == {Resource.TOPIC}
    assert topics(Role.PAGER, Operation.READ) == {Topic.VERDICTS, Topic.STATE, Topic.LEDGER, Topic.CONTROL}
    assert topics(Role.PAGER, Operation.DESCRIBE) == {Topic.TELEMETRY, Topic.SNAPSHOTS}
    assert topics(Role.PAGER, Operation.WRITE) == set()
