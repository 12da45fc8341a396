"""The configuration of a node of a test cluster: a value in, Kafka's properties out. No I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Listener(StrEnum):
    """The doors of a broker. An open cluster has the first, a secure one the other three."""

    PLAINTEXT = "PLAINTEXT"
    TLS = "TLS"
    """Encrypted; the client is anonymous."""
    SCRAM = "SCRAM"
    """Encrypted; the client shows a user name and password (SASL_SSL, SCRAM-SHA-512)."""
    MUTUAL = "MUTUAL"
    """Encrypted; the client shows a certificate. Brokers use it among themselves."""


OPEN = (Listener.PLAINTEXT,)
SECURE = (Listener.TLS, Listener.SCRAM, Listener.MUTUAL)
_CONTROLLER = "CONTROLLER"


@dataclass(frozen=True, slots=True)
class Node:
    """Where a node listens."""

    id: int
    host: str
    controller_port: int
    ports: Mapping[Listener, int]

    def address(self, listener: Listener) -> str:
        """What a client of ``listener`` connects to."""
        return f"{self.host}:{self.ports[listener]}"


@dataclass(frozen=True, slots=True)
class BrokerCertificate:
    """What a broker of a secure cluster shows, and whom it trusts: PEM files, and its principal."""

    keystore: str
    """Key, certificate and chain in one file."""
    truststore: str
    principals: Sequence[str]
    """Who may do everything: the brokers, and the tests' administrator."""


def properties(
    node: Node, nodes: Sequence[Node], data: str, certificate: BrokerCertificate | None
) -> dict[str, str]:
    """What the file ``server.properties`` of ``node`` says."""
    doors = {**{str(listener): port for listener, port in node.ports.items()}, _CONTROLLER: node.controller_port}
    return (
        {
            "process.roles": "broker,controller",
            "node.id": str(node.id),
            "controller.quorum.voters": ",".join(f"{n.id}@{n.host}:{n.controller_port}" for n in nodes),
            "controller.listener.names": _CONTROLLER,
            "listeners": ",".join(f"{name}://{node.host}:{port}" for name, port in doors.items()),
            "inter.broker.listener.name": Listener.PLAINTEXT if certificate is None else Listener.MUTUAL,
            "log.dirs": data,
        }
        | _safety(len(nodes))
        | _QUICK
        | ({} if certificate is None else _security(certificate))
    )


def _safety(nodes: int) -> dict[str, str]:
    copies, in_sync = str(nodes), "2" if nodes > 1 else "1"
    internal = {
        f"{topic}.{setting}": value
        for topic in ("offsets.topic", "transaction.state.log", "share.coordinator.state.topic")
        for setting, value in (("num.partitions", "4"), ("replication.factor", copies))
    }
    return internal | {
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.min.isr": in_sync,
        "auto.create.topics.enable": "false",
        "default.replication.factor": copies,
        "min.insync.replicas": in_sync,
        "unclean.leader.election.enable": "false",
    }


_QUICK = {
    # Groups: a test does not wait for members who may still come, nor 6 s at least for one who was killed.
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    # Brokers: a killed one is missed after 3 s instead of 9.
    "broker.heartbeat.interval.ms": "500",
    "broker.session.timeout.ms": "3000",
    "controller.quorum.election.timeout.ms": "500",
    "controller.quorum.fetch.timeout.ms": "1500",
    "replica.lag.time.max.ms": "3000",
    "controlled.shutdown.enable": "true",
    # Compaction and retention within a test's patience.
    "log.cleaner.backoff.ms": "500",
    "log.cleaner.dedupe.buffer.size": "8388608",
    "log.cleaner.io.buffer.size": "131072",
    "log.initial.task.delay.ms": "1000",
    "log.retention.check.interval.ms": "1000",
    "log.segment.delete.delay.ms": "1000",
    # Few threads: two cores, and three brokers on them.
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "2",
}


def _security(certificate: BrokerCertificate) -> dict[str, str]:
    protocols = {Listener.TLS: "SSL", Listener.SCRAM: "SASL_SSL", Listener.MUTUAL: "SSL", _CONTROLLER: "SSL"}
    demanding = {
        f"listener.name.{name.lower()}.ssl.client.auth": "required" for name in (Listener.MUTUAL, _CONTROLLER)
    }
    scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    return demanding | {
        "listener.security.protocol.map": ",".join(f"{name}:{protocol}" for name, protocol in protocols.items()),
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.scram.scram-sha-512.sasl.jaas.config": scram,
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": certificate.keystore,
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": certificate.truststore,
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": ";".join(certificate.principals),
    }


def text(values: Mapping[str, str]) -> str:
    """A properties file."""
    return "".join(f"{name}={value}\n" for name, value in values.items())
