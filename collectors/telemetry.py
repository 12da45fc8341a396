"""The telemetry record ``guard.telemetry/1``: what an agent sends and a detector reads.

The types below are the schema. A value that was not measured is ``None`` or absent, never ``0``.
Units are base units: seconds, bytes, ratios 0-1.
"""

import math
from collections.abc import Callable, Sized
from operator import attrgetter
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct

SCHEMA = "guard.telemetry/1"
LARGEST_RECORD = 1_000_000
"""Bytes of an encoded record that a bus accepts (Kafka's default for a message, rounded down)."""

Value = float | None
Values = Value | list[Value]
"""One number, or a list by index of device, core or adapter."""

Seconds = Annotated[float, Meta(ge=0, lt=1e12)] | None
"""A length or a time. msgspec checks the bounds while it decodes, which costs nothing beside a loop of ours."""

Increase = Annotated[float, Meta(ge=0)] | None
Increases = Increase | list[Increase]

Name = Annotated[str, Meta(min_length=1, max_length=253)]
Index = int | None


class RecordError(ValueError):
    """A record that cannot be read. The text names the field and what is wrong with it."""


class UnknownVersionError(RecordError):
    """A well-formed record of a schema or version that this reader does not know."""


class Job(Struct, frozen=True, omit_defaults=True):
    """The training job that holds the node. ``attempt`` only grows."""

    id: Name
    attempt: Annotated[int, Meta(ge=0)] = 0
    name: Annotated[str, Meta(max_length=253)] | None = None


class ComparedRanks(Struct, frozen=True, omit_defaults=True):
    """Of `Ranks` what detection compares by."""

    rank: list[int]
    device: list[Index] | None = None
    stage: list[Index] | None = None
    tp: list[Index] | None = None
    ep: list[Index] | None = None
    dp: list[Index] | None = None


class Ranks(ComparedRanks, frozen=True, omit_defaults=True):
    """Columns, a row per local rank: where each sits in the parallel layout."""

    local_rank: list[Index] | None = None
    cp: list[Index] | None = None


class ComparedSteps(Struct, frozen=True, omit_defaults=True):
    """Of `Steps` what detection compares, and how far each rank has come."""

    count: list[int | None]
    first_step: list[Index] | None = None
    last_step: list[Index] | None = None
    last_end: list[Seconds] | None = None
    duration: list[Seconds] | None = None
    slowest: list[Seconds] | None = None
    work: list[Seconds] | None = None
    sections: dict[str, list[Seconds]] | None = None
    synced: bool | None = None
    current: list[str | None] | None = None
    current_age: list[Seconds] | None = None
    alive: list[bool | None] | None = None


class Steps(ComparedSteps, frozen=True, omit_defaults=True):
    """Columns, a row per local rank, over the steps that ended in the period. Sums in seconds."""

    peak: dict[str, list[Seconds]] | None = None
    checkpoint_step: list[Index] | None = None
    checkpoint_end: list[Seconds] | None = None
    resumed_step: list[Index] | None = None


class Fault(Struct, frozen=True, omit_defaults=True):
    """A hard error that hardware or runtime reported in the period."""

    code: Name
    time: float
    device: Index = None
    detail: str | None = None


class Compared(Struct, frozen=True, omit_defaults=True):
    """Of a record what detection reads. To make values of all the rest would take as long again."""

    schema: str
    cluster: Name
    node: Name
    instance: Name
    boot: Name
    seq: Annotated[int, Meta(ge=0)]
    time: float
    period: Annotated[float, Meta(gt=0)]
    job: Job | None = None
    leaving: bool = False
    labels: dict[str, str] = {}
    ranks: ComparedRanks | None = None
    steps: ComparedSteps | None = None
    gauges: dict[str, Values] = {}
    counters: dict[str, Increases] = {}
    faults: list[Fault] = []

    @property
    def key(self) -> str:
        """The key on the bus: cluster/job, and cluster/node while idle, so that a job stays in one place."""
        return f"{self.cluster}/{self.job.id if self.job else self.node}"

    @property
    def identity(self) -> tuple[str, str, str, str, int]:
        """What makes a repeat of this record recognisable."""
        return (self.cluster, self.node, self.instance, self.boot, self.seq)


_Record = TypeVar("_Record", bound=Compared)


