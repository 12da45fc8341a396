"""Synchronous training, step by step: own work, and barriers at which everyone waits for the slowest.

A step lasts as long as the slowest replica needs for its pipeline, plus the transfer of gradients, plus a
checkpoint where one is due. Of m microbatches, in a pipeline whose stages need t for all of them, a replica takes
(sum t + (m - 1) max t) / m, the bound of the 1F1B schedule. What is left of a step, a rank is in collectives.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from detectors.observed import Flags, Floats
from simulation.case import Case, Disturbance, FaultKind
from simulation.effects import Moments, disturb, excess, slow_down
from simulation.layout import layout
from simulation.plan import Plan, Salt, generator

BASE = (0.94, 0.035, 0.025)
"""Shares of `OWN` sections in own work."""

OWN_SHARE = 0.85
"""Of a healthy step: own work and the pipeline's bubble; the rest is transfer."""

TOKENS = 8192.0
"""Mean work of a rank's step."""

_BLOCK = 20.0
"""Seconds of steps that are computed at once: few enough that their start times can be told beforehand."""


@dataclass(frozen=True, slots=True)
class Block:
    """Some steps in a row.

    Attributes:
        first: number of the first.
        end: when each ended, seconds since case start, float64.
        duration: of each.
        ideal: what each would have lasted without faults.
        own: `OWN` sections by steps by nodes by ranks.
        work: steps by nodes by ranks.
        checkpoints: by index of a step: seconds of each node's checkpoint.
        present: nodes that took part.
    """

    first: int
    end: Floats
    duration: Floats
    ideal: Floats
    own: Floats
    work: Floats
    checkpoints: dict[int, Floats]
    present: Flags


def blocks(case: Case, plan: Plan) -> Iterator[Block]:
    """Train until the case is over, or hangs."""
    return _Training(case, plan).run()


