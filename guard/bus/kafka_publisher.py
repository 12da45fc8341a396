"""Publishing to Kafka: idempotent, acknowledged by all replicas in sync, in order, within a bound of memory."""

import threading
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from kafka.errors import KafkaError, KafkaTimeoutError, UnknownTopicOrPartitionError
from kafka.producer import KafkaProducer

from guard.bus import BusUnavailableError, Outgoing, Position
from guard.bus.kafka_client import answers, connected, translated
from guard.bus.kafka_credentials import Credentials, require
from guard.bus.kafka_settings import Compression, KafkaSettings
from guard.bus.record_limits import LARGEST_VALUE, require_fit, require_partition

WAVE = 4 << 20
"""Bytes of keys and values that wait for acknowledgement at once: the bound of the producer's memory is this, once
as it is and once packed. kafka-python has no bound of its own."""
_BATCH = 256 << 10
"""Bytes of a wave for one partition: twenty records of the largest nodes, before packing. A larger one goes alone.
More would raise the memory of an agent that drains its spool: a batch is there three times while it is sent."""
_AROUND = 64
_LARGEST_REQUEST = LARGEST_VALUE + 40_000
_LINGER = 60_000
"""Milliseconds: for ever. A batch goes when the wave is complete, so a partition has one batch at a time."""
_REQUEST = 4_000
"""Milliseconds that one request may take before it is tried again, elsewhere if the leader moved."""
_DELIVERY = 120_000
_LONGEST = 60.0
"""Seconds of the longest publishing: giving up is ours, before kafka-python skips one batch and sends the next."""
_CONNECT = 5.0
_NEW_TOPIC = 3.0
"""Seconds in which a topic that was just made becomes known to all brokers."""
_TRY = 0.25
_ENDS = 5.0
"""Seconds in which a producer that was given up has ended: a request, and the look at the clock."""

