"""Sets of cases, each for one question. A suite of another seed shares no case: that is how splits are made.

Where batches differ by 11 % between replicas, a step waits for the longest batch anyway, and a fault of 1.1x costs
the job nearly nothing: to call it one would be wrong. There faults begin at 1.5x.
"""

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from itertools import combinations
from typing import TypeVar

import numpy as np

from simulation.case import Case, Disturbance, Fault, FaultKind, Noise, Shape
from simulation.noise import AR, PRESETS, SE, SE_GIVEN, ST

_Any = TypeVar("_Any")


class Suite(StrEnum):
    """What is asked."""

    HEALTHY = "healthy"  # is anybody accused in jobs with all that happens to healthy ones?
    FAULTY = "faulty"  # is every fault from 1.1x up found?
    MILD = "mild"  # and from 1.03x?
    UNSECTIONED = "unsectioned"  # is the culprit among the suspects where times say nothing?
    NEVER = "never"  # does a disturbance, or a pair of them, accuse anybody?
    RACK = "rack"  # is a bad rack nobody's fault?
    SEVERE = "severe"  # how soon are faults of 2x and more found?
    SLIGHT = "slight"  # is 1.05x found within an hour?
    INTERMITTENT = "intermittent"  # in turn 3x in one step of ten, and the same case at a steady 1.2x
    HANG = "hang"  # is the rank named that others wait for?


STEADY = (
    FaultKind.COMPUTE,
    FaultKind.CORE,
    FaultKind.DEVICE,
    FaultKind.MEMORY,
    FaultKind.HOST,
    FaultKind.INPUT,
    FaultKind.LINK,
)
"""Kinds that are the same in every step."""

SLOWING = (*STEADY, FaultKind.DRIFT, FaultKind.THROTTLE, FaultKind.INTERMITTENT, FaultKind.STORAGE)
"""Kinds that slow a job and are some node's."""

_LARGEST = {FaultKind.THROTTLE: 0.6, FaultKind.INTERMITTENT: 0.3, FaultKind.STORAGE: 0.5}
"""Excess of kinds that come and go: on average no more than this, as they are three to ten times as slow then."""

_SPREAD = 0.02
"""Persistent differences between nodes that healthy and faulty jobs have."""

_PARTIAL = (FaultKind.CORE, FaultKind.DEVICE, FaultKind.MEMORY, FaultKind.HANG)
"""Kinds that hit a part of a node."""

_MINOR = (
    Disturbance.CHECKPOINT,
    Disturbance.GARBAGE_COLLECTION,
    Disturbance.UNEQUAL_STAGES,
    Disturbance.LATE,
    Disturbance.LOST,
    Disturbance.REPEATED,
    Disturbance.REORDERED,
    Disturbance.CLOCK_SKEW,
)
"""What faulty jobs have besides."""


def suite(name: str, count: int, seed: int) -> Iterator[Case]:
    """Give the first cases of a suite.

    Raises:
        ValueError: there is no such suite.
    """
    build = _BUILDERS[Suite(name)]
    for index in range(count):
        # Pairs that differ in the fault alone.
        drawn = index // 2 if name == Suite.INTERMITTENT else index
        root = np.random.SeedSequence([seed, zlib.crc32(name.encode()), drawn])
        yield build(_Draw(f"{name}-{index:05}", index, root))


class _Draw:
    """Chance of one case, and the parts of cases that all suites use."""

    def __init__(self, name: str, index: int, root: np.random.SeedSequence) -> None:
        self.name, self.index = name, index
        self.seed = int(root.generate_state(1)[0])
        self.chance = np.random.default_rng(root)

    def case(self, shape: Shape, noise: Noise, disturbances: Sequence[Disturbance] = ()) -> Case:
        return Case(
            seed=self.seed,
            name=self.name,
            shape=shape,
            step=self.between(0.5, 20),
            noise=noise,
            disturbances=frozenset(disturbances),
        )

    def shape(self, smallest: int = 8, largest: int = 256, peers: int = 4) -> Shape:
        """Draw a layout with at least so many nodes of the same part."""
        nodes = self.between(smallest, largest)
        stages = int(self.pick([count for count in (1, 1, 2, 4) if count * peers <= nodes]))
        replicas = round(nodes / stages)
        experts = int(self.pick([1, 1, 2])) if replicas // 2 >= peers else 1
        replicas -= replicas % experts
        tensor = int(self.pick([1, 4]))
        return Shape(replicas * stages, stages=stages, tensor=tensor, experts=experts)

    def noise(self, presets: Sequence[Noise]) -> Noise:
        return replace(self.pick(presets), spread=_SPREAD)

    def fault(
        self, case: Case, kind: FaultKind, excess: float, nodes: int | None = None, every: int = 10
    ) -> Fault:
        """Place a fault that begins between minutes 5 and 12; of unequal stages in the last, which counts."""
        shape = case.shape
        first = shape.nodes - shape.replicas if Disturbance.UNEQUAL_STAGES in case.disturbances else 0
        where = int(self.chance.integers(first, shape.nodes)) if nodes is None else nodes
        return Fault(
            kind,
            (where,),
            start=float(self.chance.uniform(300, 720)),
            factor=1 + excess,
            rank=int(self.chance.integers(shape.ranks)) if kind in _PARTIAL else None,
            every=every if kind is FaultKind.INTERMITTENT else 1,
        )

    def between(self, low: float, high: float) -> float:
        """Draw a size, small and large ones alike."""
        return float(np.exp(self.chance.uniform(np.log(low), np.log(high))))

    def pick(self, choices: Sequence[_Any]) -> _Any:
        return choices[int(self.chance.integers(len(choices)))]

    def some(self, choices: Sequence[Disturbance], share: float) -> list[Disturbance]:
        return [one for one in choices if self.chance.random() < share]


