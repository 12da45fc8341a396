"""Gauges and counters of a case, by period: healthy ones, and what faults make of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from detectors.observed import OWN, Floats, Integers
from simulation.case import Case, Shape
from simulation.plan import Plan, Salt, generator
from simulation.progress import Progress
from simulation.signal_list import RARES, TAIL, TAIL_SIZE, WAVES, Rare, Size, Wave
from simulation.signatures import EVENTS, Shift, shifts


@dataclass(frozen=True, slots=True)
class Source:
    """One name of a record.

    Attributes:
        name: by the contract.
        counter: whether the values are increases.
        several: whether a record has a list.
        columns: of `Measured.values`.
    """

    name: str
    counter: bool
    several: bool
    columns: slice


@dataclass(frozen=True, slots=True)
class Measured:
    """What is measured in each period.

    Attributes:
        sources: names, sorted.
        values: periods by nodes by columns: means of gauges, increases of counters.
    """

    sources: tuple[Source, ...]
    values: Floats


def sources(shape: Shape) -> tuple[Source, ...]:
    """Lay out the columns."""
    found: list[Source] = []
    at = 0
    for signal in _SIGNALS:
        size = entries(signal.size, shape)
        counter = isinstance(signal, Rare) or signal.counter
        found.append(Source(signal.name, counter, signal.size is not Size.ONE, slice(at, at + size)))
        at += size
    return tuple(found)


def entries(size: Size, shape: Shape) -> int:
    """Count the values of a source."""
    return {Size.ONE: 1, Size.RANKS: shape.ranks, Size.DEVICES: shape.devices}[size]


def measure(case: Case, plan: Plan, steps: Progress) -> Measured:
    """Draw all signals of a case."""
    if not case.hardware:
        return Measured((), np.zeros((*steps.count.shape, 0), dtype=np.float32))
    chance = generator(case.seed, Salt.SIGNALS)
    laid = sources(case.shape)
    width = laid[-1].columns.stop
    values = np.empty((*steps.count.shape, width), dtype=np.float32)
    columns = {source.name: source.columns for source in laid}
    waves = [wave for wave in _SIGNALS if isinstance(wave, Wave)]
    slots = np.concatenate([np.arange(columns[wave.name].start, columns[wave.name].stop) for wave in waves])
    moves = list(shifts(case, plan, chance))
    values[:, :, slots] = _waves(case, waves, moves, _busy(steps), chance)
    for rare in _SIGNALS:
        if isinstance(rare, Rare):
            values[:, :, columns[rare.name]] = _rare(case, rare, moves, steps.count.shape, chance)
    return Measured(laid, values)


_SIGNALS: tuple[Wave | Rare, ...] = tuple(sorted((*WAVES, *RARES), key=lambda one: one.name))


def _busy(steps: Progress) -> Floats:
    """Tell how much of each period the job computes, over what is usual for it."""
    own = steps.sections[: len(OWN)].sum(axis=(0, 3)).mean(axis=1)
    length = np.maximum(steps.duration.max(axis=1), 1e-9)
    share = own / length
    usual = np.median(share[share > 0]) if (share > 0).any() else 1.0
    return np.where(steps.count.any(axis=1), np.clip(share / usual, 0, 1.1), 1.0)


def _waves(
    case: Case, waves: Sequence[Wave], moves: Sequence[Shift], busy: Floats, chance: np.random.Generator
) -> Floats:
    """Give periods by nodes by entries of all waves."""
    shape = case.shape
    sizes = [entries(wave.size, shape) for wave in waves]
    starts = np.cumsum([0, *sizes])

    def column(values: Sequence[float]) -> Floats:
        return np.repeat(np.array(values, dtype=np.float32), sizes)

    drawn = _wander(column([wave.keep ** (case.period / 10) for wave in waves]), len(busy), shape.nodes, chance)
    drawn *= column([wave.noise for wave in waves])
    lasting = chance.standard_normal((shape.nodes, len(column([0] * len(waves)))), dtype=np.float32)
    drawn += column([wave.spread for wave in waves]) * lasting
    for wave, start, size in zip(waves, starts, sizes, strict=False):
        if size > 1:
            # Entries of a node have half of their noise in common: the mean then varies as that of one value.
            entry = drawn[:, :, start : start + size]
            entry += np.float32(size**0.5 - 1) * entry.mean(axis=2, keepdims=True)
        for move in moves:
            if move.signal == wave.name:
                amount = (move.amount * wave.deviation / wave.level).astype(np.float32)
                for place in _struck(shape, wave.size, move):
                    drawn[:, list(move.nodes), start + place] += amount[:, None]
    together = np.repeat(1 + _together(waves, len(busy), chance), sizes, axis=1)
    drawn += together[:, None].astype(np.float32)
    idle = 1 - np.outer(1 - busy, [wave.busy for wave in waves])
    drawn *= np.repeat(idle, sizes, axis=1)[:, None].astype(np.float32) * column([wave.level for wave in waves])
    np.clip(drawn, 0, column([wave.top for wave in waves]), out=drawn)
    return _increases(waves, drawn, sizes, case.period)


def _wander(keep: Floats, count: int, nodes: int, chance: np.random.Generator) -> Floats:
    """Draw periods by nodes by columns: first-order autoregressive of unit variance, with strays."""
    drawn = chance.standard_normal((count, nodes, len(keep)), dtype=np.float32)
    strays = chance.integers(0, drawn.size, chance.poisson(TAIL * drawn.size))
    drawn[1:] *= np.sqrt(1 - keep**2)
    for period in range(1, count):
        drawn[period] += keep * drawn[period - 1]
    sign = chance.choice(np.array([-1, 1], dtype=np.float32), len(strays))
    drawn.reshape(-1)[strays] += TAIL_SIZE * sign * chance.standard_exponential(len(strays), dtype=np.float32)
    return drawn


def _increases(waves: Sequence[Wave], drawn: Floats, sizes: Sequence[int], period: float) -> Floats:
    """Turn rates of counters into increases: whole numbers of all but seconds."""
    for wave, start in zip(waves, np.cumsum([0, *sizes]), strict=False):
        if wave.counter:
            column = drawn[:, :, start]
            column *= period
            if not wave.name.endswith("seconds"):
                np.rint(column, out=column)
    return drawn


def _together(waves: Sequence[Wave], count: int, chance: np.random.Generator) -> Floats:
    """Draw how the job moves all nodes, periods by waves: slowly."""
    series = chance.standard_normal((count, len(waves)))
    series[1:] *= np.sqrt(1 - 0.9**2)
    for period in range(1, count):
        series[period] += 0.9 * series[period - 1]
    return np.asarray(series * np.array([wave.phase for wave in waves]))


def _struck(shape: Shape, size: Size, move: Shift) -> Integers:
    """List the entries of a source that a shift moves."""
    if size is Size.ONE or move.ranks is None:
        return np.arange(entries(size, shape))
    ranks = np.flatnonzero(move.ranks)
    return ranks if size is Size.RANKS else np.unique(ranks * shape.devices // shape.ranks)


def _rare(
    case: Case, rare: Rare, moves: Sequence[Shift], size: tuple[int, ...], chance: np.random.Generator
) -> Floats:
    """Draw periods by nodes by entries of a counter of rare events, which come a few at a time."""
    width = entries(rare.size, case.shape)
    values = np.zeros((*size, width), dtype=np.float32)
    events = chance.integers(0, values.size, chance.poisson(rare.rate * case.period * values.size))
    np.add.at(values.reshape(-1), events, chance.geometric(0.7, len(events)).astype(np.float32))
    for move in moves:
        if move.signal != rare.name:
            continue
        mean = np.abs(move.amount) * EVENTS * case.period
        for place in _struck(case.shape, rare.size, move):
            values[:, list(move.nodes), place] += chance.poisson(mean[:, None], (len(mean), len(move.nodes)))
    return values
