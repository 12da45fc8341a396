"""The page of results: what stands between its markers is written by the command, the rest by people."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from guard.bench.published import REMARK
from guard.bench.tables import Table, markdown


class NoMarkersError(ValueError):
    """The page has no place for results."""


def write_between(path: Path, name: str, text: str) -> None:
    """Replace what stands between a page's markers. Raises NoMarkersError."""
    head, tail = around(path, name)
    path.write_text(f"{head}\n\n{text.strip()}\n\n{tail}")


def around(path: Path, name: str) -> tuple[str, str]:
    """Give what stands before and after a page's place for results, markers and all. Raises NoMarkersError."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    head, found, rest = path.read_text().partition(begin)
    _, closed, tail = rest.partition(end)
    if not (found and closed):
        raise NoMarkersError(f"{path} has no lines '{begin}' and '{end}': put them where the results belong")
    return head + begin, end + tail


def results(
    tables: Sequence[Table], *, suites: Mapping[str, int], seed: int, commit: str, thresholds: Mapping[str, float]
) -> str:
    """Say how a run was made, then its tables."""
    cases = ", ".join(f"{count:,} {name}" for name, count in suites.items())
    tuned = ", ".join(f"{name} {threshold:.3g}" for name, threshold in thresholds.items())
    made = f"Made by `guard bench detection` at commit {commit}, seed {seed}: {cases}. Intervals are of 95 %."
    given = f"Thresholds from the calibration split: {tuned}." if tuned else ""
    return "\n\n".join(part for part in (made, given, REMARK, *(markdown(table) for table in tables)) if part)
