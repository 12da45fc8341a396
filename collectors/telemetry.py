"""The telemetry record ``guard.telemetry/1``: what an agent sends and a detector reads.

The types below are the schema. A value that was not measured is ``None`` or absent, never ``0``.
Units are base units: seconds, bytes, ratios 0-1.
"""

import math
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

SCHEMA = "guard.telemetry/1"
LARGEST_RECORD = 1_000_000
"""Bytes of an encoded record that a bus accepts (Kafka's default for a message, rounded down)."""

Value = float | None
Values = Value | list[Value]
"""One number, or a list by index of device, core or adapter."""

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


class Ranks(Struct, frozen=True, omit_defaults=True):
    """Columns, a row per local rank: where each sits in the parallel layout."""

    rank: list[int]
    local_rank: list[Index] | None = None
    device: list[Index] | None = None
    stage: list[Index] | None = None
    dp: list[Index] | None = None
    tp: list[Index] | None = None
    ep: list[Index] | None = None
    cp: list[Index] | None = None


class Steps(Struct, frozen=True, omit_defaults=True):
    """Columns, a row per local rank, over the steps that ended in the period. Sums in seconds."""

    count: list[int | None]
    first_step: list[Index] | None = None
    last_step: list[Index] | None = None
    last_end: list[Value] | None = None
    duration: list[Value] | None = None
    slowest: list[Value] | None = None
    work: list[Value] | None = None
    sections: dict[str, list[Value]] | None = None
    peak: dict[str, list[Value]] | None = None
    synced: bool | None = None
    current: list[str | None] | None = None
    current_age: list[Value] | None = None
    alive: list[bool | None] | None = None
    checkpoint_step: list[Index] | None = None
    checkpoint_end: list[Value] | None = None
    resumed_step: list[Index] | None = None


class Fault(Struct, frozen=True, omit_defaults=True):
    """A hard error that hardware or runtime reported in the period."""

    code: Name
    time: float
    device: Index = None
    detail: str | None = None


class Telemetry(Struct, frozen=True, omit_defaults=True):
    """One node, one period."""

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
    ranks: Ranks | None = None
    steps: Steps | None = None
    gauges: dict[str, Values] = {}
    counters: dict[str, Values] = {}
    faults: list[Fault] = []
    gaps: dict[str, str] = {}

    @property
    def key(self) -> str:
        """The key on the bus: cluster/job, and cluster/node while idle, so that a job stays in one place."""
        return f"{self.cluster}/{self.job.id if self.job else self.node}"

    @property
    def identity(self) -> tuple[str, str, str, str, int]:
        """What makes a repeat of this record recognisable."""
        return (self.cluster, self.node, self.instance, self.boot, self.seq)


_decoder = msgspec.json.Decoder(Telemetry)
_encoder = msgspec.json.Encoder()


class _Head(Struct):
    schema: str


_head = msgspec.json.Decoder(_Head)


def decode(line: bytes) -> Telemetry:
    """Read one record.

    Raises:
        UnknownVersionError: another schema or version; set it aside.
        RecordError: not a record; the text names the offending field.
    """
    if len(line) > LARGEST_RECORD:
        raise RecordError(f"{len(line)} bytes, a record has at most {LARGEST_RECORD}")
    try:
        record = _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        _refuse_other_version(line)
        raise RecordError(str(error)) from error
    if record.schema != SCHEMA:
        raise UnknownVersionError(f"schema {record.schema[:80]!r}, this reader knows {SCHEMA!r} - at `$.schema`")
    _check(record)
    return record


def encode(record: Telemetry) -> bytes:
    """Write one record as JSON without a line end. Absent stays absent."""
    return _encoder.encode(record)


def _refuse_other_version(line: bytes) -> None:
    try:
        schema = _head.decode(line).schema
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    if schema != SCHEMA:
        raise UnknownVersionError(f"schema {schema[:80]!r}, this reader knows {SCHEMA!r} - at `$.schema`")


def _check(record: Telemetry) -> None:
    """Check what types cannot say: finite times, columns of one length, counters that do not fall."""
    if not math.isfinite(record.time) or not 0 < record.time < 1e11:
        raise RecordError(f"Expected Unix seconds, got {record.time} - at `$.time`")
    if not math.isfinite(record.period) or record.period > 86_400:
        raise RecordError(f"Expected a period of at most a day, got {record.period} - at `$.period`")
    rows = len(record.ranks.rank) if record.ranks else 0
    if record.steps and not record.ranks:
        raise RecordError("Expected `ranks` beside `steps` - at `$.ranks`")
    _check_columns(record, rows)
    for name, value in record.counters.items():
        for number in value if isinstance(value, list) else (value,):
            if number is not None and not number >= 0:
                raise RecordError(f"Expected an increase >= 0, got {number} - at `$.counters.{name[:80]}`")


def _check_columns(record: Telemetry, rows: int) -> None:
    for path, columns in (("ranks", record.ranks), ("steps", record.steps)):
        if columns is None:
            continue
        for field in columns.__struct_fields__:
            column = getattr(columns, field)
            if isinstance(column, list):
                _check_column(column, rows, f"$.{path}.{field}")
            elif isinstance(column, dict):
                for name, inner in column.items():
                    _check_column(inner, rows, f"$.{path}.{field}.{name[:80]}")


def _check_column(column: list[object], rows: int, path: str) -> None:
    if len(column) != rows:
        raise RecordError(f"Expected {rows} rows, one per rank, got {len(column)} - at `{path}`")
    for number in column:
        if isinstance(number, float) and not 0 <= number < 1e12:
            raise RecordError(f"Expected a length or time in seconds, got {number} - at `{path}`")
