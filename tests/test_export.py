"""``guard export``: every record in the table, or told of; the file whole or not at all."""

import io
import re
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.telemetry import RecordError, decode_compared, encode
from detectors.verdict import Role, Status
from detectors.verdict import encode as encode_saying
from guard.bus import Message, Outgoing, Position, Topic, open_bus
from guard.bus.kafka_settings import KafkaSettings
from guard.commands.export import command
from guard.deadletter import dead_letter
from guard.export import run
from guard.export.columns import COLUMNS
from guard.export.files import table
from guard.export.rows import rows
from guard.export.run import Span, export
from guard.telemetry_files import SetAside, read
from tests.fleet import START, Fleet, slow_from
from tests.test_report import about_job, verdict

RECORDS = Fleet(nodes=3).records(4)
PAGE = Path(__file__).parents[1] / "docs" / "export.md"


class Export:
    """The command over a bus of its own."""

    def __init__(self, path):
        self.path, self.bus = path, f"file:{path / 'bus.sqlite'}"

    def hears(self, *records, topic=Topic.TELEMETRY):
        with open_bus(self.bus) as bus:
            bus.publish([Outgoing(topic, key, value) for key, value in records], timeout=5)

    def __call__(self, topic, name, *arguments):
        session = SimpleNamespace(config=SimpleNamespace(bus=self.bus, kafka=KafkaSettings()))
        words = [topic, "--since", "1h", "--to", str(self.path / name), *arguments]
        return CliRunner().invoke(command, words, obj=session)


@pytest.fixture
def exported(tmp_path):
    return Export(tmp_path)


@pytest.fixture
def fleet(exported):
    exported.hears(*((record.key, encode(record)) for record in RECORDS))
    return exported


def message(value, topic=Topic.TELEMETRY, time=START):
    return Message(Position(topic, 2, 17), "c/k", value, time)


def test_telemetry_has_a_row_for_each_node_period_and_rank(fleet):
    result = fleet("telemetry", "t.parquet")
    assert result.exit_code == 0, result.output
    assert "12 records, 24 rows" in result.stderr
    frame = pd.read_parquet(fleet.path / "t.parquet")
    assert list(frame.columns) == [column.name for column in COLUMNS[Topic.TELEMETRY]]
    assert len(frame) == 24
    by_rank = frame.sort_values(["time", "rank"]).reset_index()
    want = RECORDS[1]
    row = by_rank.loc[3]
    assert (row["node"], row["rank"], row["count"], row["job"]) == (want.node, 3, 10, "train")
    assert row["compute"] == want.steps.sections["compute"][1]
    assert row["time"].timestamp() == want.time


def test_csv_has_the_same(fleet):
    for name in ("t.parquet", "t.csv", "t.csv.zst"):
        assert fleet("telemetry", name).exit_code == 0
    want = pd.read_parquet(fleet.path / "t.parquet")
    for name in ("t.csv", "t.csv.zst"):
        frame = pd.read_csv(fleet.path / name)
        assert list(frame.columns) == list(want.columns)
        assert frame["compute"].tolist() == want["compute"].tolist()


@pytest.mark.parametrize("name", ["t.ndjson", "t.ndjson.zst"])
def test_ndjson_has_the_records_themselves_as_replay_reads_them(fleet, name):
    assert fleet("telemetry", name).exit_code == 0
    assert list(read(str(fleet.path / name), SetAside())) == [decode_compared(encode(r)) for r in RECORDS]


def test_verdicts_of_nodes_and_jobs_are_rows(exported):
    said = [verdict("n2", Status.STRAGGLER, Role.CULPRIT, device=5), about_job(accused=["n2"])]
    exported.hears(*((saying.key, encode_saying(saying)) for saying in said), topic=Topic.VERDICTS)
    assert exported("verdicts", "v.parquet").exit_code == 0
    frame = pd.read_parquet(exported.path / "v.parquet").set_index("kind")
    assert frame.loc["node", ["node", "status", "role", "device"]].tolist() == ["n2", "straggler", "culprit", 5]
    assert frame.loc["job", ["job", "nodes", "accused"]].tolist() == ["81723", 4, '["n2"]']


def test_an_idle_node_has_one_row():
    idle = msgspec.structs.replace(RECORDS[0], ranks=None, steps=None, job=None, gauges={"host.load1": 0.5})
    (row,) = rows(message(encode(idle)))
    assert "rank" not in row
    assert (row["job"], row["gauges"], row["offset"]) == (None, '{"host.load1":0.5}', 17)


def test_what_belongs_to_the_node_is_on_its_first_row_alone():
    record = msgspec.structs.replace(RECORDS[0], counters={"host.oom_kills": 1.0})
    first, second = rows(message(encode(record)))
    assert first["counters"] == '{"host.oom_kills":1.0}'
    assert "counters" not in second


def test_the_programs_own_sections_are_kept():
    steps = msgspec.structs.replace(RECORDS[0].steps, sections={"compute": [1.0, 2.0], "reshard": [3.0, None]})
    first, second = rows(message(encode(msgspec.structs.replace(RECORDS[0], steps=steps))))
    assert (first["compute"], first["other_sections"]) == (1.0, '{"reshard":3.0}')
    assert (second["compute"], second["other_sections"]) == (2.0, '{"reshard":null}')


def changed(**fields):
    return encode(msgspec.structs.replace(RECORDS[0], **fields))


