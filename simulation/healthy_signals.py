"""Signals of a healthy fleet, window by window."""

import math

import numpy as np

from detectors.observed import ODD, Flags, Floats, Integers, Signals
from simulation.healthy_events import Happened
from simulation.signal_list import RARES, TAIL, TAIL_SIZE, WAVES

_LEFT_OUT = {
    "neuron.device.memory.used",
    "neuron.host.memory.used",
    "host.memory.available",
    "host.pressure.memory",
}
"""Gauges that hardly move; with them a fleet would take longer than what watches it."""

_WAVES = tuple(wave for wave in WAVES if wave.name not in _LEFT_OUT and not wave.name.endswith("_bytes"))
_RARES = tuple(rare for rare in RARES if rare.rate > 1e-4)
_ODD = tuple(wave for wave in _WAVES if wave.size != "one")

NAMES = tuple(
    sorted([wave.name for wave in _WAVES] + [wave.name + ODD for wave in _ODD] + [rare.name for rare in _RARES])
)
"""Of the columns."""

_COUNTERS = np.isin(NAMES, [wave.name for wave in _WAVES if wave.counter] + [rare.name for rare in _RARES])
_PHASE_KEEP = np.float32(0.9)


class Weather:
    """Draws all nodes' signals: gauges that wander around levels of their own, and rare events.

    Args:
        job: of each node.
        chance: of the day.
    """

    def __init__(self, job: Integers, chance: np.random.Generator) -> None:
        self._job, self._chance = job, chance
        nodes, jobs, width = len(job), int(job[-1]) + 1, len(NAMES)
        level, spread, noise, keep, phase = (np.zeros(width, dtype=np.float32) for _ in range(5))
        self._top = np.full(width, np.inf, dtype=np.float32)
        for wave in _WAVES:
            at = NAMES.index(wave.name)
            level[at], spread[at], noise[at], keep[at] = wave.level, wave.spread, wave.noise, wave.keep
            phase[at], self._top[at] = wave.phase, wave.top
        centre = level.copy()
        for wave in _ODD:
            at = NAMES.index(wave.name + ODD)
            # Half the difference of two entries: each has as much noise of its own as a node's mean.
            level[at], spread[at], noise[at] = wave.level, wave.spread / math.sqrt(2), wave.noise / math.sqrt(2)
            keep[at] = wave.keep
        # A row per signal: operations with one number for each signal are quick then.
        lasting = chance.standard_normal((width, nodes), dtype=np.float32)
        self._base = centre[:, None] + (level * spread)[:, None] * lasting
        self._keep, self._fresh = keep[:, None], np.sqrt(1 - keep**2)[:, None]
        self._scale, self._phase = (level * noise)[:, None], (level * phase)[:, None]
        self._top = self._top[:, None]
        self._state = chance.standard_normal((width, nodes), dtype=np.float32)
        self._together = chance.standard_normal((width, jobs), dtype=np.float32)
        self._odd = np.flatnonzero(np.isin(NAMES, [wave.name + ODD for wave in _ODD]))
        self._rare = [(NAMES.index(rare.name), rare.rate * (1 if rare.size == "one" else 2)) for rare in _RARES]
        self._units = {wave.name: (NAMES.index(wave.name), wave.deviation) for wave in _WAVES}

    def next(self, events: Happened, length: Floats, heard: Flags) -> "Measured":
        """Give the next window's. `length`: seconds of each job's window."""
        chance, state, together = self._chance, self._state, self._together
        fresh = chance.standard_normal(state.shape, dtype=np.float32)
        fresh *= self._fresh
        state *= self._keep
        state += fresh
        together *= _PHASE_KEEP
        together += np.sqrt(1 - _PHASE_KEEP**2) * chance.standard_normal(together.shape, dtype=np.float32)
        values = np.multiply(state, self._scale, out=fresh)
        values += self._base
        values += (together * self._phase).take(self._job, axis=1)
        self._stray(values)
        self._shift(values, events)
        values[self._odd] = np.abs(values[self._odd])
        np.maximum(values, 0, out=values)
        np.minimum(values, self._top, out=values)
        seconds = length[self._job]
        for column, rate in self._rare:
            at = chance.integers(0, len(seconds), chance.poisson(rate * float(seconds.sum())))
            np.add.at(values[column], at, (chance.geometric(0.7, len(at)) / seconds[at]).astype(np.float32))
        values[:, ~heard] = np.nan
        seconds[~heard] = 0
        return Measured(values.T, seconds)

    def _stray(self, values: Floats) -> None:
        chance = self._chance
        signal = chance.integers(0, values.shape[0], chance.poisson(TAIL * values.size))
        node = chance.integers(0, values.shape[1], len(signal))
        sign = np.where(chance.random(len(node)) < 0.5, -1, 1)
        amount = TAIL_SIZE * sign * chance.standard_exponential(len(node))
        values[signal, node] += amount * self._scale[signal, 0]

    def _shift(self, values: Floats, events: Happened) -> None:
        """Let contention show in pressure and load, and stalls in waiting for disks."""
        busy = np.flatnonzero(events.contention)
        for name, strength in (("host.pressure.cpu", 40), ("host.load1", 10), ("host.cpu.utilization", 10)):
            column, unit = self._units[name]
            values[column, busy] += unit * strength * events.contention[busy]
        waiting = np.flatnonzero(events.stalled)
        for name in ("host.cpu.iowait", "host.pressure.io"):
            column, unit = self._units[name]
            values[column, waiting] += unit * 2 * events.stalled[waiting]


class Measured:
    """Signals of all nodes in one window."""

    def __init__(self, values: Floats, seconds: Floats) -> None:
        self._values, self._seconds = values, seconds

    def of(self, nodes: slice) -> Signals:
        """Give those of one job."""
        return Signals(NAMES, _COUNTERS, self._seconds[nodes], self._values[nodes])