def _healthy(draw: _Draw) -> Case:
    shape = draw.shape()
    happening = [one for one in draw.some(tuple(Disturbance), 0.3) if _fits(one, shape)]
    return draw.case(shape, draw.noise(PRESETS), happening)


def _fits(one: Disturbance, shape: Shape) -> bool:
    """Tell whether a disturbance means something in a job of this layout."""
    return {Disturbance.EXPERT_IMBALANCE: shape.experts > 1, Disturbance.UNEQUAL_STAGES: shape.stages > 1}.get(
        one, True
    )


def _faulty(draw: _Draw) -> Case:
    return _with_fault(draw, SLOWING, 0.1, 2.0, two=draw.chance.random() < 0.1)


def _with_fault(draw: _Draw, kinds: Sequence[FaultKind], low: float, high: float, *, two: bool = False) -> Case:
    shape = draw.shape(16 if two else 8, peers=11 if two else 4)
    noise = draw.noise((AR, ST, SE_GIVEN, SE))
    minor = [one for one in draw.some(_MINOR, 0.25) if _fits(one, shape)]
    case = draw.case(shape, noise, minor)
    kind = draw.pick(STEADY[:-1] if two else kinds)
    least = max(low, 0.5) if noise.work > 0.1 else low
    excess = draw.between(min(least, _LARGEST.get(kind, high)), _LARGEST.get(kind, high))
    first = draw.fault(case, kind, excess)
    if not two:
        return replace(case, faults=(first,))
    # Another node of the same part: one that is much slower would hide the other.
    stage = first.nodes[0] // shape.replicas * shape.replicas
    places = [place for place in range(shape.replicas) if stage + place != first.nodes[0]]
    second = draw.fault(
        case, draw.pick(STEADY[:-1]), excess * draw.chance.uniform(0.95, 1.05), stage + draw.pick(places)
    )
    return replace(case, faults=(first, second))


def _mild(draw: _Draw) -> Case:
    shape = draw.shape()
    case = draw.case(shape, draw.pick((AR, ST)))
    return replace(case, faults=(draw.fault(case, draw.pick(STEADY), draw.between(0.03, 0.1)),))


def _unsectioned(draw: _Draw) -> Case:
    case = _with_fault(draw, SLOWING, 0.2, 2.0)
    return replace(case, sections=False) if draw.index % 2 else replace(case, synced=False)


def _never(draw: _Draw) -> Case:
    every = [(one,) for one in Disturbance] + list(combinations(Disturbance, 2))
    happening = every[draw.index % len(every)]
    experts, stages = Disturbance.EXPERT_IMBALANCE in happening, Disturbance.UNEQUAL_STAGES in happening
    shape = draw.shape(peers=8)
    while experts > (shape.experts > 1) or stages > (shape.stages > 1):
        shape = draw.shape(32, peers=8)
    return draw.case(shape, draw.noise(PRESETS), happening)


def _rack(draw: _Draw) -> Case:
    size = int(draw.pick([4, 8, 16]))
    shape = replace(draw.shape(4 * size, peers=2 * size), rack=size)
    case = draw.case(shape, draw.noise((AR, ST)))
    first = int(draw.chance.integers(shape.nodes // size)) * size
    fault = draw.fault(case, FaultKind.RACK, draw.between(0.1, 1.0))
    return replace(case, faults=(replace(fault, nodes=tuple(range(first, first + size))),))


def _severe(draw: _Draw) -> Case:
    return _with_fault(draw, STEADY, 1.0, 2.0)


def _slight(draw: _Draw) -> Case:
    case = replace(draw.case(draw.shape(), AR), minutes=60.0)
    return replace(case, faults=(draw.fault(case, draw.pick((FaultKind.COMPUTE, FaultKind.DEVICE)), 0.05),))


def _intermittent(draw: _Draw) -> Case:
    case = draw.case(draw.shape(), draw.noise((AR, ST)))
    kind = FaultKind.COMPUTE if draw.index % 2 else FaultKind.INTERMITTENT
    return replace(case, faults=(draw.fault(case, kind, 0.2),))


def _hang(draw: _Draw) -> Case:
    case = draw.case(draw.shape(), draw.noise(PRESETS))
    return replace(case, faults=(draw.fault(case, FaultKind.HANG, 0.0),))


_BUILDERS: Mapping[Suite, Callable[[_Draw], Case]] = {
    Suite.HEALTHY: _healthy,
    Suite.FAULTY: _faulty,
    Suite.MILD: _mild,
    Suite.UNSECTIONED: _unsectioned,
    Suite.NEVER: _never,
    Suite.RACK: _rack,
    Suite.SEVERE: _severe,
    Suite.SLIGHT: _slight,
    Suite.INTERMITTENT: _intermittent,
    Suite.HANG: _hang,
}
