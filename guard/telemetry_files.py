"""Telemetry from files: plain, gzip or Zstandard lines, with what cannot be read set aside and counted."""

import sys
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol

from collectors.telemetry import LARGEST_RECORD, Compared, RecordError, UnknownVersionError, decode_compared

_CHUNK = 64 << 10
_EXAMPLES = 3
"""Places named per reason; the counts say how many there are."""

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


@dataclass
class SetAside:
    """What was not read: how often for each reason, and where first."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def add(self, reason: str, place: str, detail: str = "") -> None:
        """Count one."""
        self.counts[reason] += 1
        examples = self.examples.setdefault(reason, [])
        if len(examples) < _EXAMPLES:
            examples.append(f"{place}: {detail[:200]}" if detail else place)


def read(path: str, aside: SetAside) -> Iterator[Compared]:
    """Every record of a file; ``-`` is standard input. The compression is seen from the first bytes.

    Raises:
        OSError: the file cannot be opened or read.
    """
    name = "<stdin>" if path == "-" else path
    source: AbstractContextManager[BinaryIO]
    source = nullcontext(sys.stdin.buffer) if path == "-" else open(path, "rb")  # noqa: PTH123, SIM115  ("-" or a path; closed by `with`)
    number = 0
    with source as file:
        for number, line in enumerate(_lines(_chunks(file, name, aside)), 1):
            record = _record(line, f"{name}:{number}", aside)
            if record is not None:
                yield record
    if number == 0 and not any(name in place for places in aside.examples.values() for place in places):
        aside.add("empty file", name)


def _record(line: bytes, place: str, aside: SetAside) -> Compared | None:
    if not line.strip():
        return None
    try:
        return decode_compared(line)
    except UnknownVersionError as error:
        aside.add("unknown version", place, str(error))
    except RecordError as error:
        aside.add("not a record", place, str(error))
    return None


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Lines without their ends. Of a line that is too long only so much is kept that it is seen to be."""
    kept = b""
    for chunk in chunks:
        first, *others = chunk.split(b"\n")
        kept = (kept + first)[: LARGEST_RECORD + 1]
        for line in others:
            yield kept
            kept = line
    if kept:
        yield kept


def _chunks(file: BinaryIO, name: str, aside: SetAside) -> Iterator[bytes]:
    start = file.read(_CHUNK)
    if start.startswith((_GZIP, _ZSTD)):
        yield from _decompressed(start, file, name, aside)
        return
    while start:
        yield start
        start = file.read(_CHUNK)


def _decompressed(start: bytes, file: BinaryIO, name: str, aside: SetAside) -> Iterator[bytes]:
    """The contents of all members or frames, as far as they go."""
    magic = start[:2] if start.startswith(_GZIP) else start[:4]
    decompressor, chunk = _decompressor(magic), start
    while True:
        try:
            yield decompressor.decompress(chunk)
        except _errors() as error:
            aside.add("damaged file", name, str(error))
            return
        if decompressor.eof:
            chunk = decompressor.unused_data or file.read(_CHUNK)
            # Padding after the last member is legal; anything else is another member, or damage.
            if not chunk.strip(b"\0"):
                return
            decompressor = _decompressor(magic)
        else:
            chunk = file.read(_CHUNK)
            if not chunk:
                aside.add("cut-off file", name, "the end of the compressed data is missing")
                return


def _decompressor(magic: bytes) -> _Decompressor:
    if magic == _GZIP:
        return zlib.decompressobj(wbits=31)
    if sys.version_info >= (3, 14):
        from compression import zstd  # noqa: PLC0415  (standard library from 3.14)

        return zstd.ZstdDecompressor()
    import zstandard  # noqa: PLC0415  (an extra; needed for .zst files alone)

    decompressor: _Decompressor = zstandard.ZstdDecompressor().decompressobj()
    return decompressor


def _errors() -> tuple[type[Exception], ...]:
    """What decompressors raise. Zstandard's is asked for only where it is loaded already."""
    loaded = sys.modules.get("zstandard") or sys.modules.get("compression.zstd")
    return (zlib.error, loaded.ZstdError) if loaded else (zlib.error,)
