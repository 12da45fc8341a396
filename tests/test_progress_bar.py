"""A picture of progress: on a terminal, after a while, on standard error, and never with --quiet."""

import os
import re
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests import terminal

PROGRAM = """
import logging, sys, threading
from guard.progress_bar import progress
logging.getLogger().setLevel(int(sys.argv[1]))
with progress("reading", *map(int, sys.argv[3:]), after=float(sys.argv[2])) as told:
    told(1234)
    print(threading.active_count(), flush=True)
    sys.stdin.readline()
"""


def show(*arguments: str, until: Callable[[str], bool], **environment: str) -> terminal.Seen:
    """The program with standard error on a terminal, until enough is to be seen."""
    given = os.environ | {"TERM": "xterm-256color", "COLUMNS": "100"} | environment
    with terminal.terminal() as (ours, theirs):
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=theirs, text=True, env=given,
        )  # fmt: skip
        os.close(theirs)
        with process:
            first = process.stdout.readline()
            text = terminal.read(ours, until)
            process.stdin.write("\n")
            process.stdin.close()
            rest = process.stdout.read()
            text += terminal.read(ours, lambda _: process.poll() is not None)
    return terminal.Seen(text, first + rest, process.returncode)


def test_an_unknown_total_is_a_count_with_its_rate():
    seen = show("20", "0", until=lambda text: "a second" in text)
    assert re.search(r"reading .*1,234, [\d,]+ a second", seen.text)
    assert seen.piped == "2\n"  # and nothing of the picture


def test_a_known_total_is_a_share():
    assert "1,234 of 5,000" in show("20", "0", "5000", until=lambda text: "5,000" in text).text


def test_it_is_gone_when_the_work_is_done():
    assert show("20", "0", until=lambda text: "a second" in text).text.endswith("\x1b[2K")


@pytest.mark.parametrize(
    ("level", "environment", "threads"),
    [("20", {}, "2"), ("30", {}, "1"), ("20", {"TERM": "dumb"}, "1")],
    ids=["while one waits", "not with --quiet", "not on a dumb terminal"],
)
def test_nothing_is_shown_at_once(level, environment, threads):
    seen = show(level, "1000", until=lambda _: True, **environment)
    assert (seen.text, seen.piped) == ("", f"{threads}\n")


def test_on_a_pipe_there_is_none():
    command = [sys.executable, "-c", PROGRAM, "20", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, input="\n")
    assert (done.stdout, done.stderr) == ("1\n", "")


@pytest.mark.parametrize("quiet", [False, True])
def test_a_command_that_reads_for_long_shows_it_and_one_that_is_quiet_says_nothing(tmp_path, quiet):
    options = ["-q"] if quiet else []
    command = [
        sys.executable,
        "-m",
        "guard.commands",
        *options,
        "replay",
        "-",
        "--verdicts",
        str(tmp_path / "out"),
    ]
    with terminal.terminal() as (ours, theirs):
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stderr=theirs, env=os.environ | {"TERM": "xterm"}
        )
        os.close(theirs)
        with process:
            text = terminal.read(ours, lambda text: quiet or "reading" in text)
            process.stdin.close()
            text += terminal.read(ours, lambda _: process.poll() is not None)
    assert process.returncode == 0
    assert ("reading" in text, "records read" in text) == (not quiet, not quiet)
