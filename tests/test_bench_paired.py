"""The statistics of the paired training run."""

import random

import pytest

from tools.bench import paired


def test_the_interval_holds_the_median_in_nineteen_of_twenty_draws():
    draw = random.Random(7)
    held = 0
    for _ in range(400):
        found = paired.median([draw.lognormvariate(0, 1) - 1 for _ in range(101)])
        held += found.low <= 0 <= found.high
    assert 0.93 <= held / 400 <= 0.99


def test_a_drift_of_the_machine_is_no_difference(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(paired.time, "perf_counter", lambda: clock[0])

    def step(extra=0.0):
        clock[0] += (1 + extra) * (0.1 + clock[0] * 1e-4)  # slower and slower

    same = paired.relative(paired.compare(step, lambda: step()))  # noqa: PLW0108  (two programs, told apart by identity)
    assert same.median == pytest.approx(0, abs=1e-5)
    dearer = paired.relative(paired.compare(step, lambda: step(0.01)))
    assert dearer.low <= dearer.median <= dearer.high
    assert dearer.median == pytest.approx(0.01, abs=1e-5)
