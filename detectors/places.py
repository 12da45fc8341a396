"""Where each slot's ranks sit in the job: numbers of parts and stages, replicas, devices, global ranks."""

from collections.abc import Sequence

import numpy as np

from detectors.forms import Layout
from detectors.growing import grown
from detectors.observed import Integers

Stage = tuple[int | None, str | None]
"""A pipeline stage, and the instance type it runs on."""

Part = tuple[int | None, int | None, int | None, str | None]
"""Pipeline stage, tensor role, expert role, and instance type."""

_NOWHERE = -1
_MOVED = -2
"""As a slot's first global rank: not what any record says, so that its next one places its ranks."""

_MOST_NUMBERS = 65_536
"""Stages and parts that are told apart. Beyond, ranks count as sitting nowhere."""

_DEEPEST = 32_767
_CACHED = 4096


class Places:
    """Places of all slots. They stay known until the next record of their node, or until it leaves.

    Attributes:
        part, stage, depth, pipeline, device, rank: slots by ranks, see :class:`detectors.observed.Totals`.
        stages, parts: numbers of what was met so far.
        layouts: of each slot's newest record that had ranks.
    """

    def __init__(self, slots: int, ranks: int) -> None:
        self.stages: dict[Stage, int] = {}
        self.parts: dict[Part, int] = {}
        self.layouts: list[Layout | None] = [None] * slots
        self._numbers: dict[Layout, tuple[Integers, Integers, Integers]] = {}
        self.part, self.stage, self.pipeline, self.rank = (
            np.full((slots, ranks), _NOWHERE, dtype=np.int32) for _ in range(4)
        )
        self.depth, self.device = (np.full((slots, ranks), _NOWHERE, dtype=np.int16) for _ in range(2))
        self._from = np.full((slots, 2), _MOVED, dtype=np.int32)

    def put(self, slot: int, layout: Layout) -> None:
        """The ranks of a slot sit like this. Then comes `move`."""
        self.vacate(slot)
        self.layouts[slot] = layout
        numbers = self._numbers.get(layout)
        if numbers is None:
            if len(self._numbers) >= _CACHED:
                self._numbers.clear()
            numbers = self._numbers[layout] = self._numbered(layout)
        rows = slice(layout.rows)
        self.part[slot, rows], self.stage[slot, rows], self.depth[slot, rows] = numbers
        self.device[slot, rows] = layout.device

    def move(self, slots: Integers, rank: Integers, pipeline: Integers) -> None:
        """Records of these slots count ranks and replicas from these numbers. Few change from one to the next."""
        start = np.stack([rank, pipeline], axis=1)
        for index in np.flatnonzero((self._from[slots] != start).any(axis=1)):
            slot = int(slots[index])
            layout = self.layouts[slot]
            if layout is not None:
                self._from[slot] = start[index]
                self.rank[slot, : layout.rows] = layout.rank + rank[index]
                self.pipeline[slot, : layout.rows] = layout.pipeline + pipeline[index]

    def vacate(self, slot: int) -> None:
        """Empty a slot whose node has left."""
        self.layouts[slot] = None
        self._from[slot] = _MOVED
        for array in (self.part, self.stage, self.depth, self.pipeline, self.device, self.rank):
            array[slot] = _NOWHERE

    def reach(self, slots: int, ranks: int) -> None:
        """Have so many slots and ranks."""
        shape = (slots, ranks)
        self.part, self.stage = grown(self.part, shape, _NOWHERE), grown(self.stage, shape, _NOWHERE)
        self.pipeline, self.rank = grown(self.pipeline, shape, _NOWHERE), grown(self.rank, shape, _NOWHERE)
        self.depth, self.device = grown(self.depth, shape, _NOWHERE), grown(self.device, shape, _NOWHERE)
        self._from = grown(self._from, (slots, 2), _MOVED)
        self.layouts += [None] * (slots - len(self.layouts))

    def _numbered(self, layout: Layout) -> tuple[Integers, Integers, Integers]:
        def number(known: dict[tuple[int | str | None, ...], int], what: Sequence[int | str | None]) -> int:
            key = tuple(what)
            if key not in known and len(known) >= _MOST_NUMBERS:
                return _NOWHERE
            return known.setdefault(key, len(known))

        kind = layout.kind
        places = list(zip(layout.stage, layout.tp, layout.ep, strict=True))
        part = [number(self.parts, (*place, kind)) for place in places]  # type: ignore[arg-type]  # Part is such a key
        stage = [number(self.stages, (place[0], kind)) for place in places]  # type: ignore[arg-type]  # and Stage
        depth = [_NOWHERE if at is None or at > _DEEPEST else at for at in layout.stage]
        return np.array(part, np.int32), np.array(stage, np.int32), np.array(depth, np.int16)
