"""Names that attack whoever looks: in the reports over a time they are harmless text, whatever the form."""

import csv
import json
import time
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import pytest
from click.testing import CliRunner

from detectors.verdict import JobAttempt, JobStatus, Role, Status, encode
from guard.bus import Outgoing, Topic, open_bus
from guard.commands.report import command
from remediation import ledger
from remediation.ledger import Leader, Moved, Opened
from remediation.states import NodeState
from tests.report_session import session
from tests.test_report import about_job, verdict

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7*7 }}{% include '/etc/passwd' %}",
    "$\\nonsense{$",
    "_underscored",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\uff1d1+1",
    "\x1b[2J\x1b]0;owned\x07",
    "\u202egnp.exe",
    "🦄🏳️\u200d🌈",
    "line\nbreak",
    'a,b"c',
    "]]>--><!--",
    "x" * 253,
)
LONG = "L" * 10_000


@pytest.fixture(scope="module")
def bus(tmp_path_factory) -> str:
    return _publish(tmp_path_factory.mktemp("hostile"))


def _publish(path: Path) -> str:
    """Every name is a node, an instance, a job and a cluster, an incident's reason and a person."""
    now = time.time() - 600
    address = f"file:{path / 'bus.sqlite'}"
    with open_bus(address) as bus:
        records = []
        for name in HOSTILE:
            accuses = verdict(
                name, Status.STRAGGLER, Role.CULPRIT, instance=name, cluster=name, job=JobAttempt(name),
                time=now, since=now, slowdown=0.2,
            )  # fmt: skip
            records += [Outgoing(Topic.VERDICTS, "k", encode(accuses))]
            for minute in range(5):
                job = about_job(
                    name, cluster=name, status=JobStatus.SLOW, accused=[name], time=now + 60 * minute, since=now,
                    step_time=1.2, baseline=1.0, nodes=8,
                )  # fmt: skip
                records += [Outgoing(Topic.VERDICTS, "k", encode(job))]
        bus.publish(records, timeout=9)
        _enter(bus, now)
    return address


def _enter(bus, now: float) -> None:
    leader = Leader(id="l", cluster="c", time=now, process="p", deadline=1.0)
    epoch = bus.publish([Outgoing(Topic.LEDGER, "k", ledger.encode(leader))], timeout=9)[0].offset
    for name in (*HOSTILE, LONG):
        common = {"cluster": name, "time": now, "incident": name, "epoch": epoch}
        opened = Opened(
            id=f"o{name}", node=name, instance=name, job=name, verdict="v", cause=name, severity=name,
            slowdown=0.2, since=now, **common,
        )  # fmt: skip
        moved = Moved(id=f"m{name}", before=NodeState.HEALTHY, after=NodeState.HELD, reason=name, **common)
        bus.publish([Outgoing(Topic.LEDGER, "k", ledger.encode(one)) for one in (opened, moved)], timeout=9)


QUESTIONS = [("fleet",), ("incidents",), *((word, name) for word in ("job", "node") for name in HOSTILE)]


def asked(question: tuple[str, ...], *options: str) -> list[str]:
    """The word, the options, and the name behind two dashes, as it may begin with one."""
    return [question[0], *options, "--since", "1h", *(("--", *question[1:]) if question[1:] else ())]


def run(bus: str, question: tuple[str, ...], *options: str) -> str:
    result = CliRunner().invoke(command, asked(question, *options), obj=session(bus))
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("question", QUESTIONS, ids=ascii)
def test_a_terminal_sees_no_control_characters(bus: str, question: tuple[str, ...]) -> None:
    text = run(bus, question)
    assert all(letter.isprintable() or letter == "\n" for letter in text)
    assert LONG[:600] not in text


@pytest.mark.parametrize("question", QUESTIONS, ids=ascii)
def test_json_is_ascii_and_holds_the_names_as_they_are(bus: str, question: tuple[str, ...]) -> None:
    text = run(bus, question, "--json")
    assert text.isascii()
    answer = json.loads(text, parse_constant=pytest.fail)
    if question == ("fleet",):
        assert {job["job"] for job in answer["jobs"]} == set(HOSTILE)
        assert {incident["node"] for incident in answer["incidents"]} == {*HOSTILE, LONG}


@pytest.mark.parametrize("question", QUESTIONS, ids=ascii)
def test_no_cell_of_a_csv_is_a_formula(bus: str, question: tuple[str, ...]) -> None:
    text = run(bus, question, "--csv")
    rows = list(csv.reader(StringIO(text, newline=""), strict=True))
    assert len(rows) > 1
    assert {len(row) for row in rows} == {len(rows[0])}
    for cell in (cell for row in rows for cell in row):
        assert not cell.startswith(tuple("=+@\t\r\uff1d"))
        assert not cell.startswith("-") or float(cell) < 0
        assert cell.isprintable()


class _Page(HTMLParser):
    """Collects tags, and the text of cells."""

    def __init__(self) -> None:
        super().__init__()
        self.tags, self.attributes, self.cells, self.text = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag == "td":
            self.cells.append("")

    def handle_data(self, data):
        self.text.append(data)
        if self.cells:
            self.cells[-1] += data


OURS = {
    "html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "dl", "dt", "dd", "figure", "figcaption",
    "div", "table", "thead", "tbody", "tr", "th", "td", "svg", "metadata", "defs", "g", "path", "use",
    "clippath", "rect", "rdf:rdf", "cc:work", "dc:type", "dc:title",
}  # fmt: skip


@pytest.mark.parametrize(
    "question", [("fleet",), ("incidents",), ("job", HOSTILE[0]), ("node", HOSTILE[1])], ids=ascii
)
def test_a_page_has_no_tag_and_no_address_but_its_own(bus: str, question: tuple[str, ...]) -> None:
    text = run(bus, question, "--html", "-")
    page = _Page()
    page.feed(text)
    assert set(page.tags) <= OURS, set(page.tags) - OURS
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    links = [value for name, value in page.attributes if name in ("src", "href", "xlink:href", "data", "action")]
    assert all(value.startswith("#") for value in links)
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'; img-src data:") in page.attributes
    assert "49" not in "".join(page.cells).split()
    assert not [letter for letter in text if not letter.isprintable() and letter != "\n"]


def test_a_page_shows_the_names(bus: str) -> None:
    page = _Page()
    page.feed(run(bus, ("fleet",), "--html", "-"))
    shown = "\n".join(page.cells)
    for name in (
        "<script>alert(1)</script>",
        "{{ 7*7 }}{% include '/etc/passwd' %}",
        "$\\nonsense{$",
        "\\x1b[2J",
    ):
        assert name in shown


def test_the_page_is_written_whole_and_the_same_each_time(bus: str, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    until = str(int(time.time()) - 60)
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(until)))
    arguments = ["fleet", "--since", "2026-01-01T00:00:00Z", "--until", moment, "--html", str(file)]
    pages = []
    for _ in range(2):
        assert CliRunner().invoke(command, arguments, obj=session(bus)).exit_code == 0
        pages.append([line for line in file.read_text().splitlines() if "Made " not in line])
    assert pages[0] == pages[1]
