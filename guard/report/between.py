"""The time between events, and how sure it is. Events are taken to come as in a Poisson process."""

import math
from collections.abc import Callable

from msgspec import Struct

_TAIL = 0.025
"""On each side of a 95 % interval."""
_HALVINGS = 60
_EXACT = 500
"""Events up to which the bounds are exact; beyond, an approximation that is within a thousandth (Wilson and
Hilferty, "The distribution of chi-square", 1931)."""
_Z = 1.959964


class Between(Struct, frozen=True):
    """How long on average from one event to the next.

    Attributes:
        events: how many there were in `observed` seconds.
        observed: seconds.
        mean: seconds; None where there was no event, or nothing was observed.
        low, high: the 95 % interval of the mean in seconds; `high` is None without an event: there is no bound.
    """

    events: int
    observed: float
    mean: float | None
    low: float | None
    high: float | None


def between(events: int, observed: float) -> Between:
    """The mean time between ``events`` in ``observed`` seconds, with exact Poisson bounds (Garwood, 1936)."""
    if observed <= 0:
        return Between(events, 0.0, None, None, None)
    if not events:
        return Between(0, observed, None, observed / upper(0), None)
    return Between(events, observed, observed / events, observed / upper(events), observed / lower(events))


def upper(events: int) -> float:
    """The mean at which so few events or fewer come with 2.5 %."""
    if events > _EXACT:
        return _hilferty(events + 1, _Z)
    return _where(lambda mean: _at_most(events, mean) - _TAIL, events, events + 10 + 6 * math.sqrt(events + 1))


def lower(events: int) -> float:
    """The mean at which so many events or more come with 2.5 %; of at least one."""
    if events > _EXACT:
        return _hilferty(events, -_Z)
    return _where(lambda mean: _at_most(events - 1, mean) - (1 - _TAIL), 0.0, events)


def _hilferty(events: int, z: float) -> float:
    return events * (1 - 1 / (9 * events) + z / (3 * math.sqrt(events))) ** 3


def _at_most(events: int, mean: float) -> float:
    if mean <= 0:
        return 1.0
    logs = (count * math.log(mean) - mean - math.lgamma(count + 1) for count in range(events + 1))
    return math.fsum(math.exp(log) for log in logs)


def _where(falls: Callable[[float], float], low: float, high: float) -> float:
    """Where a falling function passes zero."""
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if falls(middle) > 0 else (low, middle)
    return (low + high) / 2
