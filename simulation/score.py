"""Scores of a detector over cases: by event, without point adjustment.

An event is a node at fault in a case. It is found if the node is accused while it is at fault; a node that is
accused and not at fault, or not yet, is a false accusation, once per node and case. "Point adjustment", which
counts a whole fault as found window by window as soon as one window is, is left alone: it flatters (Kim et al.,
"Towards a rigorous evaluation of time-series anomaly detection", AAAI 2022).
"""

from collections.abc import Sequence

import msgspec
import numpy as np
from sklearn.isotonic import IsotonicRegression

from simulation.case import FaultKind
from simulation.intervals import Estimate, Rate, Share, f1, quantile, rate, share
from simulation.outcome import Accused, Culprit, Outcome

_UNSIZED = {FaultKind.HANG, FaultKind.HARD}
"""Faults whose factor means nothing."""

_DAY = 86_400.0


class Score(msgspec.Struct, frozen=True):
    """One detector over some cases.

    Attributes:
        detector: name.
        cases: how many.
        found, missed, false: events found and missed, false accusations.
        precision, recall, f1: by event; None where there is nothing to divide by.
        victims: nodes not at fault that were accused while another was.
        false_positives: share of healthy cases in which anybody was accused, as GUARD counts.
        false_negatives: share of faulty cases in which a culprit was missed.
        delay_p50, delay_p95: event time from onset to accusation, seconds, of what was found.
        least: least slowdown (own work over normal) of which 90 % are found; None if there is none.
        rate: false accusations per 1,000 node-days, over healthy cases.
        cause, device: share of found culprits whose cause, and whose device where one is at fault, were right.
        top_three: share of faulty cases with hardware signals in which a culprit is among three suspects.
    """

    detector: str
    cases: int
    found: int
    missed: int
    false: int
    precision: Share | None
    recall: Share | None
    f1: Estimate | None
    victims: int
    false_positives: Share | None
    false_negatives: Share | None
    delay_p50: Estimate | None
    delay_p95: Estimate | None
    least: float | None
    rate: Rate | None
    cause: Share | None
    device: Share | None
    top_three: Share | None


def score(detector: str, outcomes: Sequence[Outcome]) -> Score:
    """Score what one detector said.

    Args:
        detector: its name.
        outcomes: of that detector alone, one per case.
    """
    pairs = [found(outcome) for outcome in outcomes]
    hits = np.array([len(pair) for pair in pairs], dtype=int)
    wrong = np.array([len(false_accusations(outcome)) for outcome in outcomes], dtype=int)
    lacking = np.array([len(outcome.culprits) for outcome in outcomes], dtype=int) - hits
    healthy = [place for place, outcome in enumerate(outcomes) if not outcome.culprits]
    faulty = [place for place, outcome in enumerate(outcomes) if outcome.culprits]
    delays = delay_seconds(outcomes)
    every = [pair for some in pairs for pair in some]
    on_device = [pair for pair in every if pair[0].device is not None]
    ranked = [outcome for outcome in outcomes if outcome.culprits and outcome.hardware]
    total, false = int(hits.sum()), int(wrong.sum())
    return Score(
        detector=detector,
        cases=len(outcomes),
        found=total,
        missed=int(lacking.sum()),
        false=false,
        precision=share(total, total + false),
        recall=share(total, total + int(lacking.sum())),
        f1=f1(hits, wrong, lacking) if outcomes else None,
        victims=sum(len(victims(outcome)) for outcome in outcomes),
        false_positives=share(sum(bool(outcomes[place].accused) for place in healthy), len(healthy)),
        false_negatives=share(int(np.count_nonzero(lacking[faulty])) if faulty else 0, len(faulty)),
        delay_p50=quantile(delays, 0.5),
        delay_p95=quantile(delays, 0.95),
        least=least_found(outcomes),
        rate=rate(
            sum(int(wrong[place]) for place in healthy),
            sum(outcomes[place].nodes * outcomes[place].seconds for place in healthy) / _DAY,
        ),
        cause=share(sum(true.cause == said.cause for true, said in every), len(every)),
        device=share(sum(true.device == said.device for true, said in on_device), len(on_device)),
        top_three=share(sum((outcome.rank or 4) <= 3 for outcome in ranked), len(ranked)),
    )


def found(outcome: Outcome) -> list[tuple[Culprit, Accused]]:
    """Culprits that were accused while at fault, each with its accusation."""
    said = {accused.slot: accused for accused in outcome.accused if accused.within is not None}
    return [(culprit, said[culprit.slot]) for culprit in outcome.culprits if culprit.slot in said]


def false_accusations(outcome: Outcome) -> list[Accused]:
    """Nodes that were accused without being at fault, or before they were."""
    onset = {culprit.slot: culprit.onset for culprit in outcome.culprits}
    return [one for one in outcome.accused if one.first <= onset.get(one.slot, np.inf)]


def victims(outcome: Outcome) -> list[Accused]:
    """Nodes not at fault that were first accused when another was."""
    if not outcome.culprits:
        return []
    at_fault = {culprit.slot for culprit in outcome.culprits}
    onset = min(culprit.onset for culprit in outcome.culprits)
    return [one for one in outcome.accused if one.slot not in at_fault and one.first > onset]


def delay_seconds(outcomes: Sequence[Outcome]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Seconds of event time from onset to accusation, of every culprit found."""
    pairs = (pair for outcome in outcomes for pair in found(outcome))
    return np.array(
        [said.within - culprit.onset for culprit, said in pairs if said.within is not None], dtype=np.float64
    )


def least_found(outcomes: Sequence[Outcome], wanted: float = 0.9) -> float | None:
    """The least slowdown from which on `wanted` of the culprits are found, by isotonic regression."""
    factors, hits = by_factor(outcomes)
    if not len(factors) or np.all(factors == factors[0]):
        return None
    fitted = IsotonicRegression(y_min=0, y_max=1).fit_transform(factors, hits)
    enough = np.flatnonzero(fitted >= wanted)
    return float(factors[enough].min()) if len(enough) else None


def by_factor(
    outcomes: Sequence[Outcome],
) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """Slowdown of each culprit, ascending, and whether it was found (1) or not (0)."""
    rows = []
    for outcome in outcomes:
        slots = {culprit.slot for culprit, _ in found(outcome)}
        rows += [(one.factor, one.slot in slots) for one in outcome.culprits if one.kind not in _UNSIZED]
    table = np.array(sorted(rows), dtype=np.float64).reshape(-1, 2)
    return table[:, 0], table[:, 1]
