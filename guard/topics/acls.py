"""Who may do what with the topics: the least that each role needs, as data.

Read and Write imply Describe in Kafka's authorizer, so it is listed only where nothing else is needed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from shlex import quote

from guard.bus import Topic

DETECTOR_GROUP = "guard-detect"
REMEDIATOR_GROUP = "guard-remediate"
READER_GROUPS = "guard-reader-"
"""What the names of readers' consumer groups begin with. `guard tail`, `export` and `report` need none."""


class Role(StrEnum):
    """Who connects."""

    AGENT = "agent"
    DETECTOR = "detector"
    REMEDIATOR = "remediator"
    PAGER = "pager"
    READER = "reader"
    OPERATOR = "operator"


class Resource(StrEnum):
    """What a permission is for, in the words of kafka-acls.sh."""

    TOPIC = "topic"
    GROUP = "group"
    CLUSTER = "cluster"


class Pattern(StrEnum):
    """How the resource is named."""

    LITERAL = "literal"
    PREFIXED = "prefixed"


class Operation(StrEnum):
    """What is allowed, in the words of kafka-acls.sh."""

    READ = "Read"
    WRITE = "Write"
    DESCRIBE = "Describe"
    IDEMPOTENT_WRITE = "IdempotentWrite"


@dataclass(frozen=True, slots=True)
class Acl:
    """One permission: from any host, to one principal."""

    principal: str
    resource: Resource
    name: str
    pattern: Pattern
    operation: Operation


_READS = {
    Role.AGENT: (),
    Role.DETECTOR: (Topic.TELEMETRY, Topic.STATE, Topic.SNAPSHOTS, Topic.LEDGER),
    Role.REMEDIATOR: (Topic.TELEMETRY, Topic.VERDICTS, Topic.STATE, Topic.CONTROL, Topic.LEDGER),
    Role.PAGER: (Topic.VERDICTS, Topic.STATE, Topic.CONTROL, Topic.LEDGER),
    Role.READER: tuple(Topic),
    Role.OPERATOR: tuple(Topic),
}
_DESCRIBES = {Role.PAGER: (Topic.TELEMETRY, Topic.SNAPSHOTS)}
"""Topics of which is asked how far they have come, and nothing is read."""
_WRITES = {
    Role.AGENT: (Topic.TELEMETRY,),
    Role.DETECTOR: (Topic.VERDICTS, Topic.STATE, Topic.SNAPSHOTS, Topic.DEADLETTER),
    Role.REMEDIATOR: (Topic.LEDGER, Topic.DEADLETTER),
    Role.PAGER: (),
    Role.READER: (),
    Role.OPERATOR: (Topic.CONTROL,),
}
_GROUPS = {
    Role.DETECTOR: (DETECTOR_GROUP, Pattern.LITERAL),
    Role.REMEDIATOR: (REMEDIATOR_GROUP, Pattern.LITERAL),
    Role.READER: (READER_GROUPS, Pattern.PREFIXED),
    Role.OPERATOR: (READER_GROUPS, Pattern.PREFIXED),
}


def acls(role: Role, principal: str, *, prefix: str = "", idempotent_write: bool = False) -> tuple[Acl, ...]:
    """What a role needs.

    Args:
        role: who.
        principal: as the brokers name it, ``User:guard-agent``.
        prefix: what the names of topics and groups begin with, in front of ``guard``.
        idempotent_write: also what brokers before 2.8 ask of an idempotent producer (KIP-679).
    """
    return tuple(_acls(role, principal, prefix, idempotent_write))


def _acls(role: Role, principal: str, prefix: str, idempotent_write: bool) -> Iterator[Acl]:
    for operation, topics in (
        (Operation.READ, _READS[role]),
        (Operation.WRITE, _WRITES[role]),
        (Operation.DESCRIBE, _DESCRIBES.get(role, ())),
    ):
        for topic in topics:
            yield Acl(principal, Resource.TOPIC, f"{prefix}{topic}", Pattern.LITERAL, operation)
    if role in _GROUPS:
        name, pattern = _GROUPS[role]
        yield Acl(principal, Resource.GROUP, f"{prefix}{name}", pattern, Operation.READ)
    if idempotent_write and _WRITES[role]:
        yield Acl(principal, Resource.CLUSTER, "kafka-cluster", Pattern.LITERAL, Operation.IDEMPOTENT_WRITE)


def commands(wanted: Sequence[Acl], servers: str) -> list[str]:
    """The same as commands of Kafka's own tool, one for each operation on a kind of resource.

    Args:
        wanted: from `acls`.
        servers: ``HOST:PORT,…``.
    """
    start = f"kafka-acls.sh --bootstrap-server {quote(servers)} --command-config admin.properties --add"
    lines = []
    for (principal, resource, pattern, operation), same in groupby(
        wanted, key=lambda acl: (acl.principal, acl.resource, acl.pattern, acl.operation)
    ):
        names = " ".join(f"--{resource} {quote(acl.name)}" for acl in same)
        if resource is Resource.CLUSTER:
            names = "--cluster"
        shape = "" if pattern is Pattern.LITERAL else f" --resource-pattern-type {pattern}"
        lines.append(f"{start} --allow-principal {quote(principal)} --operation {operation}{shape} {names}")
    return lines
