"""What ``guard check`` looks at on Kafka: whether it lets us in, has the topics, and what we may do with them.

Nothing is written: the brokers are asked what they would allow.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from guard.bus import Topic
from guard.bus.kafka_client import connected, server_list, translated
from guard.bus.kafka_credentials import Credentials
from guard.config import Config
from guard.topics.acls import Operation, Role, acls
from guard.topics.wanted import wanted

_WITHIN = 10.0
_ANSWER = 15_000
_EVERYTHING = frozenset({"READ", "WRITE"})
"""What brokers without an authorizer allow, which say nothing of it."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the brokers say. ``remedy`` is empty where nothing is wrong."""

    detail: str
    remedy: str = ""


def look(config: Config) -> Found:
    """Ask the brokers about every topic.

    Raises:
        BusError: they do not answer, or do not let us in.
    """
    address = config.bus.removeprefix("kafka://")
    topics = {topic.topic: topic for topic in wanted(config.topics, config.kafka.prefix)}
    told = _ask(server_list(address), config, [topic.name for topic in topics.values()])
    there = {topic: told[about.name] for topic, about in topics.items() if about.name in told}
    allowed = {
        topic: frozenset(about["authorized_operations"] or ()) or _EVERYTHING for topic, about in there.items()
    }
    roles = [role for role in Role if _may(role, allowed)]
    if not roles:
        missing = [topic for topic in topics if topic not in there]
        seen = f"{address}: of {len(topics)} topics {len(there)} are to be seen"
        return Found(f"{seen}, too few for any role", _remedy(missing, there))
    few = [
        f"{topics[topic].name} has {len(about['partitions'])} partitions, not {topics[topic].partitions}"
        for topic, about in there.items()
        if len(about["partitions"]) < topics[topic].partitions
    ]
    detail = f"{address} lets us do what {' and '.join(roles)} must"
    return Found("; ".join([detail, *few]), "see guard topics plan" if few else "")


def _remedy(missing: Sequence[Topic], there: Mapping[Topic, Any]) -> str:
    make = "make the topics: guard topics apply"
    permit = (
        "permit it: guard topics acls --role agent (a topic that we may not see looks like one that is not there)"
    )
    return f"{make}; or {permit}" if missing and not there else permit


def _may(role: Role, allowed: Mapping[Topic, frozenset[str]]) -> bool:
    """Whether the topics allow a role all that it needs of them. Groups are not asked: they come with joining."""
    needed = [acl for acl in acls(role, "User:us") if acl.name in set(Topic)]
    return all(_name(acl.operation) in allowed.get(Topic(acl.name), frozenset()) for acl in needed)


def _name(operation: Operation) -> str:
    return operation.upper()


def _ask(servers: Sequence[str], config: Config, names: Sequence[str]) -> dict[str, Any]:
    """What is there of the topics, as kafka-python tells it."""
    from kafka.admin import KafkaAdminClient  # noqa: PLC0415  (only where the bus is Kafka)
    from kafka.errors import KafkaError  # noqa: PLC0415

    client, _ = connected(
        KafkaAdminClient, servers, Credentials(config.kafka), _WITHIN, request_timeout_ms=_ANSWER
    )
    with closing(client):
        try:
            told = client.describe_topics(list(names))
        except KafkaError as error:
            raise translated(error, ",".join(servers), "asking for the topics") from error
    return {about["name"]: about for about in told if about["error_code"] == 0}