class _Training:
    def __init__(self, case: Case, plan: Plan) -> None:
        self.case, self.plan = case, plan
        self.chance = generator(case.seed, Salt.STEPS)
        self.layout = layout(case.shape)
        hangs = [fault.start for fault in case.faults if fault.kind is FaultKind.HANG]
        self.until = min([case.minutes * 60 + max(plan.skew.max(), -plan.skew.min()), *hangs])
        shape = case.shape
        bubble = shape.microbatches / (shape.stages + shape.microbatches - 1)
        self.base = OWN_SHARE * case.step * bubble * np.array(BASE)
        self.time, self.step, self.pace = 0.0, plan.resumed, case.step
        self.since, self.saved, self.saved_step = -np.inf, 0.0, plan.resumed
        self.experts = np.zeros(shape.experts)

    def run(self) -> Iterator[Block]:
        while self.time < self.until:
            block = self._block(max(1, round(_BLOCK / self.pace)))
            ended = int(np.searchsorted(block.end, self.until, side="right"))
            self.time, self.step = float(block.end[-1]), block.first + len(block.end)
            self.pace = float(np.median(block.duration))
            yield block if ended == len(block.end) else _cut(block, ended)

    def _block(self, count: int) -> Block:
        when = Moments(self.time + self.pace * np.arange(count), self.step + np.arange(count), self.since)
        present = self._present()
        own, work = self._healthy(count)
        disturb(self.case, self.plan, own, when, self.chance)
        self.since = float(when.time[-1])
        if not present.all():
            own[:, :, ~present] = 0
            work[:, ~present] = 0
        transfer = 0.15 * self.case.step * np.exp(0.03 * self.chance.standard_normal(count))
        ideal = self._barrier(own) + transfer
        duration = ideal
        if slow_down(self.case, own, when, self.chance):
            duration = self._barrier(own) + transfer
        duration = duration + self._lost_on_links(own, when.time)
        checkpoints = self._checkpoints(when.time, present)
        ideal = ideal.copy()
        for index, (seconds, healthy) in checkpoints.items():
            duration[index] += seconds.max()
            ideal[index] += healthy
        end = self.time + np.cumsum(duration)
        saved = {index: seconds for index, (seconds, _) in checkpoints.items()}
        return Block(self.step, end, duration, ideal, own, work, saved, present)

    def _present(self) -> Flags:
        present = np.ones(self.case.shape.nodes, dtype=bool)
        for nodes, start, end in self.plan.absent:
            if start <= self.time < end:
                present &= ~nodes
        return present

    def _healthy(self, count: int) -> tuple[Floats, Floats]:
        """Draw own work (sections by steps by nodes by ranks) and work (steps by nodes by ranks)."""
        shape, noise, chance = self.case.shape, self.case.noise, self.chance
        size = (count, shape.nodes, shape.ranks)
        own = chance.standard_normal((3, *size), dtype=np.float32)
        own[0] *= noise.rank
        own[1:] *= 0.1  # small sections are less steady than a long one
        if noise.node:
            own[0] += np.float32(noise.node) * chance.standard_normal((*size[:2], 1), dtype=np.float32)
        if noise.step:
            own[0] += np.float32(noise.step) * chance.standard_normal((count, 1, 1), dtype=np.float32)
        work = np.zeros((count, 1, 1), dtype=np.float32)
        if self.plan.work:
            replicas = shape.replicas * (shape.ranks // shape.tensor)
            drawn = np.float32(self.plan.work) * chance.standard_normal((count, replicas), dtype=np.float32)
            work = drawn[:, self.layout.replica]
            own[0] += work
        if Disturbance.EXPERT_IMBALANCE in self.case.disturbances:
            own[0] += self._imbalance(count)[:, self.layout.expert]
        np.exp(own, out=own)
        own *= (self.base[:, None, None, None] * self.plan.pace[:, None, :, None]).astype(np.float32)
        return own, np.broadcast_to(np.float32(TOKENS) * np.exp(work), size).copy()

    def _imbalance(self, count: int) -> Floats:
        """Let the load of experts wander around ±10 %: routing changes over some fifty steps."""
        load = np.empty((count, self.case.shape.experts), dtype=np.float32)
        for index in range(count):
            drawn = self.chance.standard_normal(self.case.shape.experts)
            self.experts = load[index] = 0.98 * self.experts + 0.02 * drawn
        return load

    def _barrier(self, own: Floats) -> Floats:
        """Give the seconds that the slowest replica of each step needs."""
        shape = self.case.shape
        whole = own.sum(axis=0)
        groups = (len(whole), shape.stages, shape.replicas, shape.ranks // shape.tensor, shape.tensor)
        if shape.tensor > 1:
            whole = whole.reshape(groups).max(axis=-1)
        if shape.stages == 1:
            return np.asarray(whole.reshape(len(whole), -1).max(axis=1), dtype=np.float64)
        stage = whole.reshape(len(whole), shape.stages, -1)
        pipeline = stage.sum(axis=1) + (shape.microbatches - 1) * stage.max(axis=1)
        return np.asarray(pipeline.max(axis=1) / shape.microbatches, dtype=np.float64)

    def _lost_on_links(self, own: Floats, time: Floats) -> Floats:
        """Give the seconds by which bad links lengthen the transfer: loss comes in bursts."""
        lost = np.zeros(len(time))
        for fault in self.case.faults:
            if fault.kind is FaultKind.LINK:
                mean = own.sum(axis=0).mean(axis=2)[:, list(fault.nodes)].max(axis=1)
                lost += excess(fault, time) * mean * self.chance.gamma(4, 0.25, len(time))
        return lost

    def _checkpoints(self, time: Floats, present: Flags) -> dict[int, tuple[Floats, float]]:
        """Give each node's seconds at the steps that end with a checkpoint, and the longest of healthy nodes."""
        found = {}
        for index in np.flatnonzero(time >= self.saved + self.plan.checkpoint):
            if time[index] < self.saved + self.plan.checkpoint:
                continue
            self.saved, steps = float(time[index]), self.step + int(index) - self.saved_step
            self.saved_step += steps
            seconds = self.chance.uniform(3, 15) * np.exp(0.15 * self.chance.standard_normal(len(present)))
            seconds[~present] = 0
            healthy = float(seconds.max())
            for fault in self.case.faults:
                if fault.kind is FaultKind.STORAGE:
                    share = float(excess(fault, time[index : index + 1])[0])
                    seconds[list(fault.nodes)] += share * self.base.sum() * steps
            found[int(index)] = (seconds.astype(np.float32), healthy)
        return found


def _cut(block: Block, ended: int) -> Block:
    """Keep the steps that ended before the case did."""
    return Block(
        block.first,
        block.end[:ended],
        block.duration[:ended],
        block.ideal[:ended],
        block.own[:, :ended],
        block.work[:ended],
        {index: seconds for index, seconds in block.checkpoints.items() if index < ended},
        block.present,
    )
