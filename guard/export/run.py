"""Reading a topic from one time to another, and writing it down piece by piece."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import BinaryIO

from collectors.telemetry import RecordError, UnknownVersionError
from guard.bus import Bus, Message, Topic
from guard.export.columns import COLUMNS
from guard.export.files import packed, table
from guard.export.rows import Row, rows
from guard.tail.raw import line

_PIECE_ROWS, _PIECE_BYTES = 20_000, 32 << 20
"""A piece is written when it has so many rows, or came from so many bytes: what an export holds in memory."""
_SLACK = 600.0
"""Seconds: brokers' clocks differ, so a record of the span may stand behind one that is past its end."""


@dataclass
class Counts:
    """How it went, or goes."""

    records: int = 0
    rows: int = 0
    aside: Counter[str] = field(default_factory=Counter)
    example: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Span:
    """Records that the bus took from ``since`` on and before ``until``, both Unix seconds."""

    since: float
    until: float


Progress = Callable[[int, int, float, Counts], None]
"""Told now and then: the partition being read, of how many, the time reached in it, and the counts."""


def export(bus: Bus, topic: Topic, span: Span, file: BinaryIO, kind: str, *, progress: Progress) -> Counts:
    """Write a topic to ``file``.

    Args:
        bus: where it is.
        topic: one of `COLUMNS`, any for NDJSON.
        span: which of its records.
        file: open for writing.
        kind: one of `guard.export.files.FORMATS`.
        progress: told how far it is.
    """
    counts = Counts()
    messages = _messages(bus, topic, span, counts, progress)
    with packed(file, kind) as target:
        if kind.startswith(".ndjson"):
            _lines(messages, target, counts)
        else:
            _rows(messages, target, kind, counts, topic)
    return counts


def _messages(bus: Bus, topic: Topic, span: Span, counts: Counts, progress: Progress) -> Iterator[Message]:
    partitions = bus.partitions(topic)
    for partition in range(partitions):
        for message in bus.scan(topic, partition=partition, since=span.since):
            if message.time >= span.until + _SLACK:
                break
            if message.time < span.until:
                counts.records += 1
                yield message
            progress(partition, partitions, message.time, counts)
    progress(partitions, partitions, span.until, counts)


def _lines(messages: Iterator[Message], target: BinaryIO, counts: Counts) -> None:
    for message in messages:
        text = line(message.value)
        if text is None:
            _set_aside(counts, message, RecordError("not JSON, or the deletion of a key"))
            continue
        target.write(text.encode("ascii") + b"\n")
        counts.rows += 1


def _rows(messages: Iterator[Message], target: BinaryIO, kind: str, counts: Counts, topic: Topic) -> None:
    with closing(table(target, kind, COLUMNS[topic])) as writer:
        for piece in _pieces(messages, counts):
            writer.write(piece)
            counts.rows += len(piece)


def _pieces(messages: Iterator[Message], counts: Counts) -> Iterator[list[Row]]:
    piece: list[Row] = []
    size = 0
    for message in messages:
        try:
            piece += list(rows(message))
        except RecordError as error:
            _set_aside(counts, message, error)
            continue
        size += len(message.value or b"")
        if len(piece) >= _PIECE_ROWS or size >= _PIECE_BYTES:
            yield piece
            piece, size = [], 0
    if piece:
        yield piece


def _set_aside(counts: Counts, message: Message, error: RecordError) -> None:
    reason = "unknown version" if isinstance(error, UnknownVersionError) else "cannot be read"
    counts.aside[reason] += 1
    place = message.position
    counts.example.setdefault(reason, f"{place.topic} {place.partition}:{place.offset}: {error}")
