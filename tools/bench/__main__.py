"""``python -m tools.bench [NAME ...]``: measure, show, and renew those sections of ``docs/benchmarks.md``."""

import importlib
import sys
from pathlib import Path

from tools.bench.page import write

_ALL = ("hook", "agent", "demo", "stages", "fold", "judge", "report", "ingest", "outage", "takeover", "chaos")
_PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"


def main(names: list[str]) -> None:
    """Run the named benchmarks, or all. Each section is written as soon as it is measured."""
    unknown = set(names) - set(_ALL)
    if unknown:
        raise SystemExit(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(_ALL)}")
    for name in names or _ALL:
        print(f"{name} …", file=sys.stderr, flush=True)
        section = importlib.import_module(f"tools.bench.{name}").measure()
        write(_PAGE, [section])
        for figure in section.figures:
            print(f"  {figure.what}: {figure.measured} {figure.promised}", flush=True)


main(sys.argv[1:])
