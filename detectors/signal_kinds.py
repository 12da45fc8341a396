"""What is known of a signal by its name: how it is compared, which direction is bad, and what it points at.

Names and units are those of the telemetry contract. An unknown name is judged by its data, see `guess`.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from detectors.observed import ODD, Flags, Floats
from detectors.verdict import Cause


class Kind(StrEnum):
    """How values of peers are compared."""

    LEVEL = "level"  # as they are: ratios, degrees, offsets
    SIZE = "size"  # by their logarithm: bytes, seconds, rates of frequent things
    EVENTS = "events"  # counts of rare things: by the root that makes their noise equal (Anscombe 1948)
    PART = "part"  # how far one entry of a list lies from the others, as a share of what is typical


class Bad(StrEnum):
    """Which way a node must differ for it to say something against the node."""

    HIGHER = "higher"
    LOWER = "lower"
    EITHER = "either"
    NEITHER = "neither"  # it says nothing of the node itself


@dataclass(frozen=True, slots=True)
class Trait:
    """How a signal is compared.

    Attributes:
        kind: see `Kind`.
        bad: the direction that speaks against a node.
        floor: least scale, in units of what is compared: healthy nodes may differ by this much for good.
        least: what is added to a size before its logarithm: smaller amounts are as good as none. In the signal's
            own unit.
    """

    kind: Kind
    bad: Bad
    floor: float
    least: float = 0.0


def _level(bad: Bad, floor: float) -> Trait:
    return Trait(Kind.LEVEL, bad, floor)


def _size(bad: Bad, least: float, floor: float = 0.05) -> Trait:
    return Trait(Kind.SIZE, bad, floor, least)


_EVENTS = Trait(Kind.EVENTS, Bad.HIGHER, 1.0)
_HEARSAY = replace(_EVENTS, bad=Bad.NEITHER)
_MEBIBYTE = 2.0**20
_GIBIBYTE = 2.0**30

_KNOWN: dict[str, Trait] = {
    "neuron.core.utilization": _level(Bad.EITHER, 0.02),
    "neuron.core.flops": _size(Bad.LOWER, 1e9, 0.02),
    "neuron.device.memory.used": _size(Bad.EITHER, _GIBIBYTE),
    "neuron.host.memory.used": _size(Bad.EITHER, _GIBIBYTE),
    "neuron.exec.latency.p50": _size(Bad.HIGHER, 1e-4, 0.02),
    "neuron.exec.latency.p99": _size(Bad.HIGHER, 1e-4, 0.05),
    "neuron.exec.completed": _size(Bad.EITHER, 1.0),
    "neuron.device.power": _level(Bad.EITHER, 0.02),
    "host.cpu.utilization": _level(Bad.EITHER, 0.02),
    "host.cpu.iowait": _level(Bad.HIGHER, 0.01),
    "host.cpu.steal": _level(Bad.HIGHER, 0.005),
    "host.cpu.frequency": _size(Bad.LOWER, 1e7, 0.02),
    "host.load1": _size(Bad.HIGHER, 1.0, 0.1),
    "host.memory.available": _size(Bad.LOWER, _GIBIBYTE),
    "host.swap.used": _size(Bad.HIGHER, _GIBIBYTE),
    "host.temperature.max": _level(Bad.HIGHER, 2.0),
    # A clock that is off slows nothing.
    "host.clock.offset": _level(Bad.NEITHER, 1e-3),
    "host.context_switches": _size(Bad.EITHER, 1e3, 0.1),
    "host.disk.read_bytes": _size(Bad.EITHER, _MEBIBYTE, 0.1),
    "host.disk.write_bytes": _size(Bad.EITHER, _MEBIBYTE, 0.1),
    "host.disk.busy_seconds": _level(Bad.HIGHER, 0.02),
    "net.rx_bytes": _size(Bad.EITHER, _MEBIBYTE, 0.1),
    "net.tx_bytes": _size(Bad.EITHER, _MEBIBYTE, 0.1),
    "efa.retrans_bytes": _size(Bad.HIGHER, _MEBIBYTE, 0.1),
    # What tells of another node's fault, or as often of another's as of its own.
    "neuron.exec.timeouts": _HEARSAY,
    "neuron.status.hw_collectives_error": _HEARSAY,
    "neuron.status.timeout": _HEARSAY,
    "efa.unresponsive_remote_events": _HEARSAY,
    "efa.impaired_remote_conn_events": _HEARSAY,
}

_FAMILIES: tuple[tuple[str, Trait], ...] = (
    ("neuron.ecc.", _EVENTS),
    ("neuron.exec.", _EVENTS),
    ("neuron.status.", _EVENTS),
    ("host.pressure.", _level(Bad.HIGHER, 0.01)),
    ("host.oom_kills", _EVENTS),
    ("net.", _EVENTS),
    ("ena.", _EVENTS),
    ("efa.", _EVENTS),
)

_EFA_VOLUME = _size(Bad.EITHER, _MEBIBYTE, 0.05)

_MANY = 100.0
"""Typical events of a window from which an unknown counter is compared as a size: their noise is not Poisson's."""

