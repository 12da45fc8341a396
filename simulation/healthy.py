"""A healthy fleet without end, window by window: to count false accusations over tens of thousands of node-days.

No step is simulated: sums over a window of k steps are drawn at once, with 1/√k of a step's deviation. Each job
has a clock of its own, as a window that waits for a long step is longer than ten seconds.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from detectors.observed import Flags, Floats, Observed, Signals, Totals
from simulation.case import START, Noise, Shape
from simulation.healthy_events import Events
from simulation.healthy_signals import Weather
from simulation.layout import layout
from simulation.noise import PRESETS
from simulation.steps import BASE, OWN_SHARE, TOKENS

WINDOW = 10.0
"""Seconds."""

WINDOWS = 8640
"""Windows of a day."""

RANKS = 2
"""Of a node."""

LOST = 0.0005
"""Share of records that never come."""

_SPREAD = 0.02
_DAY = 86_400.0
_SALT = 4  # after those of `simulation.plan`


@dataclass(frozen=True, slots=True)
class Job:
    """One job of the fleet.

    Attributes:
        shape: layout of its nodes.
        nodes: which of the fleet's.
        step: seconds of a step.
        noise: of its ranks.
    """

    shape: Shape
    nodes: slice
    step: float
    noise: Noise


class Fleet:
    """Healthy jobs of 32 to 8,192 nodes. The same seed gives the same jobs; each day has chance of its own.

    Attributes:
        jobs: all of them.
    """

    def __init__(self, nodes: int, seed: int) -> None:
        self.seed = seed
        self.jobs = tuple(_jobs(nodes, np.random.default_rng([seed, _SALT])))

    def day(self, number: int) -> Iterator[tuple[Observed, ...]]:
        """Give a window of every job, `WINDOWS` times. Any day can be made without those before it."""
        day = _Day(self.jobs, np.random.SeedSequence([self.seed, _SALT, number]), START + number * _DAY)
        for _ in range(WINDOWS):
            yield day.window()


def _jobs(nodes: int, chance: np.random.Generator) -> Iterator[Job]:
    placed = 0
    while nodes - placed >= 4:
        size = min(int(np.exp(chance.uniform(np.log(32), np.log(8192)))), nodes - placed)
        stages = int(chance.choice([count for count in (1, 2, 4) if size >= 4 * count]))
        size -= size % stages
        noise = replace(PRESETS[int(chance.integers(len(PRESETS)))], spread=_SPREAD)
        step = float(np.exp(chance.uniform(np.log(0.5), np.log(8))))
        yield Job(Shape(size, RANKS, devices=2, stages=stages), slice(placed, placed + size), step, noise)
        placed += size


class _Day:
    """Everything that changes, for all nodes at once. A row per node of the fleet."""

    def __init__(self, jobs: tuple[Job, ...], root: np.random.SeedSequence, start: float) -> None:
        self.jobs = jobs
        self.chance = np.random.Generator(np.random.SFC64(root))
        self.layouts = [layout(job.shape) for job in jobs]
        nodes = jobs[-1].nodes.stop
        self.job = np.repeat(np.arange(len(jobs)), [job.shape.nodes for job in jobs])
        self.first = np.array([job.nodes.start for job in jobs])
        self.steps = np.array([job.step for job in jobs])
        self.clock = np.full(len(jobs), start)
        self.number = np.zeros(len(jobs))
        self.behind = np.zeros(len(jobs))
        bubble = [job.shape.microbatches / (job.shape.stages + job.shape.microbatches - 1) for job in jobs]
        own = OWN_SHARE * self.steps * bubble
        lasting = 1 + _SPREAD * self.chance.uniform(-1, 1, (3, nodes))
        self.base = (own[self.job] * np.array(BASE)[:, None] * lasting).astype(np.float32)
        self.rank, self.together, self.work = (
            np.array([getattr(job.noise, name) for job in jobs], dtype=np.float32)
            for name in ("rank", "step", "work")
        )
        self.given = np.array([job.noise.given for job in jobs])
        # Ranks of one replica share their work: they draw from the same place of a row of numbers.
        replicas = [job.shape.replicas * RANKS for job in jobs]
        starts = np.cumsum([0, *replicas])
        self.replica = np.concatenate(
            [start + one.replica for start, one in zip(starts, self.layouts, strict=False)]
        )
        self.replicas = int(starts[-1])
        self.events = Events(self.job, self.steps, RANKS, self.chance)
        self.weather = Weather(self.job, self.chance)

    def window(self) -> tuple[Observed, ...]:
        """Give the next window of every job."""
        job = self.job
        events = self.events.next()
        count = np.maximum(np.floor((WINDOW + self.behind) / self.steps), 1)
        own, work = self._own(count)
        own[0] *= events.compute[job][:, None]
        own += events.added
        whole = own.sum(axis=0)
        longest = np.maximum.reduceat(whole.max(axis=1), self.first)
        saving = np.maximum.reduceat(events.checkpoint, self.first)
        # A step waits for the slowest of its own replicas, which is not always the same: a little above the sums.
        duration = (1.05 + self.work) * longest + saving
        sections = np.empty((5, *work.shape), dtype=np.float32)
        sections[:3] = own
        sections[4] = events.checkpoint[:, None]
        sections[3] = (duration[job] - events.checkpoint)[:, None] - whole
        length = WINDOW * np.maximum(np.ceil(duration / WINDOW - 0.5), 1)
        self.behind = np.clip(self.behind + length - duration, -WINDOW, WINDOW)
        heard = np.ones(len(job), dtype=bool)
        heard[self.chance.integers(0, len(job), self.chance.poisson(LOST * len(job)))] = False
        work[~self.given[job]] = np.nan
        sections[:, ~heard] = 0
        work[~heard] = 0
        columns = self._columns(count, duration, heard)
        signals = self.weather.next(events, length, heard)
        observed = tuple(
            self._observed(
                index, (*columns, work, sections), signals.of(one.nodes), heard[one.nodes], length[index]
            )
            for index, one in enumerate(self.jobs)
        )
        self.clock += length
        self.number += count
        return observed

    def _own(self, count: Floats) -> tuple[Floats, Floats]:
        """Draw own work (sections by nodes by ranks) and work (nodes by ranks), summed over the window."""
        chance, job = self.chance, self.job
        each = np.sqrt(count).astype(np.float32)
        own = chance.standard_normal((3, len(job), RANKS), dtype=np.float32)
        own[0] *= (self.rank / each)[job][:, None]
        own[1:] *= (0.1 / each)[job][:, None]
        own[0] += (chance.standard_normal(len(count), dtype=np.float32) * self.together / each)[job][:, None]
        work = chance.standard_normal(self.replicas, dtype=np.float32)[self.replica]
        work *= (self.work / each)[job][:, None]
        work += 1
        own += 1
        own[0] *= work
        own *= (self.base * count.astype(np.float32)[job])[:, :, None]
        work *= (TOKENS * count).astype(np.float32)[job][:, None]
        return own, work

    def _columns(self, count: Floats, duration: Floats, heard: Flags) -> tuple[Floats, ...]:
        """Give count, first, last, duration and slowest, nodes by ranks."""
        per_job = np.stack([count, self.number, self.number + count - 1, duration, 1.02 * duration / count])
        columns = per_job[:, self.job]
        columns[1:3, ~heard] = np.nan
        columns[0, ~heard] = columns[3, ~heard] = columns[4, ~heard] = 0
        return tuple(np.broadcast_to(columns[:, :, None], (*columns.shape, RANKS)))

    def _observed(
        self, index: int, columns: tuple[Floats, ...], signals: Signals, heard: Flags, length: float
    ) -> Observed:
        nodes, place = self.jobs[index].nodes, self.layouts[index]
        count, first, last, duration, slowest, work, sections = columns
        return Observed(
            start=float(self.clock[index]),
            end=float(self.clock[index] + length),
            totals=Totals(
                count=count[nodes],
                first=first[nodes],
                last=last[nodes],
                duration=duration[nodes],
                slowest=slowest[nodes],
                work=work[nodes],
                sections=sections[:, nodes],
                part=place.part,
                stage=place.stage,
                depth=place.stage,
                pipeline=place.replica,
                device=place.device,
            ),
            signals=signals,
            among=heard,
            active=heard,
            domains={"rack": place.rack},
        )
