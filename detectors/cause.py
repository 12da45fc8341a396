"""What kind of trouble a node is in: from the section that takes longer, and from the signals that stand out.

The section says where the time goes, the signals why: a node whose compute is slow while its memory corrects
errors has a memory at fault, one whose processors are contended for has a busy host. Signals explain, they never
excuse: without any, the section's own cause stands.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from detectors.signal_kinds import cause_of, is_hard
from detectors.verdict import Cause, Evidence

STRONG = 4.0
"""Smoothed score from which a signal can explain a section: as that of a window that counts as held."""

_BASE: Mapping[str, Cause] = {
    "compute": Cause.COMPUTE,
    "data": Cause.INPUT,
    "host": Cause.HOST,
    "collective": Cause.NETWORK,
    "checkpoint": Cause.STORAGE,
}

_EXPLAINS: Mapping[str, tuple[Cause, ...]] = {
    "compute": (Cause.MEMORY, Cause.HOST),
    "data": (Cause.STORAGE,),
    "host": (Cause.STORAGE,),
    "collective": (),
    "checkpoint": (),
}
"""Causes that signals can give to a section's slowness instead of its own, likeliest first."""

_SHARE = 0.5
"""Of the strongest signal's score, what another cause's must have to be the explanation: one event brings many."""

_MEMORY_ERRORS = "neuron.ecc.mem"
_CONTENTION = ("host.cpu.steal", "host.cpu.frequency", "host.pressure.", "host.load1", "host.context_switches")


@dataclass(frozen=True, slots=True)
class Finding:
    """A cause, and the signals that support it, strongest first."""

    cause: Cause
    support: tuple[Evidence, ...] = ()


def cause_of_node(excess: Mapping[str, float], against: Sequence[Evidence]) -> Finding:
    """Tell the cause.

    Args:
        excess: seconds per step by which each section exceeds the peers', by name; empty where times cannot tell.
        against: what speaks against the node, strongest first, see `SignalScores.strength`.
    """
    strong = [one for one in against if abs(one.score) >= STRONG]
    hard = tuple(one for one in strong if is_hard(one.signal))
    if hard:
        causes = {cause_of(one.signal) for one in hard}
        return Finding(Cause.DEVICE if Cause.DEVICE in causes else Cause.MEMORY, hard)
    longest = max(excess, key=lambda name: excess[name], default=None)
    if longest is None or not excess[longest] > 0:
        return _by_signals(strong)
    base = _BASE.get(longest, Cause.UNKNOWN)
    for cause in _EXPLAINS.get(longest, ()):
        support = tuple(one for one in strong if _explains(cause, one.signal))
        if support and abs(support[0].score) >= _SHARE * abs(strong[0].score):
            return Finding(cause, support)
    return Finding(base, tuple(one for one in strong if cause_of(one.signal) is base))


def _explains(cause: Cause, signal: str) -> bool:
    """Whether a signal can be why; a cause's other signals are as often a consequence."""
    match cause:
        case Cause.MEMORY:
            return signal.startswith(_MEMORY_ERRORS)
        case Cause.HOST:
            return signal.startswith(_CONTENTION) and not signal.startswith("host.pressure.io")
        case _:
            return cause_of(signal) is cause


def _by_signals(strong: Sequence[Evidence]) -> Finding:
    """The cause that has the most of the strongest signals, by the squares of their scores."""
    weight: dict[Cause, float] = {}
    for one in strong:
        cause = cause_of(one.signal)
        # Without hard errors nothing says that a device is broken rather than slow.
        cause = Cause.COMPUTE if cause is Cause.DEVICE else cause
        weight[cause] = weight.get(cause, 0.0) + one.score**2
    weight.pop(Cause.UNKNOWN, None)
    if not weight:
        return Finding(Cause.UNKNOWN)
    best = max(weight, key=lambda cause: weight[cause])
    return Finding(best, tuple(one for one in strong if cause_of(one.signal) is best))
