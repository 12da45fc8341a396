"""What faults and disturbances do to a rank's own work, step by step."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from detectors.observed import OWN, Flags, Floats, Integers
from simulation.case import Case, Disturbance, Fault, FaultKind
from simulation.plan import Happening, Plan

SHARES: Mapping[FaultKind, tuple[float, float, float]] = {
    FaultKind.COMPUTE: (1, 0, 0),
    FaultKind.CORE: (1, 0, 0),
    FaultKind.DEVICE: (1, 0, 0),
    FaultKind.DRIFT: (1, 0, 0),
    FaultKind.THROTTLE: (1, 0, 0),
    FaultKind.INTERMITTENT: (1, 0, 0),
    FaultKind.MEMORY: (1, 0, 0),
    FaultKind.HOST: (0.2, 0, 0.8),
    FaultKind.INPUT: (0, 1, 0),
    FaultKind.RACK: (1, 0, 0),
    FaultKind.HARD: (1, 0, 0),
}
"""How the added time falls on compute, data and host. Kinds without an entry leave own work alone."""

RAMP = 600.0
"""Seconds in which a drift reaches its factor."""

CYCLE, HOT = 180.0, 60.0
"""Seconds of a throttling cycle, and how many of them are slow."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Some steps in a row.

    Attributes:
        time: at which each starts, seconds since case start.
        step: its number.
        since: start of the step before these.
    """

    time: Floats
    step: Integers
    since: float


def excess(fault: Fault, time: Floats, step: Integers | None = None) -> Floats:
    """Give the share by which own work is longer, at times since case start and steps of these numbers.

    Without step numbers, the mean over them.
    """
    end = np.inf if fault.end is None else fault.end
    share = np.where((time >= fault.start) & (time < end), fault.factor - 1.0, 0.0)
    if fault.kind is FaultKind.DRIFT:
        share *= np.clip((time - fault.start) / RAMP, 0, 1)
    if fault.kind is FaultKind.THROTTLE:
        share *= ((time - fault.start) % CYCLE < HOT) * (CYCLE / HOT)
    if fault.every > 1 and step is not None:
        share *= (step % fault.every == 0) * fault.every
    return np.asarray(share)


def ranks_hit(case: Case, fault: Fault) -> Flags:
    """Tell which local ranks of its nodes a fault hits."""
    rank = np.arange(case.shape.ranks)
    if fault.rank is None:
        return np.ones(len(rank), dtype=bool)
    if fault.kind in (FaultKind.DEVICE, FaultKind.MEMORY):
        return np.asarray(rank * case.shape.devices // case.shape.ranks == case.shape.device(fault.rank))
    return np.asarray(rank == fault.rank)


def slow_down(case: Case, own: Floats, when: Moments, chance: np.random.Generator) -> bool:
    """Add the time that faults cost to `own` (sections by steps by nodes by ranks). Says whether any did."""
    any_hit = False
    for fault in case.faults:
        shares = SHARES.get(fault.kind)
        share = excess(fault, when.time, when.step)
        if shares is None or not share.any():
            continue
        any_hit = True
        ranks = np.flatnonzero(ranks_hit(case, fault))
        for node in fault.nodes:
            whole = own[:, :, node, ranks].sum(axis=0)
            unsteady = np.exp(0.05 * chance.standard_normal(len(share)))
            added = (share * unsteady)[:, None] * whole
            for section in range(len(OWN)):
                if shares[section]:
                    own[section, :, node, ranks] += shares[section] * added.T
    return any_hit


def disturb(case: Case, plan: Plan, own: Floats, when: Moments, chance: np.random.Generator) -> None:
    """Change `own` (sections by steps by nodes by ranks) by what happens to healthy jobs."""
    compute, data, host = own
    for phase in plan.evaluating:
        compute[during(phase, when.time)] *= np.float32(0.4)
    for phase in plan.stalls:
        stalled = during(phase, when.time)
        if stalled.any():
            wait = np.exp(0.3 * chance.standard_normal((int(stalled.sum()), case.shape.nodes, 1)))
            data[stalled] += (0.5 * case.step * wait).astype(np.float32)
    for one in plan.compiling:
        for first in np.flatnonzero(_begins(one, when)):
            nodes = slice(None) if one.node is None else slice(one.node, one.node + 1)
            unequal = chance.uniform(0.8, 1.0, (case.shape.nodes, 1)).astype(np.float32)
            compute[first, nodes] += (one.end - one.start) * unequal[nodes]
    if Disturbance.WARM_UP in case.disturbances and when.step[0] < plan.resumed + 12:
        cold = 3 * np.exp(-(when.step - plan.resumed) / 2)[:, None, None]
        compute *= 1 + (cold * chance.uniform(0.7, 1.3, (1, case.shape.nodes, 1))).astype(np.float32)
    if Disturbance.GARBAGE_COLLECTION in case.disturbances:
        # A pause of up to 0.3 s on each rank in about every 200th step.
        pauses = chance.integers(0, host.size, chance.poisson(host.size / 200))
        host.reshape(-1)[pauses] += chance.uniform(0.05, 0.3, len(pauses)).astype(np.float32) * min(1, case.step)


def during(phase: Happening, time: Floats) -> Flags:
    """Tell which times lie in a phase."""
    return np.asarray((time >= phase.start) & (time < phase.end))


def _begins(one: Happening, when: Moments) -> Flags:
    """Tell which step is the first to start after a happening began."""
    before = np.append(when.since, when.time[:-1])
    return np.asarray((before < one.start) & (one.start <= when.time))
