"""A cluster of Apache Kafka on this machine: start it, kill a node, bring it back."""

import base64
import signal
import time
import uuid
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from tools.kafka import ports
from tools.kafka.broker import Broker, BrokerError, Place
from tools.kafka.security import ADMINISTRATOR, Security
from tools.kafka.settings import OPEN, SECURE, BrokerCertificate, Listener, Node, properties, text

_START_SECONDS = 60.0
"""A start takes 2 to 5 s; a machine with other work gets its time."""
_ANSWER_MS = 3000


class KafkaCluster:
    """One broker, or several; each is controller too (KRaft).

    ``directory`` is empty or does not exist; it keeps settings, data, credentials and ``node-<id>/log``. A cluster
    with ``secure`` lets nobody in without TLS and allows nobody anything without an ACL; ``security`` holds the
    credentials. ``places`` are for nodes in network namespaces, one for each. ``settings`` are added to every
    node's properties. The thread that starts a node must live as long as the node shall.
    """

    def __init__(
        self,
        directory: Path,
        *,
        nodes: int = 1,
        secure: bool = False,
        places: Sequence[Place] = (),
        settings: Mapping[str, str] | None = None,
    ) -> None:
        doors = SECURE if secure else OPEN
        places = places or (Place(),) * nodes
        numbers = iter(ports.free(nodes * (1 + len(doors))))
        self.nodes = tuple(
            Node(number, place.address, next(numbers), {door: next(numbers) for door in doors})
            for number, place in zip(range(1, nodes + 1), places, strict=True)
        )
        self.security = Security(directory / "credentials") if secure else None
        self._settings = dict(settings or {})
        self._directory = directory
        self._brokers = {
            node.id: Broker(directory / f"node-{node.id}", place)
            for node, place in zip(self.nodes, places, strict=True)
        }

    @property
    def bootstrap(self) -> str:
        """``host:port,…`` of all nodes of an open cluster, or of a secure one at its door for certificates."""
        return self.addresses(self._inner)

    @property
    def url(self) -> str:
        """The cluster as ``guard`` names a bus."""
        return f"kafka://{self.bootstrap}"

    @property
    def running(self) -> frozenset[int]:
        """The nodes whose process is there."""
        return frozenset(number for number, broker in self._brokers.items() if broker.running)

    def serving(self, *ask: int) -> frozenset[int]:
        """The nodes that the cluster counts in, as it says when one of the nodes ``ask`` (all) is asked.

        Raises:
            KafkaError: No answer in a few seconds.
        """
        servers = [node.address(self._inner) for node in self.nodes if node.id in (ask or self._brokers)]
        client = self.admin(
            bootstrap_servers=servers, bootstrap_timeout_ms=_ANSWER_MS, request_timeout_ms=_ANSWER_MS
        )
        try:
            brokers = client.describe_cluster()["brokers"]
        finally:
            client.close()
        return frozenset(broker["broker_id"] for broker in brokers if not broker["is_fenced"])

    def addresses(self, listener: Listener) -> str:
        """``host:port,…`` of all nodes at one of their doors."""
        return ",".join(node.address(listener) for node in self.nodes)

    def start(self) -> Self:
        """Format the storage and start every node; back when the cluster has them all."""
        deadline = time.monotonic() + _START_SECONDS
        try:
            self._format(deadline)
            for broker in self._brokers.values():
                broker.start()
            self._wait(self._brokers, deadline)
        except BaseException:
            self.kill(*self._brokers)
            raise
        return self

    def stop(self, *numbers: int) -> None:
        """End nodes in good order, all if none is named, and reap them. May be called again.

        Of several the last ones are killed: without a majority no broker gets leave to end.
        """
        ending = numbers or tuple(self._brokers)
        majority = len(self.nodes) // 2 + 1
        for number in ending:
            broker = self._brokers[number]
            if len(self.nodes) > 1 and len(self.running) <= majority:
                broker.kill()
            broker.terminate()
            broker.ended()

    def kill(self, *numbers: int) -> None:
        """End nodes with SIGKILL, as a power cut would."""
        for number in numbers:
            self._brokers[number].kill()

    def restart(self, *numbers: int) -> None:
        """Start nodes that were killed; back when the cluster counts them in."""
        for number in numbers:
            self._brokers[number].start()
        self._wait(numbers, time.monotonic() + _START_SECONDS)

    def pause(self, number: int) -> None:
        """Make a node deaf and dumb (SIGSTOP): its connections stay, nothing answers."""
        self._brokers[number].send(signal.SIGSTOP)

    def resume(self, number: int) -> None:
        """Let a paused node go on (SIGCONT)."""
        self._brokers[number].send(signal.SIGCONT)

    def admin(self, **options: Any) -> KafkaAdminClient:
        """A client that may do everything; close it after use."""
        known = {} if self.security is None else self.security.with_certificate(ADMINISTRATOR)
        return KafkaAdminClient(**{"bootstrap_servers": self.bootstrap.split(","), **known, **options})

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def _inner(self) -> Listener:
        return Listener.PLAINTEXT if self.security is None else Listener.MUTUAL

    def _format(self, deadline: float) -> None:
        # Kafka wants 16 bytes in the web's base64, and no leading dash.
        cluster_id = "g" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:22]
        scram = () if self.security is None else self.security.scram
        tools = {}
        for node in self.nodes:
            data = str(self._directory / f"node-{node.id}" / "data")
            settings = properties(node, self.nodes, data, self._certificate()) | self._settings
            tools[node.id] = self._brokers[node.id].format(cluster_id, text(settings), scram)
        try:
            for number, tool in tools.items():
                self._brokers[number].formatted(tool, deadline)
        finally:
            for tool in tools.values():
                tool.kill()
                tool.wait()

    def _certificate(self) -> BrokerCertificate | None:
        if self.security is None:
            return None
        identity = self.security.broker(node.host for node in self.nodes)
        trusted = str(self.security.authority.certificate)
        return BrokerCertificate(str(identity.keystore), trusted, self.security.super_users)

    def _wait(self, numbers: Collection[int], deadline: float) -> None:
        for number in numbers:
            self._brokers[number].wait_started(deadline)
        serving: object = "no answer"
        while time.monotonic() < deadline:
            try:
                serving = self.serving(*numbers)
            except KafkaError as error:
                serving = error
            if isinstance(serving, frozenset) and serving.issuperset(numbers):
                return
            time.sleep(0.05)
        raise BrokerError(f"nodes {sorted(numbers)} should serve; asked who does, the cluster says: {serving}")
