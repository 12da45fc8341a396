"""What the step hook costs: a section and a step, beside nothing and a datagram; and in real training."""

import socket
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from guard import steps
from tools.bench import paired
from tools.bench.page import Figure, Section

_ROUNDS = 200
_CALLS = 500
_SECTION, _STEP = 1 / 0.14, 3 / 0.14
"""The promises in terms of the machine they were made on, where the empty context manager took 0.14 µs."""


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
    outcome = paired.measure()
    nothing, section, step = costs["nothing"], costs["a section"], costs["a step"]
    share = (costs["a step with four sections"]) / 0.1
    figures = [
        Figure("an empty context manager", _us(costs["nothing"])),
        Figure("a datagram to a Unix socket", _us(costs["a datagram"])),
        Figure("a section", _us(section), "≤ 1 µs", section <= 1e-6),
        Figure("a step", _us(step), "≤ 3 µs", step <= 3e-6),
        Figure(
            "a section and a step, over the empty context manager",
            f"{section / nothing:.1f} and {step / nothing:.1f} times",
            "≤ 7.1 and 21 (of 0.14 µs)",
            section / nothing <= _SECTION and step / nothing <= _STEP,
        ),
        Figure("a step with four sections", _us(costs["a step with four sections"])),
        Figure("a section without an agent", _us(costs["a section without an agent"])),
        Figure("share of a 100 ms step", f"{share:.4%}", "< 0.2 %", share < 0.002),
        *_paired(outcome),
    ]
    how = (
        f"Medians of {_ROUNDS} interleaved rounds of {_CALLS} calls, caches warm. Training: a network of two "
        f"layers on one thread, which learned (loss {outcome.learned:.2f} of the first); three sections a step; "
        f"{len(outcome.blocks)} blocks of two steps with and two without, in order by lot (seed {paired.SEED}). "
        "Intervals are of 95 %. In training the caches are cold, and the same calls take longer."
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


def _paired(outcome: paired.Outcome) -> list[Figure]:
    """Real training steps with and without, and what of a step the hook's own calls take."""
    clock, cost = paired.relative(outcome.blocks), paired.median(outcome.costs)
    step, promised = outcome.step, 0.1
    low, middle, high = (part * step / promised for part in (clock.low, clock.median, clock.high))
    return [
        Figure(
            f"real training of {step * 1000:.0f} ms steps, with less without",
            f"{clock.median:+.2%} ({clock.low:+.2%} … {clock.high:+.2%})",
            f"± {paired.HALF_WIDTH:.1%} or better; holds zero or the hook's own time",
            clock.half_width <= paired.HALF_WIDTH and clock.low <= max(0.0, cost.high / step),
        ),
        Figure("the same of a 100 ms step", f"{middle:+.3%} ({low:+.3%} … {high:+.3%})", "< 0.2 %", high < 0.002),
        Figure(
            "the hook's own time in a step of real training",
            f"{_us(cost.median)} ({_us(cost.low)} … {_us(cost.high)})",
            "< 0.2 % of 100 ms",
            cost.high < 0.002 * promised,
        ),
    ]


def _us(seconds: float) -> str:
    return f"{seconds * 1e6:.2f} µs"