_CAUSES: tuple[tuple[str, Cause], ...] = (
    ("neuron.ecc.mem", Cause.MEMORY),
    ("neuron.ecc.sram", Cause.DEVICE),
    ("neuron.device.memory", Cause.MEMORY),
    ("neuron.status", Cause.DEVICE),
    ("neuron.exec.errors", Cause.DEVICE),
    ("neuron.exec.timeouts", Cause.DEVICE),
    ("neuron.host", Cause.HOST),
    ("neuron.", Cause.COMPUTE),
    ("efa.", Cause.NETWORK),
    ("ena.", Cause.NETWORK),
    ("net.", Cause.NETWORK),
    ("host.cpu.iowait", Cause.STORAGE),
    ("host.pressure.io", Cause.STORAGE),
    ("host.disk", Cause.STORAGE),
    ("host.temperature", Cause.COMPUTE),
    ("host.clock", Cause.UNKNOWN),
    ("host.", Cause.HOST),
)


LARGEST = 1e20
"""What is larger is no measurement, and would overflow."""


def plausible(values: Floats) -> Flags:
    """Tell which values are numbers that can have been measured."""
    found: Flags = np.abs(values) <= LARGEST
    return found


def known_trait(name: str) -> Trait | None:
    """How the contract's names are compared; None for a name that it does not hold."""
    plain = name.removesuffix(ODD)
    trait = _KNOWN.get(plain) or next((trait for family, trait in _FAMILIES if plain.startswith(family)), None)
    if trait is _EVENTS and plain.startswith("efa.") and plain.endswith("_bytes"):
        trait = _EFA_VOLUME
    return trait if trait is None or plain == name else _odd(trait)


def guess(name: str, counter: bool, values: Floats, seconds: Floats, before: Trait | None) -> Trait:
    """How a name is compared that the contract does not hold, by its data.

    What was once seen to be no ratio, or no rare event, stays so (`before`): else the comparison itself would
    change from window to window.

    Args:
        name: of the signal.
        counter: whether the values are increases per second.
        values: of all nodes, NaN where not measured.
        seconds: that each node's value covers.
        before: what was found so far.
    """
    known = plausible(values) & (plausible(seconds) if counter else True)
    if not known.any():
        return before or Trait(Kind.EVENTS if counter else Kind.LEVEL, Bad.EITHER, 1.0)
    size = np.abs(values[known])
    typical = float(np.median(size))
    odd = name.endswith(ODD)
    if counter:
        many = float(np.median(size * seconds[known])) >= _MANY
        if before is not None and before.kind is not Kind.EVENTS:
            return before
        found = _size(Bad.EITHER, 0.01 * typical, 0.1) if many else replace(_EVENTS, bad=Bad.EITHER)
    else:
        if before is not None and before.kind is Kind.LEVEL and before.floor > _RATIO_FLOOR:
            return before
        ratio = float(size.max()) <= 1.0 and (odd or float(values[known].min()) >= 0)
        found = _level(Bad.EITHER, _RATIO_FLOOR if ratio else max(0.05 * typical, _RATIO_FLOOR * 1.01))
    return _odd(found) if odd else found


_RATIO_FLOOR = 0.02


def _odd(trait: Trait) -> Trait:
    """How the entry of a list that differs most is compared, given how the list's own signal is."""
    return replace(trait, kind=Kind.PART) if trait.kind is Kind.SIZE else trait


def cause_of(name: str) -> Cause:
    """What kind of trouble a signal points at."""
    return next((cause for prefix, cause in _CAUSES if name.startswith(prefix)), Cause.UNKNOWN)


def is_hard(name: str) -> bool:
    """Whether events of this name are errors of the hardware itself, never of another node or of load."""
    plain = name.removesuffix(ODD)
    trait = known_trait(plain)
    own = trait is not None and trait.bad is not Bad.NEITHER
    return own and (plain.startswith("neuron.status.") or plain.endswith(".uncorrected"))
