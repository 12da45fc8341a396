"""Unpacking record batches within bounds: whoever may write a topic may write a batch that unpacks to gigabytes.

kafka-python unpacks what a batch claims to be, whatever its size, and asks again and again for one that it cannot
unpack: a single such batch would end every detector, one after the other, or hold its partition for ever. Here a
batch that is too large or cannot be unpacked counts as empty; it is passed over, and told.

For zstd this is also quicker than kafka-python's own way, which makes a new decompressor for each batch.
"""

import threading
import zlib
from collections import deque
from dataclasses import dataclass

import zstandard
from kafka.record.default_records import DefaultRecordBatch

LARGEST_BATCH = 32 << 20
"""Bytes of an unpacked batch. guard's own have 1.1 MB at most; 1 MB of other writers' unpacks to some 10 MB."""

_REMEMBERED = 100
"""Batches passed over that are remembered until somebody asks."""

_ZSTD, _GZIP = DefaultRecordBatch.CODEC_ZSTD, DefaultRecordBatch.CODEC_GZIP
_GZIP_WINDOW = 31
_theirs = DefaultRecordBatch._maybe_uncompress  # noqa: SLF001  (kafka-python has no other place for this)
_local = threading.local()
_passed_over: "deque[PassedOver]" = deque(maxlen=_REMEMBERED)


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A batch that was not read: its first offset, how many records it claims, and why."""

    offset: int
    records: int
    reason: str


class _UnreadableError(ValueError):
    pass


def passed_over() -> list[PassedOver]:
    """The batches passed over since this was asked last."""
    return [_passed_over.popleft() for _ in range(len(_passed_over))]


def unpack_within_bounds() -> None:
    """Have kafka-python unpack batches as this module does, in the whole process."""
    DefaultRecordBatch._maybe_uncompress = _unpack  # noqa: SLF001


def _unpack(batch: DefaultRecordBatch) -> None:
    if batch._decompressed:  # noqa: SLF001
        return
    codec = batch.compression_type
    try:
        if codec in (_ZSTD, _GZIP):
            packed = bytes(memoryview(batch._buffer)[batch._pos :])  # noqa: SLF001
            _become(batch, _unzstd(packed) if codec == _ZSTD else _gunzip(packed))
        else:
            _theirs(batch)
    except Exception as error:  # noqa: BLE001  (whatever it is: the batch must not be asked for again)
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        _passed_over.append(PassedOver(batch.base_offset, batch.records_count, reason))
        _become(batch, b"")
        batch._next_record_index = batch.records_count  # noqa: SLF001


def _become(batch: DefaultRecordBatch, records: bytes) -> None:
    batch._buffer, batch._pos, batch._decompressed = bytearray(records), 0, True  # noqa: SLF001


def _unzstd(packed: bytes) -> bytes:
    size = zstandard.frame_content_size(packed)  # -1: the frame does not say, as those of the Java client
    if size > LARGEST_BATCH:
        raise _UnreadableError(f"claims to unpack to {size} bytes, at most {LARGEST_BATCH} are read")
    decompressor = getattr(_local, "zstd", None)
    if decompressor is None:
        decompressor = _local.zstd = zstandard.ZstdDecompressor()
    if size > 0:
        whole: bytes = decompressor.decompress(packed, allow_extra_data=False)
        return whole
    with decompressor.stream_reader(packed, read_across_frames=True) as reader:
        return _bounded(reader.read(LARGEST_BATCH + 1))


def _gunzip(packed: bytes) -> bytes:
    return _bounded(zlib.decompressobj(_GZIP_WINDOW).decompress(packed, LARGEST_BATCH + 1))


def _bounded(records: bytes) -> bytes:
    if len(records) > LARGEST_BATCH:
        raise _UnreadableError(f"unpacks to more than {LARGEST_BATCH} bytes")
    return records
