"""``guard watch`` in a terminal of its own: what it shows, the keys, and the terminal as it was before."""

import os
import re
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from detectors.verdict import JobStatus, Role, Saying, Status, encode
from guard.bus import Bus, Outgoing, Topic, open_bus
from tests.terminal_screen import Terminal
from tests.test_report import about_job, verdict

GUARD = (sys.executable, "-m", "guard.commands")
CULPRIT = verdict("n02", Status.STRAGGLER, Role.CULPRIT)


def said(*sayings: Saying) -> list[Outgoing]:
    return [Outgoing(Topic.STATE, saying.key, encode(saying)) for saying in sayings]


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[Bus]:
    with open_bus(f"file:{tmp_path / 'bus.sqlite'}") as bus:
        nodes = [verdict(f"n{n:02}", Status.WATCH, Role.VICTIM) for n in range(40)]
        bus.publish(said(*nodes, CULPRIT, verdict("fine"), about_job(status=JobStatus.SLOW)), 5)
        yield bus


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "guard.yaml"
    path.write_text(f"cluster: east\nbus: file:{tmp_path / 'bus.sqlite'}\n")
    return path


def watch(config: Path, *more: str, columns: int = 80, rows: int = 24, **environment: str) -> Terminal:
    command = (*GUARD, "--config", str(config), "watch", "--interval", "0.5", *more)
    return Terminal(command, columns=columns, rows=rows, environment=environment)


def restored(terminal: Terminal) -> bool:
    screen = terminal.screen
    same = termios.tcgetattr(terminal.theirs) == terminal.before
    return same and not screen.alternate and screen.cursor


def test_it_shows_the_fleet_and_q_ends_it_with_the_terminal_as_it_was(bus: Bus, config: Path) -> None:
    with watch(config) as terminal:
        terminal.shows("fleet: accused", "1 accused: n02", "41 nodes: 1 ok", "81723", "slow", "q quit")
        assert terminal.screen.alternate
        assert not terminal.screen.cursor
        terminal.send("q")
        assert terminal.ended() == 0
        assert restored(terminal)


def test_what_is_said_meanwhile_is_shown(bus: Bus, config: Path) -> None:
    with watch(config) as terminal:
        terminal.shows("1 accused: n02")
        terminal.until(lambda screen: "reading" not in screen.text)
        bus.publish(said(verdict("n02"), verdict("n31", Status.FAULT, Role.CULPRIT)), 5)
        terminal.shows("1 accused: n31", "OF LATE", "fault culprit compute")


def test_keys_scroll_filter_and_pause(bus: Bus, config: Path) -> None:
    with watch(config) as terminal:
        terminal.shows("1 accused: n02")
        terminal.send("G")
        terminal.until(lambda screen: "n39" in screen.text)
        terminal.send("\x1b[H")
        terminal.until(lambda screen: "n39" not in screen.text)
        terminal.send("/n3")
        terminal.shows("only names with: n3_", "NOT OK 10")
        terminal.send("\r")
        terminal.shows("only names with 'n3'")
        terminal.send("\x1b")
        terminal.until(lambda screen: "only names" not in screen.text)
        terminal.send("p")
        terminal.shows("PAUSED")
        bus.publish(said(verdict("n31", Status.FAULT, Role.CULPRIT)), 5)
        terminal.send("p")
        terminal.shows("2 accused: n02, n31")


