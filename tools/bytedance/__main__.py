"""``python -m tools.bytedance TRACE --meta META --out OUT``, and ``python -m tools.bytedance noise TRACE...``."""

import argparse
import sys
from pathlib import Path

from collectors.telemetry import encode
from tools.bytedance.noise import Parts, StageNoise, measure
from tools.bytedance.records import records
from tools.bytedance.trace import TraceError, read


def main(arguments: list[str]) -> None:
    """Convert one trace, or measure several."""
    try:
        if arguments[:1] == ["noise"]:
            _noise(arguments[1:])
        else:
            _convert(arguments)
    except (TraceError, OSError) as error:
        sys.exit(f"tools.bytedance: {error}")


def _convert(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.bytedance", description="A trace as telemetry.")
    parser.add_argument("trace", type=Path, metavar="TRACE.parquet")
    parser.add_argument("--meta", type=Path, required=True, metavar="META.yaml")
    parser.add_argument("--out", type=Path, required=True, metavar="OUT.ndjson")
    parser.add_argument("--period", type=float, default=10.0, help="seconds of a record; 10 if not given")
    told = parser.parse_args(arguments)
    trace = read(told.trace, told.meta)
    with told.out.open("wb") as out:
        out.writelines(encode(record) + b"\n" for record in records(trace, told.period))


def _noise(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tools.bytedance noise", description="What healthy ranks differ by, in percent."
    )
    parser.add_argument("traces", type=Path, nargs="+", metavar="TRACE.parquet")
    for path in parser.parse_args(arguments).traces:
        trace = read(path)
        stages, parts = measure(trace)
        print(f"{trace.name}: log own work of {len(trace.steps)} steps by {len(trace.rank)} ranks, sd in %")
        print(_HEAD)
        for stage in stages:
            print(_row(stage))
        print(_summary(parts))


_HEAD = (
    "stage ranks  to-median between persistent  left common | memory kurtosis  |left|/sd: 50 90 99 100 %"
    "     | corr. with replica  left then"
)


def _row(s: StageNoise) -> str:
    quantiles = " ".join(f"{value:4.2f}" for value in s.quantiles)
    return (
        f"{s.stage:5} {s.ranks:5}  {100 * s.median:9.3f} {100 * s.between:7.3f} {100 * s.persistent:10.3f} "
        f"{100 * s.left:5.3f} {100 * s.common:6.3f} | {s.memory:6.2f} {s.kurtosis:8.2f}  {quantiles:>33}  "
        f"| {s.replica:18.2f}  {100 * s.corrected:9.3f}"
    )


def _summary(parts: Parts) -> str:
    return (
        f"parts: step {100 * parts.step:.2f}, replica {100 * parts.replica:.2f}, rank {100 * parts.rank:.2f}, "
        f"persistent {100 * parts.persistent:.2f}\n"
    )


main(sys.argv[1:])
