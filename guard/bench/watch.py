"""All contestants over one case: each window is made once and shown to everybody."""

from collections.abc import Mapping

import numpy as np

from detectors.judge import Judge, Parts, Reading
from detectors.observed import Floats, Observed
from detectors.policy import Policy
from detectors.verdict import Role, Status
from guard.bench.lineup import Lineup
from simulation.baselines import BASELINES, Baseline, Name, Peaks, Seen, accused, see
from simulation.case import START, Case
from simulation.outcome import Outcome, Record, Said, culprits
from simulation.stream import windows


class _Ours:
    """Our judge as a contestant."""

    def __init__(self, suite: str, case: Case, name: str, policy: Policy, parts: Parts) -> None:
        self._judge = Judge(policy, parts)
        self._record = Record(suite, case, name)

    def watch(self, observed: Observed) -> None:
        reading = self._judge.judge(observed)
        self._record.note(observed.end, accusations(reading))
        self._record.rank(observed.end, {slot: place for place, slot in enumerate(reading.conclusions, 1)})

    def outcome(self) -> Outcome:
        return self._record.outcome()


class _Theirs:
    """A baseline as a contestant, at all of its thresholds at once."""

    def __init__(self, suite: str, case: Case, baseline: type[Baseline], thresholds: Mapping[str, float]) -> None:
        self._baseline = baseline()
        self._records = [(threshold, Record(suite, case, name)) for name, threshold in thresholds.items()]

    def watch(self, seen: Seen) -> None:
        strength = self._baseline.strength(seen)
        for threshold, record in self._records:
            record.note(seen.end, dict.fromkeys(accused(strength, threshold), Said()))
            record.rank(seen.end, _places(strength, record.at_fault(seen.end)))

    def outcomes(self) -> list[Outcome]:
        return [record.outcome() for _, record in self._records]


def watch(suite: str, case: Case, lineup: Lineup) -> list[Outcome]:
    """Show a case to all contestants.

    Returns:
        One outcome each.
    """
    ours = [_Ours(suite, case, name, lineup.policy, parts) for name, parts in lineup.judges.items()]
    theirs = [_Theirs(suite, case, BASELINES[name], some) for name, some in lineup.baselines.items()]
    for observed in windows(case):
        for judge in ours:
            judge.watch(observed)
        if theirs:
            seen = see(observed)
            for baseline in theirs:
                baseline.watch(seen)
    said = [judge.outcome() for judge in ours]
    return said + [outcome for baseline in theirs for outcome in baseline.outcomes()]


def peaks(case: Case, names: list[Name]) -> dict[Name, Peaks]:
    """How strongly each baseline speaks against each node at most: what thresholds are calibrated on."""
    baselines = {name: BASELINES[name]() for name in names}
    at_fault = {culprit.slot: culprit for culprit in culprits(case)}
    true = {name: np.full(case.shape.nodes, -np.inf) for name in names}
    false = {name: np.full(case.shape.nodes, -np.inf) for name in names}
    for observed in windows(case):
        seen, since = see(observed), observed.end - START
        present = [slot for slot, one in at_fault.items() if one.onset < since <= one.end]
        innocent = [slot not in at_fault or since <= at_fault[slot].onset for slot in range(len(seen.own))]
        for name, baseline in baselines.items():
            strength = baseline.strength(seen)
            true[name] = _raised(true[name], strength, present)
            false[name] = _raised(false[name], strength, np.flatnonzero(innocent))
    return {name: _peaks(true[name], false[name], list(at_fault)) for name in names}


def accusations(reading: Reading) -> dict[int, Said]:
    """Who is accused in a window by our judge, and of what."""
    return {
        slot: Said(said.cause, said.device)
        for slot, said in reading.conclusions.items()
        if said.status in (Status.STRAGGLER, Status.FAULT) and said.role in (Role.CULPRIT, Role.LINK)
    }


def _places(strength: Floats, slots: set[int]) -> dict[int, int]:
    """The place of some nodes by strength; equals share the last of their places, so that ties win nothing."""
    return {slot: int(np.count_nonzero(strength >= strength[slot])) for slot in slots if strength[slot] > -np.inf}


def _raised(
    most: Floats, strength: Floats, slots: list[int] | np.ndarray[tuple[int], np.dtype[np.intp]]
) -> Floats:
    if len(strength) > len(most):
        most = np.pad(most, (0, len(strength) - len(most)), constant_values=-np.inf)
    most[slots] = np.fmax(most[slots], strength[slots])
    return most


def _peaks(true: Floats, false: Floats, culprits: list[int]) -> Peaks:
    return Peaks(
        true=tuple(float(true[slot]) if np.isfinite(true[slot]) else None for slot in culprits),
        false=tuple(float(one) for one in false if np.isfinite(one)),
    )
