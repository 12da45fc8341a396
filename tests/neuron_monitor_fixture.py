"""What the tests of neuron-monitor share: quick restarts, collectors of any command, waiting for what they say."""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from collectors import neuron_child
from collectors.neuron_monitor import NeuronMonitorCollector
from collectors.reading import Gap, Now, Reading

EMULATOR = [sys.executable, "-m", "simulation.neuron_monitor"]
PERIOD = 0.2


@pytest.fixture(autouse=True)
def quick(monkeypatch, tmp_path) -> None:
    """Short pauses before a restart, and faults that happen once."""
    monkeypatch.setattr(neuron_child, "_PAUSE_FIRST", 0.1)
    monkeypatch.setenv("GUARD_EMULATE_STATE", str(tmp_path / "state"))


@pytest.fixture
def made() -> Iterator[Callable[[list[str]], NeuronMonitorCollector]]:
    """Makes collectors of any command. At the end they are closed, and no child may be left of them."""
    before = set(children_of("self"))  # a broker that tests share, say
    collectors = []

    def make(command) -> NeuronMonitorCollector:
        collectors.append(NeuronMonitorCollector(command, PERIOD))
        return collectors[-1]

    yield make
    for collector in collectors:
        collector.close()
    assert set(children_of("self")) <= before


@pytest.fixture
def started(made) -> Callable[[list[str]], NeuronMonitorCollector]:
    """Makes collectors and asks them once, so that their child is on its way."""

    def start(command) -> NeuronMonitorCollector:
        collector = made(command)
        collect(collector)
        return collector

    return start


def children_of(pid) -> list[str]:
    """Child processes, zombies and those that another thread started included."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [child for task in tasks for child in task.read_text().split()]


def collect(collector) -> Reading | Gap:
    return collector.collect(Now(wall=time.time(), monotonic=time.monotonic()))


def wait_for(condition, seconds=20.0):
    """What the condition gave once it was true."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "the condition never came true"
        time.sleep(0.02)
    return found


def wait_for_answer(collector, accept, seconds=20.0) -> Reading | Gap:
    """The first answer that is accepted."""
    seen = []

    def accepted():
        seen.append(collect(collector))
        return accept(seen[-1])

    try:
        wait_for(accepted, seconds)
    except AssertionError:
        pytest.fail(f"the last answer was {seen[-1]}")
    return seen[-1]


def is_data(answer) -> bool:
    return isinstance(answer, Reading) and bool(answer.gauges)
