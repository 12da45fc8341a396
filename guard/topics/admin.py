"""The brokers' side of topics and permissions: reading what is there, and carrying out what was decided."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ConfigResource,
    ConfigResourceType,
    KafkaAdminClient,
    ResourcePattern,
    ResourceType,
)
from kafka.errors import (
    AuthorizationError,
    KafkaError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
    for_code,
)
from kafka.net.compat import KafkaNetClient

from guard.bus import BusError, BusUnavailableError
from guard.bus.kafka_client import no_connection, server_list
from guard.topics.acls import Acl, Operation, Pattern, Resource
from guard.topics.plan import Existing, Plan
from guard.topics.wanted import Wanted

_TIMEOUT_MS = 15_000
"""Milliseconds for an answer: a person waits, and a broker that loads its log may need some seconds."""
_SETTLE = 10.0
"""Seconds in which every broker should know what was changed."""
_NAP = 0.2

_RESOURCES = {
    Resource.TOPIC: ResourceType.TOPIC,
    Resource.GROUP: ResourceType.GROUP,
    Resource.CLUSTER: ResourceType.CLUSTER,
}
_PATTERNS = {
    Pattern.LITERAL: ACLResourcePatternType.LITERAL,
    Pattern.PREFIXED: ACLResourcePatternType.PREFIXED,
}
_OPERATIONS = {
    Operation.READ: ACLOperation.READ,
    Operation.WRITE: ACLOperation.WRITE,
    Operation.DESCRIBE: ACLOperation.DESCRIBE,
    Operation.IDEMPOTENT_WRITE: ACLOperation.IDEMPOTENT_WRITE,
}


class Brokers:
    """A connection of an administrator.

    Args:
        servers: ``HOST:PORT,…``.
        options: how to connect, in kafka-python's names: TLS, SASL.

    Raises:
        BusUnavailableError: no broker answers, or lets this client in.
    """

    def __init__(self, servers: str, options: Mapping[str, Any]) -> None:
        self._servers = servers
        limits = {"request_timeout_ms": _TIMEOUT_MS, "bootstrap_timeout_ms": _TIMEOUT_MS}
        found = server_list(servers)
        inner: list[KafkaNetClient] = []

        def make(**settings: Any) -> KafkaNetClient:
            inner.append(KafkaNetClient(**settings))
            return inner[-1]

        try:
            self._client = KafkaAdminClient(bootstrap_servers=found, kafka_client=make, **limits | dict(options))
        except KafkaError as error:
            for client in inner:  # nobody else closes the connections of a client that was never made
                client.close()
            raise no_connection(servers, _TIMEOUT_MS / 1000) from error

    def existing(self, wanted: Sequence[Wanted]) -> dict[str, Existing]:
        """Those of the wanted topics that are there, by name, with what matters of their configuration."""
        remedy = "this client needs Describe and DescribeConfigs on the topics"
        sought = {topic.name: topic for topic in wanted}
        with self._translated("asking for the topics", remedy):
            told = self._client.describe_topics(list(sought))
        there = [topic for topic in told if self._is_there(topic, remedy)]
        if not there:
            return {}
        resources = [
            ConfigResource(ConfigResourceType.TOPIC, topic["name"], list(sought[topic["name"]].configs))
            for topic in there
        ]
        with self._translated("asking for the topics' configuration", remedy):
            configs = self._client.describe_configs(resources, config_filter="all")["topic"]
        return {topic["name"]: self._existing(topic, configs, remedy) for topic in there}

    def carry_out(self, plan: Plan) -> Iterator[str]:
        """Do what a plan says, and say of each thing that it is done.

        Raises:
            BusError: something could not be done; what was done before it stays done.
        """
        for topic in plan.creations:
            what = {
                "num_partitions": topic.partitions,
                "replication_factor": topic.replication,
                "configs": dict(topic.configs),
            }
            remedy = "fewer brokers than topics.replication? For a cluster of one broker: topics.replication: 1"
            with self._translated(f"creating {topic.name}", remedy):
                self._client.create_topics({topic.name: what}, wait_for_metadata=True)
            yield f"created {topic.name}"
        for growth in plan.growths:
            with self._translated(f"adding partitions to {growth.name}", "this client needs Alter on the topic"):
                self._client.create_partitions({growth.name: growth.want})
            yield f"{growth.name} has {growth.want} partitions"
        for name in dict.fromkeys(change.name for change in plan.changes):
            changes = {change.key: change.want for change in plan.changes if change.name == name}
            self._configure(name, changes)
            yield f"configured {name}: {', '.join(f'{key}={value}' for key, value in changes.items())}"

    def settled(self, look: Callable[[], Plan]) -> Plan:
        """What is left to do once the brokers know what was done: they tell each other with some delay."""
        deadline = time.monotonic() + _SETTLE
        while True:
            left = look()
            if not left.acts or time.monotonic() >= deadline:
                return left
            time.sleep(_NAP)

    def allow(self, acls: Sequence[Acl]) -> None:
        """Add permissions; those that are there stay as they are.

        Raises:
            BusError: the brokers keep no permissions, or this client may not add any.
        """
        remedy = "this client needs Alter on the cluster, and the brokers an authorizer (authorizer.class.name)"
        with self._translated("adding permissions", remedy):
            done = self._client.create_acls([_native(acl) for acl in acls])
        if done["failed"]:
            kinds = ", ".join(sorted({error.__name__ for error in done["failed"]}))
            raise BusError(
                f"Kafka {self._servers}: {len(done['failed'])} permissions were refused ({kinds}); {remedy}"
            )

    def close(self) -> None:
        """Disconnect."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _is_there(self, topic: dict[str, Any], remedy: str) -> bool:
        error = for_code(topic["error_code"])
        if error is UnknownTopicOrPartitionError:
            return False
        with self._translated(f"asking for {topic['name']}", remedy):
            if topic["error_code"]:
                raise error(topic["name"])
        return True

    def _existing(self, topic: dict[str, Any], configs: dict[str, Any], remedy: str) -> Existing:
        name, partitions = topic["name"], topic["partitions"]
        found = {
            key: config["value"] for key, config in configs.get(name, {}).items() if config["value"] is not None
        }
        if not found:  # kafka-python keeps the error to itself
            raise BusError(f"Kafka {self._servers}: {name} shows no configuration; {remedy}")
        copies = min(len(partition["replica_nodes"]) for partition in partitions)
        return Existing(name, len(partitions), copies, found)

    def _configure(self, name: str, changes: dict[str, str]) -> None:
        remedy = "this client needs AlterConfigs on the topic"
        with self._translated(f"configuring {name}", remedy):
            resource = ConfigResource(ConfigResourceType.TOPIC, name, changes)
            result = self._client.alter_configs([resource], raise_on_unknown=False)["topic"][name]
        if result != "OK":
            raise BusError(f"Kafka {self._servers}: configuring {name}: {result}; {remedy}")

    @contextmanager
    def _translated(self, what: str, remedy: str) -> Iterator[None]:
        try:
            yield
        except TopicAlreadyExistsError as error:
            raise BusError(
                f"Kafka {self._servers}: {what}: somebody else did it meanwhile; run it again"
            ) from error
        except KafkaError as error:
            away = error.retriable and not isinstance(error, AuthorizationError)
            kind = BusUnavailableError if away else BusError
            told = _short(error)
            raise kind(f"Kafka {self._servers}: {what}: {told}; {remedy}") from error


def _short(error: KafkaError) -> str:
    """What an error says, without the whole request and response that kafka-python adds."""
    name = type(error).__name__
    text = str(error).removeprefix(name).lstrip(": ")
    return name if not text or "Request" in text else f"{name}: {text[:200]}"


def _native(acl: Acl) -> ACL:
    return ACL(
        principal=acl.principal,
        host="*",
        operation=_OPERATIONS[acl.operation],
        permission_type=ACLPermissionType.ALLOW,
        resource_pattern=ResourcePattern(_RESOURCES[acl.resource], acl.name, _PATTERNS[acl.pattern]),
    )
