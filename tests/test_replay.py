import gzip
import random
from pathlib import Path

import msgspec
import pytest
import zstandard
from click.testing import CliRunner, Result

from collectors.telemetry import Telemetry, encode
from detectors.verdict import Verdict, decode
from guard.commands.root import guard
from guard.telemetry_files import SetAside, read
from tests.fleet import Fleet, slow_from

RECORDS = Fleet(nodes=5, slow=slow_from(2, 4, 2.0)).records(30)
CONFIG = "detect: {window: 10, lateness: 10, silence: 40}\n"


def lines(records: list[Telemetry]) -> bytes:
    return b"".join(encode(record) + b"\n" for record in records)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "guard.yaml"
    path.write_text(CONFIG)
    return path


def invoke(*arguments: object, stdin: bytes = b"") -> Result:
    return CliRunner().invoke(guard, ["replay", *map(str, arguments)], input=stdin)


def test_culprit_of_a_recording_is_named(tmp_path: Path, config: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(lines(RECORDS))
    out = tmp_path / "out.ndjson"
    result = invoke(tmp_path / "a.ndjson", "--verdicts", out, "--config", config)
    assert result.exit_code == 0, result.output
    said = [decode(line) for line in out.read_bytes().splitlines()]
    assert {v.node for v in said if isinstance(v, Verdict) and v.accused} == {"node-002"}
    assert "150 records read" in result.stderr


def test_same_bytes_whatever_the_order_in_the_files_and_their_compression(tmp_path: Path, config: Path) -> None:
    shuffled = RECORDS[:]
    random.Random(3).shuffle(shuffled)
    parts = [shuffled[:40], shuffled[40:90], shuffled[90:]]
    files = [tmp_path / "a.ndjson", tmp_path / "b.ndjson.gz", tmp_path / "c.ndjson.zst"]
    files[0].write_bytes(lines(parts[0]))
    files[1].write_bytes(gzip.compress(lines(parts[1][:20])) + gzip.compress(lines(parts[1][20:])))
    frame = zstandard.ZstdCompressor().compress
    files[2].write_bytes(frame(lines(parts[2][:20])) + frame(lines(parts[2][20:])))
    (tmp_path / "all.ndjson").write_bytes(lines(RECORDS))
    outs = [tmp_path / "1.out", tmp_path / "2.out"]
    assert invoke(tmp_path / "all.ndjson", "--verdicts", outs[0], "--config", config).exit_code == 0
    assert invoke(*files, "--verdicts", outs[1], "--config", config).exit_code == 0
    assert outs[0].read_bytes() == outs[1].read_bytes() != b""


def test_standard_input_and_output(config: Path) -> None:
    result = invoke("-", "--verdicts", "-", "--config", config, stdin=lines(RECORDS))
    assert result.exit_code == 0
    assert any(b"culprit" in line for line in result.stdout_bytes.splitlines())


def test_what_cannot_be_read_is_set_aside_and_counted_by_reason(tmp_path: Path, config: Path) -> None:
    (tmp_path / "bad.ndjson").write_bytes(
        b"garbage\n\n"
        + lines(RECORDS[:1])
        + b'{"schema":"guard.telemetry/9"}\n\xff\xfe\n'
        + b"x" * 3_000_000
        + b"\n"
    )
    (tmp_path / "empty.ndjson").write_bytes(b"")
    (tmp_path / "cut.ndjson.gz").write_bytes(gzip.compress(lines(RECORDS))[:-500])
    (tmp_path / "cut.ndjson.zst").write_bytes(zstandard.ZstdCompressor().compress(lines(RECORDS))[:-500])
    (tmp_path / "damaged.gz").write_bytes(b"\x1f\x8b" + b"nonsense" * 10)
    files = sorted(path for path in tmp_path.iterdir() if path != config)
    result = invoke(*files, "--verdicts", tmp_path / "out", "--config", config)
    assert result.exit_code == 0, result.output
    assert "set aside, not a record: 4" in result.stderr
    assert "set aside, unknown version: 1" in result.stderr
    assert "set aside, empty file: 1" in result.stderr
    assert "set aside, cut-off file: 2" in result.stderr
    assert "set aside, damaged file: 1" in result.stderr
    assert "bad.ndjson:1:" in result.stderr
    assert (tmp_path / "out").exists()


def test_records_before_the_cut_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "cut.gz"
    path.write_bytes(gzip.compress(lines(RECORDS))[:-300])
    aside = SetAside()
    kept = list(read(str(path), aside))
    assert 0 < len(kept) < len(RECORDS)
    assert aside.counts["cut-off file"] == 1


def test_missing_file_is_a_usage_error_and_leaves_no_output(tmp_path: Path) -> None:
    out = tmp_path / "out.ndjson"
    assert invoke(tmp_path / "none.ndjson", "--verdicts", out).exit_code == 2
    assert not list(tmp_path.iterdir())


def test_output_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(lines(RECORDS[:5]))
    result = invoke(tmp_path / "a.ndjson", "--verdicts", tmp_path / "no" / "out")
    assert isinstance(result.exception, OSError)
    assert [path.name for path in tmp_path.iterdir()] == ["a.ndjson"]


def test_record_of_the_far_future_costs_no_time(tmp_path: Path, config: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(
        lines([*RECORDS, msgspec.structs.replace(RECORDS[0], time=9.9e10, seq=99)])
    )
    assert invoke(tmp_path / "a.ndjson", "--verdicts", tmp_path / "out", "--config", config).exit_code == 0