Record = tuple[Outgoing, bytes, int]
"""What to send, its key in UTF-8, its partition."""


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key: CRC-32, as on the embedded bus, so that a job stays in one place."""
    return zlib.crc32(key) % partitions


def waves(records: Sequence[Record]) -> Iterator[list[Record]]:
    """Parts of what is to be sent, in order: one batch of each partition at most, and ``WAVE`` bytes in all."""
    wave: list[Record] = []
    held, of = 0, dict[tuple[str, int], int]()
    for record in records:
        outgoing, key, partition = record
        place, size = (outgoing.topic, partition), len(key) + len(outgoing.value or b"") + _AROUND
        if wave and (held + size > WAVE or (place in of and of[place] + size > _BATCH)):
            yield wave
            wave, held, of = [], 0, {}
        wave.append(record)
        held, of[place] = held + size, of.get(place, 0) + size
    if wave:
        yield wave


class KafkaPublisher:
    """One producer, made at the first publishing and anew after each failure. Threads may share it.

    After a failure the producer is thrown away with all that it had not sent: what is published again goes first.
    A batch that failed has none behind it in its partition, so none can overtake it.
    """

    def __init__(self, servers: Sequence[str], settings: KafkaSettings, prefix: str) -> None:
        self._servers, self._settings, self._prefix = list(servers), settings, prefix
        self._name = ",".join(servers)
        self._credentials = Credentials(settings)
        self._producer: KafkaProducer | None = None
        self._cluster: Any = None
        self._ending: KafkaProducer | None = None
        self._lock = threading.Lock()

    def publish(self, records: Sequence[Outgoing], timeout: float) -> list[Position]:
        """Append all records; see the protocol."""
        keys = [require_fit(record) for record in records]
        if not records:
            return []
        within = min(max(timeout, 0.0), _LONGEST)
        deadline = time.monotonic() + within
        if not self._lock.acquire(timeout=within):
            raise BusUnavailableError(
                f"kafka {self._name}: another thread publishes for longer than {timeout:g} s"
            )
        try:
            return self._publish(records, keys, deadline)
        except KafkaError as error:
            self._give_up()
            raise translated(error, self._name, f"publishing to {_topics(records)}") from error
        except BaseException:
            self._give_up()
            raise
        finally:
            self._lock.release()

    def close(self) -> None:
        """Close the connections. Nothing is under way: every publishing waits for its end."""
        with self._lock:
            self._give_up()
            self._reap(_ENDS)

    def _publish(self, records: Sequence[Outgoing], keys: Sequence[bytes], deadline: float) -> list[Position]:
        producer = self._open(deadline)
        counts = {topic: self._count(producer, topic, deadline) for topic in {record.topic for record in records}}
        placed = [
            (record, key, _placed(record, key, counts[record.topic]))
            for record, key in zip(records, keys, strict=True)
        ]
        return [position for wave in waves(placed) for position in self._send(producer, wave, deadline)]

    def _open(self, deadline: float) -> KafkaProducer:
        if self._producer is not None and self._credentials.renewed():
            self._give_up()
        if not self._reap(deadline - time.monotonic()):
            # One may be ending, not more: threads must not pile up while the brokers are away.
            raise BusUnavailableError(f"kafka {self._name}: the connection that was given up has not ended yet")
        if self._producer is None:
            self._producer, self._cluster = connected(
                KafkaProducer,
                self._servers,
                self._credentials,
                min(deadline - time.monotonic(), _CONNECT),
                metrics_enabled=False,
                enable_idempotence=True,
                acks="all",
                compression_type=_codec(self._settings.compression),
                batch_size=_BATCH,
                linger_ms=_LINGER,
                max_request_size=_LARGEST_REQUEST,
                request_timeout_ms=_REQUEST,
                delivery_timeout_ms=_DELIVERY,
            )
        return self._producer

    def _count(self, producer: KafkaProducer, topic: str, deadline: float) -> int:
        """How many partitions a topic has."""
        name, left = self._prefix + topic, deadline - time.monotonic()
        # It is read at each call. What is left then is for asking whether anybody is there at all.
        producer.config["max_block_ms"] = max(int(min(0.7 * left, _NEW_TOPIC) * 1000), 1)
        try:
            return len(producer.partitions_for(name))
        except KafkaTimeoutError:
            if answers(self._cluster, deadline - time.monotonic()):
                raise UnknownTopicOrPartitionError(name) from None
            raise

    def _send(self, producer: KafkaProducer, wave: Sequence[Record], deadline: float) -> list[Position]:
        futures = [
            producer.send(self._prefix + record.topic, record.value, key, partition=partition)
            for record, key, partition in wave
        ]
        while not all(future.is_done for future in futures):
            left = deadline - time.monotonic()
            if left <= 0:
                raise KafkaTimeoutError(f"not acknowledged in time: {self._prefix}{wave[0][0].topic}")
            # It waits so long for each batch: in short steps, all together keep the deadline.
            with suppress(KafkaTimeoutError):
                producer.flush(timeout=min(left, _TRY))
        taken = [future.get(timeout=0) for future in futures]
        if any(record.offset < 0 for record in taken):  # a repeat that the broker knew, without where
            raise KafkaTimeoutError("acknowledged without an offset")
        return [
            Position(record.topic, done.partition, done.offset)
            for (record, _, _), done in zip(wave, taken, strict=True)
        ]

    def _give_up(self) -> None:
        """Let the producer end with what it has not sent: that must not go out behind what is sent again."""
        if self._producer is not None:
            self._ending, self._producer = self._producer, None
            self._ending._sender.force_close()  # noqa: SLF001  (`close` flushes first, and fails if it cannot)

    def _reap(self, within: float) -> bool:
        """Wait for the producer that was given up; whether it has ended."""
        if self._ending is None:
            return True
        sender = self._ending._sender  # noqa: SLF001
        sender.join(max(within, 0.0))
        if sender.is_alive():
            return False
        with suppress(KafkaError):
            self._ending.close(timeout=0)
        self._ending = None
        return True


def _placed(record: Outgoing, key: bytes, partitions: int) -> int:
    require_partition(record, partitions)
    return partition_of(key, partitions) if record.partition is None else record.partition


def _codec(compression: Compression) -> str:
    if compression is Compression.LZ4:
        require("lz4", "kafka.compression is lz4")
    return compression.value


def _topics(records: Sequence[Outgoing]) -> str:
    return ", ".join(sorted({record.topic for record in records}))
