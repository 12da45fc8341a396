"""Who is suspected where times cannot tell: a list for a sweep to begin with, never an accusation.

The strongest signals (level and change, each in spreads of the nodes) rank better than the forest, which sees many
small oddities where a fault moves two or three signals; the forest settles what these leave open. The past of the
hardware moves a node up by a factor on its odds.
"""

import numpy as np

from detectors.forest import Forest
from detectors.observed import Flags, Floats, Integers
from detectors.signal_scores import SignalScores

_UNUSUAL = 1.0
"""Weight of the forest's -log p beside half the signals' strength, which is a log-likelihood's."""

_SHARP = 0.25
"""How fast odds grow with the rank's value: healthy signals have heavier tails than the normal's 1."""


def rank_suspects(
    scores: SignalScores, forest: Forest, eligible: Flags, priors: Floats | None = None, most: int = 32
) -> tuple[Integers, Floats]:
    """Rank nodes by what their signals say.

    Args:
        scores: after the window.
        forest: likewise.
        eligible: slots that can be suspected.
        priors: factor on each slot's odds, 1 or more, see `Lemons.prior`; None: nothing is known.
        most: how many to name.

    Returns:
        Slots, the likeliest first, and for each the chance that it is the one, if one of them is. Ties go by slot.
        Nodes against which nothing speaks are not named.
    """
    here = np.flatnonzero(eligible)
    strength = scores.overall[here].astype(np.float64)
    value = _SHARP * (strength / 2 - _UNUSUAL * np.log(forest.p[here]))
    if priors is not None:
        value += np.log(np.maximum(priors[here], 1.0))
    if not len(here):
        return here, np.zeros(0)
    odds = np.exp(value - value.max())
    order = np.argsort(-value, kind="stable")[:most]
    order = order[strength[order] > 0]
    return here[order], odds[order] / odds.sum()
