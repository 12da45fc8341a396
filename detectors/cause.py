"""What kind of trouble a node is in: from the section that takes longer, and from the signals that stand out.

The section says where the time goes, the signals why: a node whose compute is slow while its memory corrects
errors has a memory at fault, one whose processors are contended for has a busy host. Signals explain, they never
excuse: without any, the section's own cause stands. A single slow device is `compute` too, with its index told
beside it; `device` is said only when the hardware itself reported errors that it could not correct.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from detectors.signal_kinds import cause_of, is_hard
from detectors.verdict import Cause, Evidence

STRONG = 4.0
"""Smoothed score from which a signal can explain a section: as that of a window that counts as held."""

_TOLD = 2.0
"""Score from which a signal may tell a cause where no section does: the likeliest is asked for, not a proof."""

_BASE: Mapping[str, Cause] = {
    "compute": Cause.COMPUTE,
    "data": Cause.INPUT,  # also when disks are why: the node starves, whatever of
    "host": Cause.HOST,
    "collective": Cause.NETWORK,
    "checkpoint": Cause.STORAGE,
}

_EXPLAINS: Mapping[Cause, tuple[Cause, ...]] = {
    Cause.COMPUTE: (Cause.MEMORY, Cause.HOST),
    Cause.HOST: (Cause.STORAGE,),
}
"""Causes that signals can give to a slowness instead of its own, likeliest first."""

_SHARE = 0.5
"""Of the strongest signal's score, what another cause's must have to be the explanation: one event brings many."""

_MEMORY_ERRORS = "neuron.ecc.mem"
_CONTENTION = ("host.cpu.steal", "host.cpu.frequency", "host.pressure.", "host.load1", "host.context_switches")


@dataclass(frozen=True, slots=True)
class Finding:
    """A cause, and the signals that support it, strongest first."""

    cause: Cause
    support: tuple[Evidence, ...] = ()


def cause_of_node(
    excess: Mapping[str, float], against: Sequence[Evidence], *, one_device: bool = False
) -> Finding:
    """Tell the cause.

    Args:
        excess: seconds per step by which each section exceeds the peers', by name; empty where times cannot tell.
        against: what speaks against the node, strongest first, see `SignalScores.strength`.
        one_device: whether the ranks of one device alone are slow.
    """
    strong = [one for one in against if abs(one.score) >= STRONG]
    hard = tuple(one for one in strong if is_hard(one.signal))
    if hard:
        causes = {cause_of(one.signal) for one in hard}
        return Finding(Cause.DEVICE if Cause.DEVICE in causes else Cause.MEMORY, hard)
    longest = max(excess, key=lambda name: excess[name], default=None)
    if longest is None or not excess[longest] > 0:
        told = [one for one in against if abs(one.score) >= _TOLD and cause_of(one.signal) is not Cause.UNKNOWN]
        return _explained(_by_signals(told), told) if told else Finding(Cause.UNKNOWN)
    base = _BASE.get(longest, Cause.UNKNOWN)
    return _explained(base, strong, one_device=one_device)


def _explained(base: Cause, signals: Sequence[Evidence], *, one_device: bool = False) -> Finding:
    """Replace a cause by what the signals say is behind it."""
    for cause in _EXPLAINS.get(base, ()):
        if one_device and cause is Cause.HOST:
            continue  # which all devices share
        support = tuple(one for one in signals if _explains(cause, one.signal))
        if support and abs(support[0].score) >= _SHARE * abs(signals[0].score):
            return Finding(cause, support)
    shown = {base, Cause.STORAGE} if base is Cause.INPUT else {base}
    return Finding(base, tuple(one for one in signals if cause_of(one.signal) in shown))


def _explains(cause: Cause, signal: str) -> bool:
    """Whether a signal can be why; a cause's other signals are as often a consequence."""
    match cause:
        case Cause.MEMORY:
            return signal.startswith(_MEMORY_ERRORS)
        case Cause.HOST:
            return signal.startswith(_CONTENTION) and not signal.startswith("host.pressure.io")
        case _:
            return cause_of(signal) is cause


def _by_signals(told: Sequence[Evidence]) -> Cause:
    """The cause that has most of the strongest signals, by the squares of their scores."""
    weight: dict[Cause, float] = {}
    for one in told:
        cause = cause_of(one.signal)
        # Errors that are not hard ones come with any trouble of a program.
        cause = Cause.COMPUTE if cause is Cause.DEVICE else cause
        weight[cause] = weight.get(cause, 0.0) + one.score**2
    best = max(weight, key=lambda cause: weight[cause])
    score = {one.signal: abs(one.score) for one in told}
    if best is Cause.STORAGE and score.get("host.cpu.iowait", 0) > score.get("host.disk.busy_seconds", 0):
        return Cause.INPUT  # it waits more than its disks work
    return best
