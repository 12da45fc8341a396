"""Gauges and counters in units in which peers can be compared, and how far each lies from its peers in these."""

from collections.abc import Sequence

import numpy as np

from detectors.observed import ODD, Floats, Integers, Signals
from detectors.signal_groups import Group, mean_of_others, median, spread
from detectors.signal_kinds import LARGEST, Kind, Trait, plausible

_NONE = np.float32(1e-12)
"""Stands for nothing where a logarithm or a share is taken."""

_EVEN = 0.375
"""Anscombe 1948: the root of a Poisson count plus this has nearly the same noise whatever its mean."""


def comparable(kind: Kind, traits: Sequence[Trait], signals: Signals, columns: Integers) -> Floats:
    """Values of some signals of a kind, signals by slots, and one unknown slot more that fills groups up.

    Args:
        kind: of all of them.
        traits: of each.
        signals: of the window.
        columns: which.
    """
    values = np.full((len(columns), len(signals.seconds) + 1), np.nan, dtype=np.float32)
    with np.errstate(over="ignore"):
        values[:, :-1] = signals.values[:, columns].T
    values[np.abs(values) > LARGEST] = np.nan
    match kind:
        case Kind.SIZE:
            least = np.array([[trait.least] for trait in traits], dtype=np.float32)
            np.log(np.maximum(values, 0) + np.maximum(least, _NONE), out=values)
        case Kind.EVENTS:
            seconds = np.where(plausible(signals.seconds), np.maximum(signals.seconds, 0), np.nan).astype(
                np.float32
            )
            values[:, :-1] *= np.where(signals.counters[columns][:, None], seconds, np.float32(1))
            # Of the odd one of a list this drops the case that it has fewer events than the others: that is well.
            np.maximum(values, 0, out=values)
        case Kind.PART:
            values /= _whole(traits, signals, columns)
        case Kind.LEVEL:
            pass
    return values


def compare(kind: Kind, values: Floats, group: Group) -> tuple[Floats, Floats]:
    """How far each value lies from its peers: signals by groups by members; and the scales, one a group."""
    taken = values[:, group.members]
    middle, known = median(taken)
    if kind is Kind.EVENTS:
        mean = mean_of_others(taken, middle, known)
        beyond = 2 * (np.sqrt(taken + _EVEN) - np.sqrt(mean + _EVEN))
        return beyond, spread(beyond, median(beyond)[0])
    beyond = taken - middle
    return beyond, spread(beyond, np.zeros_like(middle))


def _whole(traits: Sequence[Trait], signals: Signals, columns: Integers) -> Floats:
    """What is typical of the signals of which these are parts, a row each."""
    place = {name: index for index, name in enumerate(signals.names)}
    whole = np.ones((len(columns), 1), dtype=np.float32)
    for row, (column, trait) in enumerate(zip(columns, traits, strict=True)):
        name = signals.names[column].removesuffix(ODD)
        size = np.abs(signals.values[:, place.get(name, column)])
        size = size[plausible(size)]
        whole[row] = max(float(np.median(size)) if len(size) else 0.0, trait.least, float(_NONE))
    return whole
