"""Text from outside in every command that prints it: nothing of it acts on a terminal, or breaks its tables.

Whoever may write the bus chooses these texts. The commands run in a terminal of their own: each byte that they
write there is a letter, a line's end, or a style of ours.
"""

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.cells import cell_len

from detectors.plain import plain
from detectors.verdict import Evidence, JobAttempt, JobStatus, Role, Status, encode
from guard.bus import Outgoing, Topic, open_bus
from remediation.ledger import Leader, Moved, Opened, Record
from remediation.ledger import encode as encode_record
from remediation.states import NodeState
from tests.terminal_screen import Terminal
from tests.test_report import about_job, verdict

GUARD = (sys.executable, "-m", "guard.commands")
_OURS = re.compile(rb"\x1b\[[0-9;]*m")

HOSTILE = {
    "clear": "\x1b[2J\x1b[1;1Howned",
    "title": "\x1b]0;owned\x07n",
    "answer": "n\x1b[6n\x1b]52;c;cm0=\x07",
    "c1": "\x9b31mn\x9d0;x\x9c",
    "controls": "n\x00\x07\b\x7f\t\v\f",
    "lines": "n\r\nroot: all is well",
    "separators": "n\u2028\u2029\x85m",
    "markup": "[bold red]n[/bold red][link=file:///etc]x[/link]",
    "unclosed": "[/]",
    "colon": ":smile: :warning:",
    "script": "<script>alert(1)</script>",
    "right to left": "n\u202eexe.\u2066gpj\u2069\u200f",
    "invisible": "n\u200b\u2060\ufeff\u00ad\U000e0041",
    "emoji": "🔥👩\u200d🚀🇪🇺n⚠\ufe0f",
    "wide": "节点漢字ﾊﾝｶｸ",
    "combining": "n" + "\u0301" * 40,
    "long": "x" * 10_240,
    "long escapes": "\x1b" * 10_240,
    "formula": '=HYPERLINK("http://x")',
}
COMMANDS = {
    "report": ("report", "fleet"),
    "report job": ("report", "job", "81723"),
    "report json": ("report", "--json"),
    "watch once": ("watch", "--once"),
    "actions": ("actions", "--since", "3650d"),
    "actions json": ("actions", "--json", "--since", "3650d"),
    "tail state": ("tail", "state"),
    "tail verdicts": ("tail", "verdicts"),
    "tail ledger": ("tail", "ledger"),
    "tail json": ("tail", "state", "--json"),
}


def records(text: str, epoch: int, number: int) -> Iterator[Outgoing]:
    """What an attacker may publish: the text wherever a text may be. Names have 253 characters at most."""
    name, now = text[:253], time.time()
    node = verdict(
        name, Status.FAULT, Role.CULPRIT, instance=name, id=text, time=now, since=now,
        evidence=[Evidence(text, 1, 1, 1, 1)],
    )  # fmt: skip
    job = about_job(name, JobStatus.SLOW, time=now, reason=text, accused=[text])
    others = (
        verdict(f"n{number}", job=JobAttempt(name)),
        about_job("81723", accused=[text], reason=text, time=now),
    )
    for index, said in enumerate((node, job, *others)):
        for topic in (Topic.STATE, Topic.VERDICTS):
            yield Outgoing(topic, f"{number}/{index}{text[:200]}", encode(said))
    yield Outgoing(Topic.STATE, text[:200], b'{"schema": ' + json.dumps(text).encode() + b"}")
    entries: list[Record] = [
        Opened(
            id="o", cluster="east", time=now, incident=text, epoch=epoch, node=name, instance=name, job=name,
            verdict=text, cause=text, severity=text, slowdown=0.1, since=now,
        ),
        Moved(
            id="m", cluster="east", time=now, incident=text, epoch=epoch, before=NodeState.HEALTHY,
            after=NodeState.CONFIRMED, reason=text,
        ),
    ]  # fmt: skip
    for entry in entries:
        yield Outgoing(Topic.LEDGER, "east", encode_record(entry))


