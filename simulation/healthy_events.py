"""What happens to a healthy fleet, in windows of ten seconds. How often is assumed, and rather too often."""

from dataclasses import dataclass

import numpy as np

from detectors.observed import Floats, Integers

_PER_DAY = 1 / 8640
"""Chance in a window of what happens once a day."""

RECOMPILATIONS = 4 * _PER_DAY  # of a job; 20 to 120 s
LONE_RECOMPILATIONS = 0.2 * _PER_DAY  # of a node; 10 to 60 s
CONTENTIONS = 4 * _PER_DAY  # of a node; one to three windows, 5 % to 50 % of own work
EVALUATIONS = 12 * _PER_DAY  # of a job; 60 to 180 s
STALLS = 6 * _PER_DAY  # of the file system of a job; 30 to 120 s
CHECKPOINT = 30
"""Windows between checkpoints."""

PAUSES = 1 / 200
"""Garbage collections of a rank per step."""


@dataclass(frozen=True, slots=True)
class Happened:
    """What one window brings.

    Attributes:
        compute: factor on compute, per job.
        added: seconds, `OWN` sections by nodes by ranks.
        checkpoint: seconds of each node's checkpoint.
        contention: share by which each node's own work is longer for a busy host.
        stalled: how long each node waits for storage, seconds.
    """

    compute: Floats
    added: Floats
    checkpoint: Floats
    contention: Floats
    stalled: Floats


class Events:
    """Draws what happens, window by window.

    Args:
        job: of each node.
        steps: seconds of each job's step.
        ranks: of a node.
        chance: of the day.
    """

    def __init__(self, job: Integers, steps: Floats, ranks: int, chance: np.random.Generator) -> None:
        self._job, self._steps, self._ranks, self._chance = job, steps, ranks, chance
        jobs = len(steps)
        self._since_checkpoint = chance.integers(0, CHECKPOINT, jobs)
        self._evaluating = np.zeros(jobs, dtype=int)
        self._stalled = np.zeros(jobs, dtype=int)
        self._contended = np.zeros(len(job), dtype=int)
        self._contention = np.zeros(len(job), dtype=np.float32)

    def next(self) -> Happened:
        """Give the next window."""
        chance, job = self._chance, self._job
        added = np.zeros((3, len(job), self._ranks), dtype=np.float32)
        self._compile(added[0])
        pauses = chance.poisson(PAUSES * self._ranks * float((10 / self._steps)[job].sum()))
        at = chance.integers(0, added[2].size, pauses)
        np.add.at(added[2].reshape(-1), at, chance.uniform(0.05, 0.3, pauses).astype(np.float32))
        self._evaluating = self._go_on(self._evaluating, EVALUATIONS, 6, 18)
        stalled = np.zeros(len(job), dtype=np.float32)
        self._stalled = self._go_on(self._stalled, STALLS, 3, 12)
        waiting = self._stalled > 0
        if waiting.any():
            nodes = waiting[job]
            stalled[nodes] = 4 * np.exp(0.3 * chance.standard_normal(int(nodes.sum())))
            added[1] += stalled[:, None]
        self._contended = self._go_on(self._contended, CONTENTIONS, 1, 3)
        fresh = (self._contended > 0) & (self._contention == 0)
        self._contention[self._contended == 0] = 0
        self._contention[fresh] = np.exp(chance.uniform(np.log(0.05), np.log(0.5), int(fresh.sum())))
        added[2] += (8 * self._contention)[:, None]
        return Happened(
            compute=np.where(self._evaluating > 0, np.float32(0.4), np.float32(1)),
            added=added,
            checkpoint=self._checkpoints(),
            contention=self._contention,
            stalled=stalled,
        )

    def _compile(self, compute: Floats) -> None:
        """Add recompilations of whole jobs and of single nodes to nodes by ranks."""
        chance, job = self._chance, self._job
        for one in np.flatnonzero(chance.random(len(self._steps)) < RECOMPILATIONS):
            nodes = job == one
            long = chance.uniform(20, 120) * chance.uniform(0.8, 1.0, (int(nodes.sum()), 1))
            compute[nodes] += long.astype(np.float32)
        alone = chance.integers(0, len(job), chance.poisson(LONE_RECOMPILATIONS * len(job)))
        compute[alone] += chance.uniform(10, 60, (len(alone), 1)).astype(np.float32)

    def _checkpoints(self) -> Floats:
        chance, seconds = self._chance, np.zeros(len(self._job), dtype=np.float32)
        self._since_checkpoint += 1
        due = self._since_checkpoint >= CHECKPOINT
        if due.any():
            self._since_checkpoint[due] = 0
            long = np.where(due, chance.uniform(3, 15, len(due)), 0)[self._job]
            seconds += long * np.exp(0.15 * chance.standard_normal(len(seconds), dtype=np.float32))
        return seconds

    def _go_on(self, left: Integers, rate: float, shortest: int, longest: int) -> Integers:
        """Count the windows that are left of each phase down, and begin new ones."""
        left = np.maximum(left - 1, 0)
        began = self._chance.integers(0, len(left), self._chance.poisson(rate * len(left)))
        left[began] = self._chance.integers(shortest, longest + 1, len(began))
        return left
