"""The files that an export can write, each in pieces of bounded size."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO, Protocol

from guard.export.columns import Column, Kind
from guard.export.rows import Row

FORMATS = (".parquet", ".csv", ".csv.zst", ".ndjson", ".ndjson.zst")


class Table(Protocol):
    """Takes rows."""

    def write(self, rows: Sequence[Row]) -> None:
        """Append them."""
        ...

    def close(self) -> None:
        """Write what belongs at the end, while the file is still open; also of a table that is given up."""
        ...


def kind_of(path: str) -> str | None:
    """The format that a name's end asks for; None: none of them."""
    return next((end for end in FORMATS if path.endswith(end)), None)


@contextmanager
def packed(file: BinaryIO, kind: str) -> Iterator[BinaryIO]:
    """The file to write a format into: compressed where its name ends in ``.zst``."""
    if not kind.endswith(".zst"):
        yield file
        return
    import zstandard  # noqa: PLC0415  (for these files alone)

    with zstandard.ZstdCompressor(write_checksum=True).stream_writer(file, closefd=False) as writer:
        yield writer


def table(file: BinaryIO, kind: str, columns: Sequence[Column]) -> Table:
    """A table to write rows into; ``kind`` is a Parquet or CSV format."""
    return (_Parquet if kind == ".parquet" else _Csv)(file, columns)


class _Arrow:
    """Rows as a batch of Arrow columns, of the same types in every batch."""

    def __init__(self, columns: Sequence[Column]) -> None:
        import pyarrow as pa  # noqa: PLC0415  (an extra, and large)

        kinds: dict[Kind, Callable[[], Any]] = {
            Kind.TEXT: pa.string,
            Kind.JSON: pa.string,
            Kind.WHOLE: pa.int64,
            Kind.NUMBER: pa.float64,
            Kind.TRUTH: pa.bool_,
            Kind.MOMENT: lambda: pa.timestamp("us", tz="UTC"),
        }
        self.schema = pa.schema([(column.name, kinds[column.kind]()) for column in columns])
        self._batch = pa.RecordBatch.from_pylist

    def __call__(self, rows: Sequence[Row]) -> Any:
        return self._batch(rows, schema=self.schema)


class _Parquet:
    def __init__(self, file: BinaryIO, columns: Sequence[Column]) -> None:
        import pyarrow.parquet as pq  # noqa: PLC0415

        self._arrow = _Arrow(columns)
        self._writer = pq.ParquetWriter(file, self._arrow.schema, compression="zstd")

    def write(self, rows: Sequence[Row]) -> None:
        self._writer.write_batch(self._arrow(rows))

    def close(self) -> None:
        self._writer.close()


class _Csv:
    def __init__(self, file: BinaryIO, columns: Sequence[Column]) -> None:
        from pyarrow import csv  # noqa: PLC0415

        self._arrow = _Arrow(columns)
        options = csv.WriteOptions(quoting_style="needed")
        self._writer = csv.CSVWriter(file, self._arrow.schema, write_options=options)

    def write(self, rows: Sequence[Row]) -> None:
        self._writer.write_batch(self._arrow(rows))

    def close(self) -> None:
        self._writer.close()
