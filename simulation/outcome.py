"""What one detector said in one case, beside what was true: all that scoring needs, small enough to keep."""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import msgspec

from simulation.case import START, Case


class Culprit(msgspec.Struct, frozen=True):
    """A node that is at fault.

    Attributes:
        slot: the node's index.
        kind: what broke.
        cause, device: what is right to say of it.
        factor: its own work over what it would be.
        onset, end: seconds since the case began.
    """

    slot: int
    kind: str
    cause: str
    device: int | None
    factor: float
    onset: float
    end: float


class Accused(msgspec.Struct, frozen=True):
    """A node that was accused.

    Attributes:
        slot: the node's index.
        first: event time of the first window that accused it, seconds since the case began.
        within: the same while it was at fault; None if it never was.
        cause, device: what was said of it then.
    """

    slot: int
    first: float
    within: float | None = None
    cause: str | None = None
    device: int | None = None


class Outcome(msgspec.Struct, frozen=True):
    """One detector on one case.

    Attributes:
        suite, case: names.
        detector: name.
        nodes: of the job.
        seconds: for which it was watched.
        timed: whether the job had synchronised sections, so that times can name somebody.
        hardware: whether there were signals beside the steps.
        culprits: who is at fault.
        accused: who was accused.
        rank: place of the best placed culprit among the suspects of the last window that had any while it was at
            fault, from 1; None where it was not among them.
    """

    suite: str
    case: str
    detector: str
    nodes: int
    seconds: float
    timed: bool
    hardware: bool
    culprits: tuple[Culprit, ...]
    accused: tuple[Accused, ...]
    rank: int | None = None


class Said(NamedTuple):
    """What an accusation names beside the node."""

    cause: str | None = None
    device: int | None = None


def culprits(case: Case) -> tuple[Culprit, ...]:
    """Who is at fault in a case, and when; of a node's several faults their whole time and the largest."""
    found: dict[int, Culprit] = {}
    whole = case.minutes * 60
    for fault in case.faults:
        for slot, expected in replace(case, faults=(fault,)).truth.items():
            end = whole if fault.end is None else fault.end
            earlier = found.get(slot)
            found[slot] = Culprit(
                slot=slot,
                kind=earlier.kind if earlier else fault.kind,
                cause=earlier.cause if earlier else expected.cause,
                device=earlier.device if earlier else expected.device,
                factor=max(fault.factor, earlier.factor if earlier else 1.0),
                onset=min(fault.start, earlier.onset if earlier else fault.start),
                end=max(end, earlier.end if earlier else end),
            )
    return tuple(found[slot] for slot in sorted(found))


class Record:
    """Gathers what one detector says in one case, window by window."""

    def __init__(self, suite: str, case: Case, detector: str) -> None:
        self._case, self._suite, self._detector = case, suite, detector
        self._culprits = {culprit.slot: culprit for culprit in culprits(case)}
        self._first: dict[int, float] = {}
        self._within: dict[int, tuple[float, Said]] = {}
        self._rank: int | None = None

    def at_fault(self, time: float) -> set[int]:
        """Slots that are at fault at an event time."""
        since = time - START
        return {slot for slot, culprit in self._culprits.items() if culprit.onset < since <= culprit.end}

    def note(self, time: float, accused: Mapping[int, Said]) -> None:
        """Note who stands accused at the end of a window."""
        for slot in accused:
            self._first.setdefault(slot, time - START)
        for slot in self.at_fault(time) & accused.keys():
            self._within.setdefault(slot, (time - START, accused[slot]))

    def rank(self, time: float, places: Mapping[int, int]) -> None:
        """Note the place of each suspect, from 1."""
        present = self.at_fault(time)
        if present and places:
            self._rank = min((places[slot] for slot in present if slot in places), default=None)

    def outcome(self) -> Outcome:
        """What was said in the whole case."""
        case = self._case
        return Outcome(
            suite=self._suite,
            case=case.name,
            detector=self._detector,
            nodes=case.shape.nodes,
            seconds=case.minutes * 60,
            timed=case.sections and case.synced,
            hardware=case.hardware,
            culprits=tuple(self._culprits.values()),
            accused=tuple(self._accused(slot) for slot in sorted(self._first)),
            rank=self._rank,
        )

    def _accused(self, slot: int) -> Accused:
        within, said = self._within.get(slot, (None, Said()))
        return Accused(slot, self._first[slot], within, said.cause, said.device)
