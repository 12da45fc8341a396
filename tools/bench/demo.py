"""The demo, ten times with a slowed node and ten times without: who was named."""

import subprocess
import sys

from tools.bench.page import Figure, Section

_RUNS = 10
_SEED = 7000
_LONGEST = 200


def measure() -> Section:
    """Exit code 0 of the demo: exactly the slowed node was named, or nobody in a healthy run."""
    figures = []
    for fault, what in (
        ("stop", "the slowed node named and nobody else"),
        ("none", "nobody named when nobody is slow"),
    ):
        right = sum(_run(fault, _SEED + number) for number in range(_RUNS))
        promised = f"{_RUNS} of {_RUNS}"
        figures.append(Figure(what, f"{right} of {_RUNS}", promised, right == _RUNS))
    seeds = f"{_SEED} to {_SEED + _RUNS - 1}"
    how = f"`guard demo --fault stop|none --seed N`, N from {seeds}; real processes throughout."
    return Section("The demo", how, figures)


def _run(fault: str, seed: int) -> bool:
    command = [sys.executable, "-m", "guard.commands", "demo", "--fault", fault, "--seed", str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_LONGEST, check=False)
    print(f"  --fault {fault} --seed {seed}: exit {done.returncode}", file=sys.stderr, flush=True)
    return done.returncode == 0
