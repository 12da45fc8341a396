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
    """Put the sections into the page, each in the place of the last one of its title; the others stay."""
    kept = _parts(path.read_text()) if path.exists() else {}
    kept |= {section.title: _table(section) for section in sections}
    path.write_text("\n".join([_HEAD, *kept.values()]))


_HEAD = """# Benchmarks

Written by `make bench` (`python -m tools.bench NAME …` renews some of it); do not edit. The machine is shared and
noisy: trust ratios and medians. There was no Trainium hardware: neuron-monitor is the emulator.
"""


def _parts(page: str) -> dict[str, str]:
    """The sections of a page by their titles."""
    _, *parts = page.split("\n## ")
    return {part.partition("\n")[0]: f"## {part.rstrip()}\n" for part in parts}


_CHANGES = ("git", "status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs/benchmarks.md")


def _place() -> str:
    """Where and when a section was measured."""
    commit = _output("git", "rev-parse", "--short", "HEAD")
    dirty = " with uncommitted changes" if _output(*_CHANGES) else ""
    memory = psutil.virtual_memory().total / 2**30
    load = psutil.getloadavg()[2]
    return (
        f"Measured on {dt.datetime.now(dt.UTC):%Y-%m-%d} at commit {commit}{dirty}: {psutil.cpu_count()} cores, "
        f"{memory:.0f} GiB, {platform.machine()}, Linux {platform.release()}, Python {platform.python_version()}; "
        f"load of the last quarter of an hour {load:.1f}."
    )


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
            _place(),
            "",
        ]
    )


def _verdict(held: bool | None) -> str:
    return {True: "held", False: "**missed**", None: ""}[held]


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.strip()
