"""What the step hook costs: a section and a step, beside nothing and a datagram; and a paired training run."""

import random
import socket
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from guard import steps
from tools.bench.page import Figure, Section

_ROUNDS = 200
_CALLS = 500
_PAIRS = 300
_SEED = 20261124


class _Nothing:
    def __enter__(self) -> None:
        return

    def __exit__(self, *_: object) -> None:
        return


def measure() -> Section:
    """Medians over interleaved rounds, so that a slow moment of the machine hits all alike."""
    with (
        tempfile.TemporaryDirectory(dir="/dev/shm") as directory,
        steps.open(directory=directory, job="bench", synced=True) as recorder,
        steps.open(directory=Path(directory) / "missing") as unseen,
    ):
        costs = _interleave(_subjects(recorder, unseen, Path(directory)))
        difference, low, high = _paired_training(recorder)
    section, step = costs["a section"], costs["a step"]
    share = (costs["a step with four sections"]) / 0.1
    figures = [
        Figure("an empty context manager", _us(costs["nothing"])),
        Figure("a datagram to a Unix socket", _us(costs["a datagram"])),
        Figure("a section", _us(section), "≤ 1 µs", section <= 1e-6),
        Figure("a step", _us(step), "≤ 3 µs", step <= 3e-6),
        Figure("a step with four sections", _us(costs["a step with four sections"])),
        Figure("a section without an agent", _us(costs["a section without an agent"])),
        Figure("share of a 100 ms step", f"{share:.4%}", "< 0.2 %", share < 0.002),
        Figure(
            "paired training, with minus without, 95 % interval",
            f"{difference:+.3%} ({low:+.3%} … {high:+.3%})",
            "holds zero, or its cost per step",
            low <= share,
        ),
    ]
    how = (
        f"Medians of {_ROUNDS} interleaved rounds of {_CALLS} calls. Training: {_PAIRS} pairs of a step of matrix "
        f"products, in random order within each pair (seed {_SEED}); the interval is a bootstrap of the median."
    )
    return Section("The step hook", how, figures)


def _subjects(
    recorder: steps.StepRecorder, unseen: steps.StepRecorder, directory: Path
) -> dict[str, Callable[[], None]]:
    nothing = _Nothing()
    receiver, sender = (socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) for _ in range(2))
    receiver.bind(str(directory / "socket"))
    sender.connect(str(directory / "socket"))

    def empty() -> None:
        with nothing:
            pass

    def datagram() -> None:
        sender.send(b"x" * 64)
        receiver.recv(64)

    def section() -> None:
        with recorder.section("compute"):
            pass

    def step() -> None:
        with recorder.step():
            pass

    def whole() -> None:
        with recorder.step():
            for name in ("data", "compute", "collective", "host"):
                with recorder.section(name):
                    pass

    def unseen_section() -> None:
        with unseen.section("compute"):
            pass

    return {
        "nothing": empty,
        "a datagram": datagram,
        "a section": section,
        "a step": step,
        "a step with four sections": whole,
        "a section without an agent": unseen_section,
    }


def _interleave(subjects: dict[str, Callable[[], None]]) -> dict[str, float]:
    seconds: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(_ROUNDS):
        for name, call in subjects.items():
            start = time.perf_counter()
            for _ in range(_CALLS):
                call()
            seconds[name].append((time.perf_counter() - start) / _CALLS)
    return {name: statistics.median(values) for name, values in seconds.items()}


def _paired_training(recorder: steps.StepRecorder) -> tuple[float, float, float]:
    """Relative difference of a training step with and without the hook: median and its 95 % interval."""
    order = random.Random(_SEED)
    matrix = np.random.default_rng(_SEED).standard_normal((256, 256))

    def train() -> None:
        for _ in range(4):
            np.tanh(matrix @ matrix)

    def with_hook() -> float:
        start = time.perf_counter()
        with recorder.step(), recorder.section("compute"):
            train()
        return time.perf_counter() - start

    def without() -> float:
        start = time.perf_counter()
        train()
        return time.perf_counter() - start

    differences = []
    for _ in range(_PAIRS):
        if order.random() < 0.5:
            first, second = with_hook(), without()
        else:
            second, first = without(), with_hook()
        differences.append(first / second - 1)
    medians = sorted(statistics.median(order.choices(differences, k=_PAIRS)) for _ in range(1000))
    return statistics.median(differences), medians[25], medians[974]


def _us(seconds: float) -> str:
    return f"{seconds * 1e6:.2f} µs"
