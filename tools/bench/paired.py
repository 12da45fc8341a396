"""Real training with and without the hook, in pairs: ``python -m tools.bench.paired`` prints the times as JSON.

A process of its own, so that the matrix library can be held to one thread: with more, what other programs do on
the machine moves a step by far more than the hook costs.
"""

import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from guard import steps

SEED = 20261124
HALF_WIDTH = 0.003
"""Of the 95 % interval, relative. Wider than this, it says little of a hook that costs a thousandth at most."""
_FEWEST, _LONGEST = 600, 240.0
"""Blocks to measure at least, and seconds until it is given up on a machine that is too noisy."""
_LOOK = 20
"""Blocks between looks at the width. It decides on the width alone, never on where the interval lies."""
_WARM = 20
_TIMED = 100
_BATCH, _INPUTS, _HIDDEN, _RATE = 1024, 256, 256, 0.05
"""A step of some 25 ms: on a busy machine longer ones are interrupted too often. It empties the caches too."""

Spent = tuple[float, float]
"""Seconds of a block's steps without the hook, and with it."""


@dataclass(frozen=True, slots=True)
class Median:
    """A median over blocks and its 95 % interval."""

    median: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half of the interval's length."""
        return (self.high - self.low) / 2


class Outcome(msgspec.Struct, frozen=True):
    """What the run gave.

    Attributes:
        blocks: seconds by block.
        costs: seconds that the hook's own calls took in a step, as timed around each of them. Training empties the
            caches between them, so this is much more than a loop of such calls shows.
        learned: the loss at the end by the loss at the start: the training was real.
    """

    blocks: list[Spent]
    costs: list[float]
    learned: float

    @property
    def step(self) -> float:
        """Seconds that a step without the hook takes, median."""
        return statistics.median(plain for plain, _ in self.blocks) / 2


def measure() -> Outcome:
    """Measure in a process of its own."""
    single = dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"), "1")
    done = subprocess.run(
        [sys.executable, "-m", "tools.bench.paired"],
        env=os.environ | single | _KEEP_MEMORY,
        stdout=subprocess.PIPE,
        check=True,
        timeout=_LONGEST + 60,
    )
    return msgspec.json.decode(done.stdout, type=Outcome)


_KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(1 << 28), "MALLOC_TRIM_THRESHOLD_": str(1 << 30)}
"""Or the C library takes the pages of each array from the kernel and gives them back: a noise of its own."""


def relative(blocks: Sequence[Spent]) -> Median:
    """With less without, by without."""
    return median([hooked / plain - 1 for plain, hooked in blocks])


def median(values: Sequence[float]) -> Median:
    """The interval is by order statistics, which supposes nothing of how the noise is spread."""
    ranked, count = sorted(values), len(values)
    reach = 1.96 * math.sqrt(count) / 2
    low, high = math.floor(count / 2 - reach), math.ceil(count / 2 + reach)
    return Median(statistics.median(ranked), ranked[max(0, low)], ranked[min(count - 1, high)])


def compare(plain: Callable[[], None], hooked: Callable[[], None]) -> list[Spent]:
    """Blocks of two steps of each kind, in the order ABBA or BAAB by lot: a drift of the machine cancels out."""
    order = random.Random(SEED)
    blocks: list[Spent] = []
    end = time.perf_counter() + _LONGEST
    while time.perf_counter() < end:
        outer, inner = order.sample((plain, hooked), 2)
        spent = {plain: 0.0, hooked: 0.0}
        for step in (outer, inner, inner, outer):
            start = time.perf_counter()
            step()
            spent[step] += time.perf_counter() - start
        blocks.append((spent[plain], spent[hooked]))
        enough = len(blocks) >= _FEWEST and len(blocks) % _LOOK == 0
        if enough and relative(blocks).half_width <= HALF_WIDTH:
            break
    return blocks


class _Timed:
    """A recorder whose own calls are timed, each where it stands in the step."""

    def __init__(self, recorder: steps.StepRecorder) -> None:
        self._recorder = recorder
        self.spent = 0.0

    def step(self, work: float) -> "_TimedPart":
        return _TimedPart(self, lambda: self._recorder.step(work=work))

    def section(self, name: str) -> "_TimedPart":
        return _TimedPart(self, lambda: self._recorder.section(name))


class _TimedPart:
    def __init__(self, owner: _Timed, opened: Callable[[], AbstractContextManager[object]]) -> None:
        self._owner, self._opened = owner, opened

    def __enter__(self) -> None:
        start = time.perf_counter()
        self._inner = self._opened()
        self._inner.__enter__()
        self._owner.spent += time.perf_counter() - start

    def __exit__(self, *_: object) -> None:
        start = time.perf_counter()
        self._inner.__exit__(None, None, None)
        self._owner.spent += time.perf_counter() - start


class _Network:
    """A layer of tanh and a linear one, trained by gradient descent on what another one like it says."""

    def __init__(self) -> None:
        self._draw = np.random.default_rng(SEED)
        self._teacher = self._weights()
        self._first, self._second = self._weights()
        self.losses: list[float] = []

    def batch(self) -> tuple[Any, Any]:
        inputs = self._draw.standard_normal((_BATCH, _INPUTS))
        return inputs, np.tanh(inputs @ self._teacher[0]) @ self._teacher[1]

    def gradients(self, inputs: Any, targets: Any) -> tuple[Any, Any]:
        hidden = np.tanh(inputs @ self._first)
        wrong = hidden @ self._second - targets
        self.losses.append(float(np.mean(wrong**2)))
        wrong /= _BATCH
        return inputs.T @ (wrong @ self._second.T * (1 - hidden**2)), hidden.T @ wrong

    def descend(self, first: Any, second: Any) -> None:
        self._first -= _RATE * first
        self._second -= _RATE * second

    def _weights(self) -> tuple[Any, Any]:
        shapes = ((_INPUTS, _HIDDEN), (_HIDDEN, 8))
        first, second = (self._draw.standard_normal(shape) / math.sqrt(shape[0]) for shape in shapes)
        return first, second


def _train(recorder: steps.StepRecorder) -> Outcome:
    network = _Network()

    def plain() -> None:
        inputs, targets = network.batch()
        slopes = network.gradients(inputs, targets)
        network.descend(*slopes)

    def hooked(recorder: steps.StepRecorder | _Timed = recorder) -> None:
        with recorder.step(work=_BATCH):
            with recorder.section("data"):
                inputs, targets = network.batch()
            with recorder.section("compute"):
                slopes = network.gradients(inputs, targets)
            with recorder.section("compute"):
                network.descend(*slopes)

    for _ in range(_WARM):
        plain()
        hooked()
    blocks = compare(plain, hooked)
    costs = []
    for _ in range(_TIMED):
        timed = _Timed(recorder)
        hooked(timed)
        costs.append(timed.spent)
    first, last = (statistics.mean(part) for part in (network.losses[:_WARM], network.losses[-_WARM:]))
    return Outcome(blocks, costs, last / first)


if __name__ == "__main__":
    with (
        tempfile.TemporaryDirectory(dir="/dev/shm") as rings,
        steps.open(directory=rings, job="bench", synced=True) as opened,
    ):
        sys.stdout.write(msgspec.json.encode(_train(opened)).decode())
