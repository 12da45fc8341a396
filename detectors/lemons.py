"""Hardware with a past: nodes that failed before fail again.

Meta ("Revisiting reliability in large-scale machine learning research clusters", HPCA 2025) finds "lemons" by what
happened to them over 28 days, with an accuracy of over 85 %. Here the past only moves a node up among suspects: it
never decides whether anybody is accused, so that a repaired machine is not convicted for what it was.
"""

import math
from collections.abc import Iterable

import msgspec

from detectors.verdict import Verdict

DAYS = 28.0
"""Days after which a past accusation is forgotten; until then its weight falls to a seventh."""

_DAY = 86_400.0
_APART = 3600.0
"""Seconds within which two accusations of an instance are the same one, told again."""

_MOST = 4.0
"""Largest factor: a past is worth no more than some evidence of the present."""


class Lemons(msgspec.Struct):
    """Times of past accusations, Unix seconds, by instance: fed from verdicts, and later from the ledger."""

    past: dict[str, list[float]] = {}

    def note(self, verdict: Verdict) -> None:
        """Remember an accusation; other verdicts say nothing of the hardware."""
        if verdict.accused:
            self.add(verdict.instance, verdict.since)

    def add(self, instance: str, time: float) -> None:
        """Remember that this instance was at fault."""
        times = self.past.setdefault(instance, [])
        if all(abs(time - one) > _APART for one in times):
            times.append(time)
            times.sort()

    def prior(self, instance: str, now: float) -> float:
        """Factor on an instance's place among suspects: 1 without a past, `_MOST` at most."""
        weight = sum(_weight(now - time) for time in self.past.get(instance, ()))
        return min(1.0 + weight, _MOST)

    def priors(self, instances: Iterable[str], now: float) -> list[float]:
        """The same for many: most of them have no past."""
        return [self.prior(one, now) if one in self.past else 1.0 for one in instances]

    def forget(self, now: float) -> None:
        """Drop what is too old to count."""
        for instance, times in list(self.past.items()):
            kept = [time for time in times if _weight(now - time) > 0]
            if kept:
                self.past[instance] = kept
            else:
                del self.past[instance]


def _weight(age: float) -> float:
    """What an accusation of this age, in seconds, still counts; one of the future (clock skew) counts as new."""
    days = max(age, 0.0) / _DAY
    return 0.0 if days > DAYS else math.exp(-days / (DAYS / 2))
