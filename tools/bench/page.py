"""The page of figures: a table per benchmark, and where and when they were measured."""

import datetime as dt
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure beside what was promised (an empty text: nothing was)."""

    what: str
    measured: str
    promised: str = ""
    held: bool | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """The figures of one benchmark, and how they were measured."""

    title: str
    how: str
    figures: Sequence[Figure]


def write(path: Path, sections: Sequence[Section]) -> None:
    """Write the page, replacing the last one."""
    path.write_text("\n".join([_head(), *(_table(section) for section in sections)]))


def _head() -> str:
    commit = _output("git", "rev-parse", "--short", "HEAD")
    dirty = " with uncommitted changes" if _output("git", "status", "--porcelain") else ""
    memory = psutil.virtual_memory().total / 2**30
    return f"""# Benchmarks

Written by `make bench`; do not edit. Measured on {dt.datetime.now(dt.UTC):%Y-%m-%d} at commit
{commit}{dirty}: {psutil.cpu_count()} cores, {memory:.0f} GiB, {platform.machine()}, Linux {platform.release()},
Python {platform.python_version()}. The machine is shared and noisy: trust ratios and medians. There was no
Trainium hardware: neuron-monitor is the emulator.
"""


def _table(section: Section) -> str:
    rows = [f"| {f.what} | {f.measured} | {f.promised} | {_verdict(f.held)} |" for f in section.figures]
    return "\n".join(
        [
            f"## {section.title}",
            "",
            section.how,
            "",
            "| what | measured | promised | |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
        ]
    )


def _verdict(held: bool | None) -> str:
    return {True: "held", False: "**missed**", None: ""}[held]


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.strip()