def test_it_follows_the_size_of_the_terminal(bus: Bus, config: Path) -> None:
    with watch(config) as terminal:
        terminal.shows("1 accused: n02")
        terminal.read(1.0)
        terminal.resize(120, 40)
        terminal.until(lambda screen: screen.lines[39].startswith("q quit"))
        assert "n25" in terminal.screen.text
        terminal.resize(40, 10)
        terminal.until(lambda screen: screen.lines[9].startswith("q quit"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_with_the_terminal_as_it_was(bus: Bus, config: Path, number: signal.Signals) -> None:
    with watch(config) as terminal:
        terminal.shows("1 accused: n02")
        terminal.child.send_signal(number)
        assert terminal.ended() == 128 + number
        assert restored(terminal)
        assert b"Traceback" not in terminal.written


def test_ctrl_c_is_a_signal_and_ctrl_z_does_not_leave_a_terminal_in_disorder(bus: Bus, config: Path) -> None:
    with watch(config) as terminal:
        terminal.shows("1 accused: n02")
        terminal.send("\x1a")
        terminal.send("j")
        terminal.read(1.0)
        assert terminal.child.poll() is None
        # The pty is not the child's controlling terminal, so the key is sent as the signal that it becomes.
        terminal.child.send_signal(signal.SIGINT)
        assert terminal.ended() == 130


def test_a_closed_terminal_ends_it(bus: Bus, config: Path) -> None:
    with watch(config) as terminal:
        terminal.shows("1 accused: n02")
        os.close(terminal.theirs)
        os.close(terminal.ours)
        assert terminal.child.wait(15) == 128 + signal.SIGHUP


def test_an_exception_gives_the_terminal_back(bus: Bus, config: Path) -> None:
    broken = "import guard.watch.run as run; run.view = lambda *_: 1 / 0; from guard.commands import main; main()"
    command = (sys.executable, "-c", broken, "--config", str(config), "watch")
    with Terminal(command) as terminal:
        assert terminal.ended() != 0
        assert b"ZeroDivisionError" in terminal.written
        assert restored(terminal)


def test_a_bus_that_goes_away_is_told_and_what_was_known_stays(bus: Bus, config: Path, tmp_path: Path) -> None:
    with watch(config, columns=120) as terminal:
        terminal.shows("1 accused: n02")
        terminal.until(lambda screen: "reading" not in screen.text)
        (tmp_path / "bus.sqlite").rename(tmp_path / "away.sqlite")
        terminal.shows("the bus is away, this is OLD", "1 accused: n02")
        (tmp_path / "away.sqlite").rename(tmp_path / "bus.sqlite")
        terminal.until(lambda screen: "the bus is away" not in screen.text)
        bus.publish(said(verdict("n31", Status.FAULT, Role.CULPRIT)), 5)
        terminal.shows("2 accused: n02, n31")


def test_no_color_writes_no_colour(bus: Bus, config: Path) -> None:
    with watch(config) as terminal:
        terminal.shows("1 accused: n02")
        assert re.search(rb"\x1b\[[0-9;]*3[1-6]m", terminal.written)
    with watch(config, NO_COLOR="1") as terminal:
        terminal.shows("1 accused: n02")
        assert not re.search(rb"\x1b\[[0-9;]*(3[1-6]|9[0-7])[;m]", terminal.written)


def plain(config: Path, *more: str) -> subprocess.Popen[str]:
    command = (*GUARD, "--config", str(config), "watch", "--interval", "0.5", *more)
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    )


def test_once_prints_a_plain_picture_and_ends(bus: Bus, config: Path) -> None:
    shown, errors = plain(config, "--once").communicate(timeout=60)
    assert "1 accused: n02" in shown
    assert "\x1b" not in shown
    assert "q quit" not in shown
    assert errors == ""


def test_a_pipe_gets_a_picture_every_interval_and_sigterm_ends_it(bus: Bus, config: Path) -> None:
    child = plain(config)
    assert child.stdout is not None
    deadline, pictures = time.monotonic() + 60, 0
    while pictures < 3 and time.monotonic() < deadline:
        pictures += child.stdout.readline().startswith("guard watch")
    assert pictures == 3
    child.send_signal(signal.SIGTERM)
    _, errors = child.communicate(timeout=20)
    assert (child.returncode, errors) == (143, "")


def test_a_reader_that_leaves_ends_it(bus: Bus, config: Path) -> None:
    child = plain(config)
    assert child.stdout is not None
    child.stdout.readline()
    child.stdout.close()
    assert child.wait(20) == 141
    assert child.stderr is not None
    assert child.stderr.read() == ""
    child.stderr.close()


def test_a_dumb_terminal_gets_plain_pictures(bus: Bus, config: Path) -> None:
    with watch(config, TERM="dumb") as terminal:
        deadline = time.monotonic() + 60
        while terminal.written.count(b"guard watch") < 2:
            assert time.monotonic() < deadline
            terminal.read(0.2)
        assert b"\x1b[?1049h" not in terminal.written


def test_once_without_a_bus_ends_2(tmp_path: Path) -> None:
    config = tmp_path / "guard.yaml"
    config.write_text("cluster: east\nbus: kafka://127.0.0.1:1\n")
    child = plain(config, "--once")
    shown, _ = child.communicate(timeout=60)
    assert child.returncode == 2
    assert "the bus is away, and was not read to its end" in shown
