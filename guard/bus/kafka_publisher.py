"""Publishing to Kafka: idempotent, acknowledged by all replicas in sync, in order, within a bound of memory."""

import threading
import time
import zlib
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from kafka.errors import KafkaError, KafkaTimeoutError
from kafka.producer import KafkaProducer

from guard.bus import BusError, BusUnavailableError, Outgoing, Position, Topic
from guard.bus.kafka_client import Credentials, no_connection, translated
from guard.bus.kafka_settings import KafkaSettings
from guard.bus.record_limits import LARGEST_VALUE, require_fit

IN_FLIGHT = 8 << 20
"""Bytes of keys and values that wait for acknowledgement at once; a batch of telemetry is 600 KB."""
_BATCH = 128 << 10
_LARGEST_REQUEST = LARGEST_VALUE + 40_000
_LINGER = 5
_REQUEST = 4_000
"""Milliseconds that one request may take before it is tried again, elsewhere if the leader moved."""
_DELIVERY = 60_000
_CONNECT = 5.0
_AFTER = 2.0


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key: CRC-32, as on the embedded bus, so that a job stays in one place."""
    return zlib.crc32(key) % partitions


class KafkaPublisher:
    """One producer, made at the first publishing and anew after each failure. Threads may share it.

    After a failure the producer is thrown away with all that it had not sent: what is published again goes first.
    """

    def __init__(self, servers: Sequence[str], settings: KafkaSettings, prefix: str) -> None:
        self._servers, self._settings, self._prefix = list(servers), settings, prefix
        self._name = ",".join(servers)
        self._credentials = Credentials(settings)
        self._producer: KafkaProducer | None = None
        self._lock = threading.Lock()

    def publish(self, records: Sequence[Outgoing], timeout: float) -> list[Position]:
        """Append all records; see the protocol."""
        keys = [require_fit(record) for record in records]
        if not records:
            return []
        deadline = time.monotonic() + max(timeout, 0.0)
        if not self._lock.acquire(timeout=max(timeout, 0.0)):
            raise BusUnavailableError(
                f"kafka {self._name}: another thread publishes for longer than {timeout:g} s"
            )
        try:
            return self._send(self._open(deadline), records, keys, deadline)
        except KafkaError as error:
            self._drop()
            raise translated(error, self._name, f"publishing to {_topics(records)}") from error
        except BusError:
            self._drop()
            raise
        finally:
            self._lock.release()

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            self._drop()

    def _open(self, deadline: float) -> KafkaProducer:
        if self._producer is not None and self._credentials.renewed():
            self._drop()
        if self._producer is None:
            within = min(max(deadline - time.monotonic(), 0.1), _CONNECT)
            try:
                self._producer = KafkaProducer(
                    bootstrap_servers=self._servers,
                    client_id="guard",
                    enable_idempotence=True,
                    acks="all",
                    compression_type=self._settings.compression.value,
                    batch_size=_BATCH,
                    linger_ms=_LINGER,
                    max_request_size=_LARGEST_REQUEST,
                    request_timeout_ms=_REQUEST,
                    delivery_timeout_ms=_DELIVERY,
                    reconnect_backoff_max_ms=1_000,
                    bootstrap_timeout_ms=int(within * 1000),
                    allow_auto_create_topics=False,
                    metrics_enabled=False,
                    **self._credentials.options(),
                )
            except KafkaTimeoutError as error:
                raise no_connection(self._name, within) from error
        return self._producer

    def _send(
        self, producer: KafkaProducer, records: Sequence[Outgoing], keys: Sequence[bytes], deadline: float
    ) -> list[Position]:
        positions: list[Position] = []
        waiting: deque[tuple[Topic, int, Any]] = deque()
        held = 0
        for record, key in zip(records, keys, strict=True):
            size = len(key) + len(record.value or b"")
            while waiting and held + size > IN_FLIGHT:
                held -= self._await(waiting, positions, deadline)
            # Read at each call: a topic that is not known yet may be waited for until the deadline.
            producer.config["max_block_ms"] = max(int(self._left(deadline) * 1000), 1)
            name, partition = self._prefix + record.topic, record.partition
            there = len(producer.partitions_for(name))
            if partition is None:
                partition = partition_of(key, there)
            elif not 0 <= partition < there:
                raise BusError(f"{record.topic} has {there} partitions, there is no partition {partition}")
            future = producer.send(name, record.value, key, partition=partition)
            waiting.append((record.topic, size, future))
            held += size
        while waiting:
            self._await(waiting, positions, deadline)
        return positions

    def _await(self, waiting: deque[tuple[Topic, int, Any]], positions: list[Position], deadline: float) -> int:
        topic, size, future = waiting.popleft()
        taken = future.get(timeout=max(self._left(deadline), 0.001))
        positions.append(Position(topic, taken.partition, taken.offset))
        return size

    def _left(self, deadline: float) -> float:
        return deadline - time.monotonic()

    def _drop(self) -> None:
        """End the producer now. What it has not sent must not go out behind what is published again."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        sender = producer._sender  # noqa: SLF001  (`close` waits for the brokers; there is no other way to give up)
        sender.initiate_close()
        sender.force_close()
        sender.wakeup()
        sender.join(_AFTER)
        with suppress(KafkaError):
            producer.close(timeout=0)


def _topics(records: Sequence[Outgoing]) -> str:
    return ", ".join(sorted({record.topic for record in records}))