def configured(directory: Path, *texts: str) -> Path:
    """The configuration of a bus that holds these texts."""
    address = f"file:{directory / 'bus.sqlite'}"
    with open_bus(address) as bus:
        for number, text in enumerate(texts):
            leader = Leader(id=text, cluster="east", time=time.time(), process=text, deadline=60)
            (place,) = bus.publish([Outgoing(Topic.LEDGER, "east", encode_record(leader))], 5)
            bus.publish(list(records(text, place.offset, number)), 5)
    path = directory / "guard.yaml"
    path.write_text(f"cluster: east\nbus: {address}\n")
    return path


def harmless(written: bytes) -> bool:
    """Whether all of it is letters, line ends and styles."""
    left = _OURS.sub(b"", written).decode()
    return all(letter.isprintable() or letter == "\n" for letter in left.replace("\r\n", "\n"))


def test_nothing_written_to_a_terminal_or_a_pipe_acts_on_it(tmp_path: Path) -> None:
    """All texts on one bus, and one process for each command: starting takes most of the time."""
    config = configured(tmp_path, *HOSTILE.values())
    for name, words in COMMANDS.items():
        with Terminal((*GUARD, "--config", str(config), *words), columns=100) as terminal:
            assert terminal.ended(60) in (0, 1, 2), name
        assert terminal.written, name
        assert b"Traceback" not in terminal.written, name
        assert harmless(terminal.written), name
    for name in ("report", "watch once", "actions"):
        done = subprocess.run(
            (*GUARD, "--config", str(config), *COMMANDS[name]), capture_output=True, timeout=60, check=False
        )
        assert harmless(done.stdout), name
        assert harmless(done.stderr), name
    shown = subprocess.run(
        (*GUARD, "--config", str(config), "report"), capture_output=True, timeout=60, check=False, text=True
    )
    assert [name for name, text in HOSTILE.items() if plain(text[:253]) not in shown.stdout] == []


@pytest.mark.parametrize(
    "name", ["lines", "markup", "right to left", "emoji", "wide", "combining", "long escapes"]
)
def test_a_live_picture_keeps_its_lines(tmp_path: Path, name: str) -> None:
    # The screen refuses what is no style of ours, and lines that are wider than the terminal.
    config = configured(tmp_path, HOSTILE[name])
    with Terminal((*GUARD, "--config", str(config), "watch", "--interval", "0.5")) as terminal:
        terminal.shows("fleet: accused", "NOT OK 1", "OF LATE", "confirmed", "q quit")
        lines = terminal.screen.lines
        heading = next(line for line in lines if line.startswith("NOT OK"))
        row = next(line for line in lines if " fault " in line)
        # Wide letters take two places, and the column begins where its heading does.
        assert cell_len(row[: row.index(" fault ")]) == cell_len(heading[: heading.index(" STATUS")])
        terminal.send("q")
        assert terminal.ended() == 0


LONE = rb'"\ud800n"'


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_lone_surrogates_in_json_are_counted_or_shown_as_escapes(words: tuple[str, ...], tmp_path: Path) -> None:
    address = f"file:{tmp_path / 'bus.sqlite'}"
    lone = [
        Outgoing(topic, "east/n1", value.replace(b'"n2"', LONE))
        for topic, value in (
            (Topic.STATE, encode(verdict("n2", Status.FAULT, Role.CULPRIT))),
            (Topic.VERDICTS, encode(verdict("n2", Status.FAULT, Role.CULPRIT))),
            (Topic.LEDGER, b'{"kind": "leader", "process": "n2", "cluster": "n2", "id": "n2"}'),
        )
    ]
    with open_bus(address) as bus:
        bus.publish([*lone, Outgoing(Topic.STATE, "east/81723", encode(about_job(time=time.time())))], 5)
    config = tmp_path / "guard.yaml"
    config.write_text(f"cluster: east\nbus: {address}\n")
    with Terminal((*GUARD, "--config", str(config), *words)) as terminal:
        assert terminal.ended(60) in (0, 1, 2)
    assert b"Traceback" not in terminal.written
    assert harmless(terminal.written)
