"""What chance decides once per case: lasting differences between nodes, and when disturbances come.

How often and how long is assumed, from what training jobs usually do: a checkpoint every five minutes, a stall of
shared storage of one or two minutes, a recompilation of up to two.
"""

from dataclasses import dataclass

import numpy as np

from detectors.observed import Flags, Floats
from simulation.case import Case, Disturbance, FaultKind

WORK_SPREAD = 0.11
"""Of unequal batches, where the case's noise has none: as in trace ST."""


class Salt:
    """Which part of a case draws: parts that draw more or less leave the others' numbers alone."""

    PLAN, STEPS, SIGNALS, DISORDER = range(4)


def generator(seed: int, salt: int) -> np.random.Generator:
    """Chance for one part of one case."""
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence([seed, salt])))


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happens to all nodes (`node` None) or to one, seconds from case start."""

    start: float
    end: float
    node: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is fixed before the first step. Nodes along the last axis.

    Attributes:
        pace: lasting factors on `OWN` sections, 3 by nodes; stage weights are in the first.
        work: standard deviation of log work per step; `given`: whether the job tells it.
        checkpoint: seconds between checkpoints; infinite: none.
        compiling: recompilations, of all and of single nodes.
        evaluating, stalls: phases.
        absent: (nodes, start, end) of those that are not in the job then.
        silent: periods by nodes, True where no record comes.
        skew: seconds that each node's clock is ahead.
        resumed: number of the first step.
    """

    pace: Floats
    work: float
    given: bool
    checkpoint: float
    compiling: tuple[Happening, ...]
    evaluating: tuple[Happening, ...]
    stalls: tuple[Happening, ...]
    absent: tuple[tuple[Flags, float, float], ...]
    silent: Flags
    skew: Floats
    resumed: int


def periods(case: Case) -> int:
    """Count the records of a node."""
    return max(1, round(case.minutes * 60 / case.period))


def plan(case: Case) -> Plan:
    """Draw the plan of a case."""
    chance = generator(case.seed, Salt.PLAN)
    on = case.disturbances
    length = case.minutes * 60
    unequal = bool(on & {Disturbance.UNEQUAL_BATCHES, Disturbance.GIVEN_WORK})
    # Drawn in a fixed order and always, so that a disturbance more leaves the rest of a case as it was.
    pace, skew = _pace(case, chance), _skew(case, chance)
    silent, absent = _silent(case, chance), _absent(case, chance)
    every, all_compile = float(chance.uniform(240, 360)), _phases(chance, length, 2, 20, 120)
    lone = tuple(
        Happening(one.start, one.end, int(chance.integers(case.shape.nodes)))
        for one in _phases(chance, length, 3, 10, 60)
    )
    evaluating, stalls = _phases(chance, length, 2, 60, 180), _phases(chance, length, 2, 30, 120)
    storage = any(fault.kind is FaultKind.STORAGE for fault in case.faults)
    if storage:
        every = min(every, 120.0)
    return Plan(
        pace=pace,
        work=max(case.noise.work, WORK_SPREAD) if unequal else case.noise.work,
        given=case.noise.given or Disturbance.GIVEN_WORK in on,
        checkpoint=every if storage or Disturbance.CHECKPOINT in on else np.inf,
        compiling=(all_compile if Disturbance.RECOMPILATION in on else ())
        + (lone if Disturbance.LONE_RECOMPILATION in on else ()),
        evaluating=evaluating if Disturbance.EVALUATION in on else (),
        stalls=stalls if Disturbance.FILE_SYSTEM_STALL in on else (),
        absent=absent,
        silent=silent,
        skew=skew,
        resumed=8800 if Disturbance.WARM_UP in on else 0,
    )


def _phases(
    chance: np.random.Generator, length: float, count: int, shortest: float, longest: float
) -> tuple[Happening, ...]:
    """Draw a few phases, each in its own part of the case, so that they do not overlap."""
    starts = (np.arange(count) + chance.uniform(0.2, 0.8, count)) * length / count
    lengths = chance.uniform(shortest, longest, count)
    return tuple(Happening(float(start), float(start + long)) for start, long in zip(starts, lengths, strict=True))


def _pace(case: Case, chance: np.random.Generator) -> Floats:
    shape = case.shape
    pace = 1 + case.noise.spread * chance.uniform(-1, 1, (3, shape.nodes))
    # The last stage has the largest part: it computes the loss over the vocabulary.
    weights = np.append(chance.uniform(0.75, 0.95, shape.stages - 1), 1.0)
    if Disturbance.UNEQUAL_STAGES in case.disturbances:
        pace[0] *= np.repeat(weights, shape.replicas)
    return pace.astype(np.float32)


def _skew(case: Case, chance: np.random.Generator) -> Floats:
    """Let a tenth of the nodes be up to three seconds off; the others agree to the millisecond, as with NTP."""
    skew = np.zeros(case.shape.nodes)
    wrong = chance.choice(case.shape.nodes, min(8, max(1, case.shape.nodes // 10)), replace=False)
    amount = chance.uniform(0.05, 3.0, len(wrong)) * chance.choice([-1, 1], len(wrong))
    if Disturbance.CLOCK_SKEW in case.disturbances:
        skew[wrong] = amount
    return skew


def _silent(case: Case, chance: np.random.Generator) -> Flags:
    """Choose the records that never come: lost ones, and those of nodes that are quiet or whose agent died."""
    count, nodes = periods(case), case.shape.nodes
    silent = np.zeros((count, nodes), dtype=bool)
    dead, quiet = (int(one) for one in chance.choice(nodes, 2, replace=False))
    die, fall = (int(share * count) for share in chance.uniform(0.2, 0.6, 2))
    wake = fall + int(chance.uniform(120, 480) / case.period)
    lose = np.random.Generator(chance.bit_generator.spawn(1)[0])
    if Disturbance.AGENT_DEATH in case.disturbances:
        silent[die:, dead] = True
    if Disturbance.QUIET in case.disturbances:
        silent[fall:wake, quiet] = True
    if Disturbance.LOST in case.disturbances:
        silent |= lose.random(silent.shape, dtype=np.float32) < 0.01
    for fault in case.faults:
        if fault.kind is FaultKind.AGENT:
            end = count if fault.end is None else int(fault.end / case.period)
            silent[int(fault.start / case.period) : end, list(fault.nodes)] = True
    return silent


def _absent(case: Case, chance: np.random.Generator) -> tuple[tuple[Flags, float, float], ...]:
    """Let a tenth of the replicas join late, and another tenth leave early; never the nodes of a fault."""
    shape, length = case.shape, case.minutes * 60
    join, leave = (float(share * length) for share in (chance.uniform(0.2, 0.4), chance.uniform(0.6, 0.8)))
    order = chance.permutation(shape.replicas)
    few = shape.replicas // 10 or 1
    if Disturbance.RESIZE not in case.disturbances:
        return ()
    struck = {node % shape.replicas for fault in case.faults for node in fault.nodes}
    free = [int(one) for one in order if one not in struck]
    replica = np.arange(shape.nodes) % shape.replicas
    late, early = np.isin(replica, free[:few]), np.isin(replica, free[few : 2 * few])
    return (late, -1.0, join), (early, leave, np.inf)
