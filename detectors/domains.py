"""Fault domains: which nodes share a rack, an ultraserver, a zone."""

from collections.abc import Mapping, Sequence

import numpy as np

from detectors.growing import enough, grown
from detectors.observed import Integers

_NOWHERE = -1
_MOST_LABELS = 16
_MOST_NUMBERS = 65_536
"""Places of one kind that are told apart: more than a fleet has nodes are not places that nodes share."""

Domain = tuple[tuple[str, str], ...]


class Domains:
    """A number per label and slot, in order of first appearance. Nodes stay where their newest record says."""

    def __init__(self) -> None:
        self._seen: list[Domain | None] = []
        self._numbers: dict[str, dict[str, int]] = {}
        self._names: dict[str, list[str]] = {}
        self._at: dict[str, Integers] = {}

    def note(self, slot: int, domain: Domain) -> None:
        """A record of a slot says this. Most say what the one before said."""
        if slot >= len(self._seen):
            self._seen += [None] * (slot + 1 - len(self._seen))
        seen = self._seen[slot]
        if seen is domain:
            return
        self._seen[slot] = domain
        if seen == domain:
            return
        for at in self._at.values():
            if slot < len(at):
                at[slot] = _NOWHERE
        for label, name in domain:
            self._place(slot, label, name)

    def vacate(self, slot: int) -> None:
        """Empty a slot whose node has left."""
        if slot < len(self._seen):
            self.note(slot, ())

    def numbers(self, slots: int) -> dict[str, Integers]:
        """Of the first `slots` slots, by label; -1 where not known."""
        found = {}
        for label, at in self._at.items():
            number: Integers = np.full(slots, _NOWHERE, dtype=np.int32)
            number[: len(at)] = at[:slots]
            found[label] = number
        return found

    def name(self, label: str, number: int) -> str | None:
        """What a number stands for."""
        names = self._names.get(label, [])
        return names[number] if 0 <= number < len(names) else None

    @property
    def known(self) -> dict[str, list[str]]:
        """Names met so far, by label, in order of their numbers."""
        return {label: list(names) for label, names in self._names.items()}

    def know(self, known: Mapping[str, Sequence[str]]) -> None:
        """Give names the numbers that they had before a restart."""
        for label, names in known.items():
            self._names[label] = list(names)
            self._numbers[label] = {name: number for number, name in enumerate(names)}
            self._at[label] = np.full(len(self._seen), _NOWHERE, dtype=np.int32)

    def _place(self, slot: int, label: str, name: str) -> None:
        if label not in self._numbers:
            if len(self._numbers) >= _MOST_LABELS:
                return
            self._numbers[label], self._names[label] = {}, []
            self._at[label] = np.full(len(self._seen), _NOWHERE, dtype=np.int32)
        numbers, names = self._numbers[label], self._names[label]
        number = numbers.get(name)
        if number is None:
            if len(names) >= _MOST_NUMBERS:
                return
            number = numbers[name] = len(names)
            names.append(name)
        at = self._at[label]
        if slot >= len(at):
            at = self._at[label] = grown(at, (enough(len(at), slot + 1),), _NOWHERE)
        at[slot] = number