class Telemetry(Compared, frozen=True, omit_defaults=True):
    """One node, one period."""

    ranks: Ranks | None = None
    steps: Steps | None = None
    gaps: dict[str, str] = {}


_decoder = msgspec.json.Decoder(Telemetry)
_compared = msgspec.json.Decoder(Compared)
_encoder = msgspec.json.Encoder()


class _Head(Struct):
    schema: str


_head = msgspec.json.Decoder(_Head)


def decode(line: bytes) -> Telemetry:
    """Read one record, all of it.

    Raises:
        UnknownVersionError: another schema or version; set it aside.
        RecordError: not a record; the text names the offending field.
    """
    return _decoded(_decoder, line)


def decode_compared(line: bytes) -> Compared:
    """Read of one record what detection compares, and check that much.

    Raises:
        UnknownVersionError: another schema or version; set it aside.
        RecordError: not a record; the text names the offending field.
    """
    return _decoded(_compared, line)


def _decoded(decoder: "msgspec.json.Decoder[_Record]", line: bytes) -> _Record:
    if len(line) > LARGEST_RECORD:
        raise RecordError(f"{len(line)} bytes, a record has at most {LARGEST_RECORD}")
    try:
        record = decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        _refuse_other_version(line)
        raise RecordError(_named(str(error), line)) from error
    if record.schema != SCHEMA:
        raise UnknownVersionError(f"schema {record.schema[:80]!r}, this reader knows {SCHEMA!r} - at `$.schema`")
    _check(record)
    return record


def encode(record: Compared) -> bytes:
    """Write one record as JSON without a line end. Absent stays absent."""
    return _encoder.encode(record)


def _refuse_other_version(line: bytes) -> None:
    try:
        schema = _head.decode(line).schema
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    if schema != SCHEMA:
        raise UnknownVersionError(f"schema {schema[:80]!r}, this reader knows {SCHEMA!r} - at `$.schema`")


_MAPPINGS: dict[str, Any] = {
    "$.labels": str,
    "$.steps.sections": list[Seconds],
    "$.steps.peak": list[Seconds],
    "$.gauges": Values,
    "$.counters": Increases,
    "$.gaps": str,
}


def _named(problem: str, line: bytes) -> str:
    """Put the key where msgspec says ``[...]``, some value of a mapping."""
    for path, kind in _MAPPINGS.items():
        if f"`{path}[...]" not in problem:
            continue
        mapping = msgspec.json.decode(line)
        for part in path.split(".")[1:]:
            mapping = mapping[part]
        for name, value in mapping.items():
            try:
                msgspec.convert(value, kind)
            except msgspec.ValidationError:
                return problem.replace("[...]", f".{name[:80]}", 1)
    return problem


def _check(record: Compared) -> None:
    """Check what types cannot say: a sensible time, and columns of one length."""
    if not math.isfinite(record.time) or not 0 < record.time < 1e11:
        raise RecordError(f"Expected Unix seconds, got {record.time} - at `$.time`")
    if not math.isfinite(record.period) or record.period > 86_400:
        raise RecordError(f"Expected a period of at most a day, got {record.period} - at `$.period`")
    if record.steps and not record.ranks:
        raise RecordError("Expected `ranks` beside `steps` - at `$.ranks`")
    if record.ranks:
        _check_rows(record.ranks, record.steps, len(record.ranks.rank))


def _check_rows(ranks: ComparedRanks, steps: ComparedSteps | None, rows: int) -> None:
    """Every column has a row per rank."""
    for columns, path in ((ranks, "$.ranks"), (steps, "$.steps")):
        if columns is None:
            continue
        names, values = _COLUMNS[type(columns)]
        for name, column in zip(names, values(columns), strict=True):
            if type(column) is list and len(column) != rows:
                raise _uneven(rows, column, f"{path}.{name}")
            if type(column) is dict:
                for section, inner in column.items():
                    if len(inner) != rows:
                        raise _uneven(rows, inner, f"{path}.{name}.{section[:80]}")


_COLUMNS: dict[type[Struct], tuple[tuple[str, ...], Callable[[Struct], tuple[Any, ...]]]] = {
    kind: (kind.__struct_fields__, attrgetter(*kind.__struct_fields__))
    for kind in (ComparedRanks, Ranks, ComparedSteps, Steps)
}


def _uneven(rows: int, column: Sized, path: str) -> RecordError:
    return RecordError(f"Expected {rows} rows, one per rank, got {len(column)} - at `{path}`")