@pytest.mark.parametrize(
    ("topic", "value"),
    [
        (Topic.TELEMETRY, b"{"),
        (Topic.TELEMETRY, changed(schema="guard.telemetry/9")),
        (Topic.TELEMETRY, changed(seq=1 << 63)),
        (Topic.TELEMETRY, changed(labels={"a": "x" * 5000})),
        (Topic.TELEMETRY, changed(ranks=msgspec.structs.replace(RECORDS[0].ranks, rank=[1 << 64, 1]))),
        (Topic.VERDICTS, encode_saying(msgspec.structs.replace(verdict(), since=1e300))),
        (Topic.STATE, None),
        (Topic.LEDGER, b"\xff"),
        (Topic.DEADLETTER, b"{}"),
    ],
)
def test_what_no_table_can_hold_is_set_aside(topic, value):
    with pytest.raises(RecordError):
        list(rows(message(value, topic)))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize("topic", list(COLUMNS))
@settings(max_examples=30)
@given(
    changes=st.dictionaries(
        st.sampled_from(["seq", "time", "since", "job", "rank", "gauges", "device", "x"]), JSON
    )
)
def test_whatever_a_record_says_it_is_rows_or_set_aside(topic, changes):
    sound = {
        Topic.TELEMETRY: encode(RECORDS[0]),
        Topic.DEADLETTER: dead_letter(message(b"{"), "no JSON").value,
    }.get(topic, encode_saying(verdict()))
    value = msgspec.json.encode(msgspec.json.decode(sound) | changes)
    try:
        piece = list(rows(message(value, topic)))
    except RecordError:
        return
    for kind in (".parquet", ".csv"):
        writer = table(io.BytesIO(), kind, COLUMNS[topic])
        writer.write(piece)
        writer.close()


def test_what_could_not_be_read_is_counted_and_told(fleet):
    fleet.hears(("c/train", b"{"), ("c/train", b"\xff"), ("c/train", b'{"schema":"guard.telemetry/9"}'))
    told = fleet("telemetry", "t.parquet").stderr.splitlines()
    assert told[0].endswith("t.parquet: 15 records, 24 rows")
    assert told[1].startswith("set aside, cannot be read: 2, first guard.telemetry ")
    assert told[2].startswith("set aside, unknown version: 1, first guard.telemetry ")


class Partitions:
    """A bus with two partitions of records, one a second."""

    def partitions(self, topic):
        return 2

    def scan(self, topic, *, partition=None, since=0.0):
        for second in range(2000):
            if second >= since:
                yield Message(Position(topic, partition, second), "k", b"{}", float(second))


def test_only_records_of_the_span_are_written_and_no_more_are_read_than_need_be():
    reached = []
    file = io.BytesIO()
    span = Span(100.0, 103.0)
    counts = export(
        Partitions(), Topic.CONTROL, span, file, ".csv", progress=lambda *told: reached.append(told[2])
    )
    lines = file.getvalue().decode().splitlines()[1:]
    assert [re.findall(r"^1970-01-01 00:01:4(\d)\S*,(\d),", line)[0] for line in lines] == [
        (second, partition) for partition in "01" for second in "012"
    ]
    assert (counts.records, counts.rows) == (6, 6)
    assert max(reached) < 103 + 601


def test_a_piece_is_written_before_more_is_read(monkeypatch):
    written = []
    writer = SimpleNamespace(write=lambda piece: written.append(len(piece)), close=lambda: None)
    monkeypatch.setattr(run, "table", lambda *_: writer)
    monkeypatch.setattr(run, "_PIECE_ROWS", 100)
    export(Partitions(), Topic.CONTROL, Span(0, 2000), io.BytesIO(), ".csv", progress=lambda *_: None)
    assert written == [100] * 40


def test_a_failure_leaves_what_was_there(fleet, monkeypatch):
    target = fleet.path / "t.parquet"
    target.write_bytes(b"the export of yesterday")

    def fail(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "rows", fail)
    fleet("telemetry", "t.parquet")
    assert target.read_bytes() == b"the export of yesterday"
    assert not list(fleet.path.glob("*.tmp")) + list(fleet.path.glob(".*.tmp"))


@pytest.mark.parametrize(
    ("topic", "name", "arguments", "told"),
    [
        ("telemetry", "t.xlsx", (), "expected a name that ends in .parquet"),
        ("snapshots", "t.csv", (), "no table"),
        ("telemetry", "t.csv", ("--until", "2h"), "not before --until"),
        ("telemetry", "t.csv", ("--until", "2026-11-24T03:00:00"), "needs its zone"),
    ],
)
def test_wrong_usage_ends_2_and_writes_nothing(exported, topic, name, arguments, told):
    result = exported(topic, name, *arguments)
    assert result.exit_code == 2
    assert told in result.stderr
    assert not (exported.path / name).exists()


def test_nothing_in_that_time_is_told(exported):
    result = exported("control", "c.csv")
    assert (result.exit_code, "nothing was taken" in result.stderr) == (0, True)
    assert (exported.path / "c.csv").read_text().startswith('"taken","partition"')


def test_the_example_of_the_page_runs_and_names_the_slow_node(exported, monkeypatch, capsys):
    slow = Fleet(nodes=4, slow=slow_from(2, 0, 1.5)).records(5)
    told = [msgspec.structs.replace(record, gauges={"host.load1": 0.5}) for record in slow]
    exported.hears(*((record.key, encode(record)) for record in told))
    assert exported("telemetry", "telemetry.parquet").exit_code == 0
    monkeypatch.chdir(exported.path)
    (example,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    exec(example, {})  # noqa: S102  (our own page)
    shown = capsys.readouterr().out
    assert shown.splitlines()[1].split()[0] == "node-002"
    assert "host.load1" in shown


def test_the_page_lists_every_column():
    listed = re.findall(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \|$", PAGE.read_text(), re.MULTILINE)
    tables = dict.fromkeys(COLUMNS[topic] for topic in COLUMNS)
    want = [(column.name, column.kind.value, column.meaning) for columns in tables for column in columns]
    assert listed == want
