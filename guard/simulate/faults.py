"""A month's faults, drawn ahead with all chance that answers to them need: every regime meets the same ones."""

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from guard.simulate.assumptions import DAY, Assumptions
from guard.simulate.detection import AILMENTS, EXCESS_MOST, delay
from guard.simulate.repairs import Repairs
from simulation.case import FaultKind


class Kind(StrEnum):
    """What happens to a node. `FALSE` is nothing: it is only accused."""

    HARD = "hard"
    HANG = "hang"
    SLOW = "slow"
    TRANSIENT = "transient"
    FALSE = "false"


STOPPING = frozenset({Kind.HARD, Kind.HANG})
SLOWING = frozenset({Kind.SLOW, Kind.TRANSIENT})


@dataclass(frozen=True, slots=True)
class Fault:
    """Something happens to a node. Times in seconds; `time` since the job's start.

    Attributes:
        node: its number.
        ailment: what makes it slow; None for what does not slow.
        factor: of the job's step while it lasts; 1 for what does not slow.
        passes: how long it lasts by itself; None: until somebody takes the node out.
        repair: how long the node is away once it is out.
        accused: from the onset in the job to the detector's accusation; None: never.
        noticed: until people notice, where nothing else does.
    """

    number: int
    node: int
    time: float
    kind: Kind
    ailment: FaultKind | None
    factor: float
    passes: float | None
    repair: float
    accused: float | None
    noticed: float


def draw(given: Assumptions, repairs: Repairs, seed: int) -> tuple[Fault, ...]:
    """All faults of the job's nodes and spares, in order of time."""
    chance = np.random.default_rng(np.random.SeedSequence([seed, 5]))
    total = given.nodes + given.spares
    burden = chance.gamma(given.concentration, size=total)
    burden /= burden.sum()
    rates = {
        Kind.HARD: given.rate * (1 - given.slow - given.hang),
        Kind.HANG: given.rate * given.hang,
        Kind.SLOW: given.rate * given.slow,
        Kind.TRANSIENT: given.transient,
        Kind.FALSE: given.false,
    }
    found: list[Fault] = []
    for kind, rate in rates.items():
        # A stream for each kind: to change one's rate leaves the others as they are.
        own = np.random.default_rng(np.random.SeedSequence([seed, list(Kind).index(kind), 7]))
        count = int(own.poisson(rate * total * given.days / 1000))
        # False accusations strike anybody; what breaks once breaks again.
        nodes = own.choice(total, count, p=None if kind is Kind.FALSE else burden)
        found += _of(kind, given, repairs, nodes, own)
    ordered = sorted(found, key=lambda fault: (fault.time, fault.kind, fault.node))
    return tuple(replace(one, number=number) for number, one in enumerate(ordered))


def _of(
    kind: Kind, given: Assumptions, repairs: Repairs, nodes: NDArray[np.integer], chance: np.random.Generator
) -> list[Fault]:
    count = len(nodes)
    times = chance.uniform(0, given.days * DAY, count)
    away = repairs.at(chance.random(count))
    ailments = [AILMENTS[place] for place in chance.integers(0, len(AILMENTS), count)]
    most = [max(min(EXCESS_MOST.get(one, np.inf), given.excess_most), given.excess_least) for one in ailments]
    factors = 1 + np.exp(chance.uniform(np.log(given.excess_least), np.log(np.array(most))))
    lasting = np.exp(chance.uniform(np.log(given.passing_least), np.log(given.passing_most), count))
    luck = chance.random(count)
    late = np.exp(given.scatter * chance.standard_normal(count))
    return [
        Fault(
            number=index,
            node=int(nodes[index]),
            time=float(times[index]),
            kind=kind,
            ailment=ailments[index] if kind in SLOWING else None,
            factor=float(factors[index]) if kind in SLOWING else 1.0,
            passes=float(lasting[index]) if kind is Kind.TRANSIENT else None,
            repair=float(away[index]),
            accused=_accused(kind, given, ailments[index], float(factors[index]), float(luck[index])),
            noticed=float(late[index]) * _median(kind, given),
        )
        for index in range(count)
    ]


def _accused(kind: Kind, given: Assumptions, ailment: FaultKind, factor: float, luck: float) -> float | None:
    match kind:
        case Kind.HARD:
            return given.told if luck < given.seen else None
        case Kind.HANG:
            return given.hung
        case Kind.FALSE:
            return 0.0
        case Kind.SLOW | Kind.TRANSIENT:
            return delay(ailment, factor, luck)


def _median(kind: Kind, given: Assumptions) -> float:
    if kind in STOPPING:
        return given.stopped
    return given.mended if kind is Kind.FALSE else given.straggler
