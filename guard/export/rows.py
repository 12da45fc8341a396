"""A record as rows of its table. Pure."""

import base64
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from collectors.telemetry import RecordError, Steps, Telemetry
from collectors.telemetry import decode as decode_telemetry
from detectors.verdict import Verdict
from detectors.verdict import decode as decode_saying
from guard import deadletter
from guard.bus import Message, Topic
from guard.export.columns import LAYOUT, SECTIONS
from guard.tail.raw import line

Row = Mapping[str, Any]
"""Values by column; what is left out is unknown. Times are whole microseconds since 1970, UTC."""

_LATEST = 1e12
"""Unix seconds; a time beyond is none, and no table can hold it."""
_WIDEST = 1 << 63
_PLAIN = ("count", "first_step", "last_step", "duration", "slowest", "work", "current", "current_age", "alive")
_CHECKPOINTS = ("checkpoint_step", "resumed_step")
_MOMENTS = ("last_end", "checkpoint_end")
_OF_BOTH = ("id", "cluster", "status", "slowdown")
_OF_NODE = ("node", "instance", "role", "cause", "device", "severity", "confidence")
_OF_JOB = ("job", "step_time", "baseline", "nodes", "reason")
_MOST_RANKS, _LONGEST_LABELS = 4096, 4096
"""Ranks of a node, and bytes of its labels, which every one of its rows repeats: no real node comes near, and a
record made to fill the memory of whoever exports it is set aside."""


def rows(message: Message) -> Iterator[Row]:
    """The rows of one record.

    Raises:
        RecordError: it cannot be read, or holds what no table can.
    """
    if message.value is None:
        raise RecordError("the deletion of a key")
    place = {
        "taken": _moment(message.time),
        "partition": message.position.partition,
        "offset": message.position.offset,
    }
    for row in _READERS[message.position.topic](message.key, message.value):
        _require_fit(row)
        yield place | dict(row)


def _require_fit(row: Row) -> None:
    for name, value in row.items():
        if isinstance(value, int) and not -_WIDEST <= value < _WIDEST:
            raise RecordError(f"Expected a number of at most 64 bits - at `{name}`")


def _moment(seconds: float | None) -> int | None:
    if seconds is None:
        return None
    if not 0 <= seconds < _LATEST:
        raise RecordError(f"Expected Unix seconds, got {seconds:g}")
    return round(seconds * 1e6)


def _json(value: object) -> str | None:
    """JSON text; empty is unknown."""
    return msgspec.json.encode(value).decode() if value else None


def _telemetry(_key: str, value: bytes) -> Iterator[Row]:
    record = decode_telemetry(value)
    common = {name: getattr(record, name) for name in ("cluster", "node", "instance", "boot", "seq", "period")} | {
        "time": _moment(record.time),
        "job": record.job.id if record.job else None,
        "attempt": record.job.attempt if record.job else None,
        "leaving": record.leaving,
        "labels": _json(record.labels),
    }
    if len(common["labels"] or "") > _LONGEST_LABELS:
        raise RecordError(f"Expected at most {_LONGEST_LABELS} bytes of labels - at `$.labels`")
    if record.ranks and len(record.ranks.rank) > _MOST_RANKS:
        raise RecordError(f"Expected at most {_MOST_RANKS} ranks, got {len(record.ranks.rank)} - at `$.ranks`")
    node = {name: _json(getattr(record, name)) for name in ("gauges", "counters", "faults", "gaps")}
    ranks = list(_ranks(record)) or [{}]
    yield common | ranks[0] | node
    for rank in ranks[1:]:
        yield common | rank


def _ranks(record: Telemetry) -> Iterator[dict[str, Any]]:
    if record.ranks is None:
        return
    layout = {name: column for name in LAYOUT if (column := getattr(record.ranks, name)) is not None}
    for index, rank in enumerate(record.ranks.rank):
        row = {"rank": rank} | {name: column[index] for name, column in layout.items()}
        yield row | _steps(record.steps, index) if record.steps else row


def _steps(steps: Steps, index: int) -> dict[str, Any]:
    row: dict[str, Any] = {"synced": steps.synced}
    for name in (*_PLAIN, *_CHECKPOINTS, *_MOMENTS):
        column = getattr(steps, name)
        if column is not None:
            row[name] = _moment(column[index]) if name in _MOMENTS else column[index]
    others: dict[str, float | None] = {}
    for name, column in (steps.sections or {}).items():
        (row if name in SECTIONS else others)[name] = column[index]
    row["other_sections"] = _json(others)
    for name in SECTIONS:
        if steps.peak and name in steps.peak:
            row[f"peak_{name}"] = steps.peak[name][index]
    return row


def _saying(_key: str, value: bytes) -> Iterator[Row]:
    said = decode_saying(value)
    row = {name: getattr(said, name) for name in _OF_BOTH}
    row |= {"time": _moment(said.time), "since": _moment(said.since)}
    if isinstance(said, Verdict):
        job = {"job": said.job.id, "attempt": said.job.attempt} if said.job else {}
        row |= {name: getattr(said, name) for name in _OF_NODE}
        yield row | job | {"kind": "node", "evidence": _json(said.evidence)}
    else:
        row |= {name: getattr(said, name) for name in _OF_JOB}
        yield row | {"kind": "job", "accused": _json(said.accused)}


def _letter(_key: str, value: bytes) -> Iterator[Row]:
    letter = deadletter.decode(value)
    yield {
        "topic": letter.topic,
        "of_partition": letter.partition,
        "of_offset": letter.offset,
        "key": letter.key,
        "reason": letter.reason,
        "size": letter.size,
        "value": base64.b64encode(letter.value).decode(),
    }


def _any(key: str, value: bytes) -> Iterator[Row]:
    text = line(value)
    if text is None:
        raise RecordError("not JSON")
    yield {"key": key, "value": text}


_READERS: dict[Topic, Callable[[str, bytes], Iterator[Row]]] = {
    Topic.TELEMETRY: _telemetry,
    Topic.VERDICTS: _saying,
    Topic.STATE: _saying,
    Topic.DEADLETTER: _letter,
    Topic.LEDGER: _any,
    Topic.CONTROL: _any,
}
