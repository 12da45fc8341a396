"""The nodes of one job: who is there, in which slot of the arrays, and what stands against each."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from detectors.board import Conclusion
from detectors.observed import Flags
from detectors.verdict import Role, Severity, Status


class MemberState(msgspec.Struct, array_like=True):
    """What a snapshot holds of a member."""

    node: str
    instance: str
    slot: int
    last: float
    standing: Conclusion | None
    renewed: int
    carried: bool


@dataclass(slots=True)
class Member:
    """A node of a job.

    Attributes:
        node, instance: its names.
        slot: its row in the arrays.
        last: event time of its newest record.
        standing: what is said against it in this attempt, if anything.
        renewed: the window count when what stands was said last, for what passes if it is not said again.
        carried: it stands accused from an earlier attempt or job, and has yet to show that it is well.
    """

    node: str
    instance: str
    slot: int
    last: float
    standing: Conclusion | None = None
    renewed: int = 0
    carried: bool = False

    @property
    def accused(self) -> bool:
        """Whether this attempt accuses it."""
        said = self.standing
        return (
            said is not None
            and said.status in (Status.STRAGGLER, Status.FAULT)
            and said.role in (Role.CULPRIT, Role.LINK)
        )

    @property
    def broken(self) -> bool:
        """Whether a hard error was reported of it."""
        return self.standing is not None and self.standing.status is Status.FAULT

    @property
    def stopped(self) -> bool:
        """Whether it is accused of having stopped the whole job."""
        said = self.standing
        return said is not None and said.status is Status.STRAGGLER and said.severity is Severity.CRITICAL

    @property
    def silent(self) -> bool:
        """Whether it is not heard of."""
        return self.standing is not None and self.standing.status is Status.SILENT


class Members:
    """Nodes by name and by slot. A slot that a node left is given to the next one that comes."""

    def __init__(self) -> None:
        self._by_node: dict[str, Member] = {}
        self._by_slot: list[Member | None] = []
        self._free: list[int] = []

    def __len__(self) -> int:
        return len(self._by_node)

    def get(self, node: str) -> Member | None:
        """The node, if it is there."""
        return self._by_node.get(node)

    def at(self, slot: int) -> Member | None:
        """The node in a slot."""
        return self._by_slot[slot]

    def all(self) -> list[Member]:
        """Every node, in the order in which they came."""
        return list(self._by_node.values())

    def join(self, node: str, instance: str, time: float) -> Member:
        """A node comes."""
        if self._free:
            slot = self._free.pop()
        else:
            slot = len(self._by_slot)
            self._by_slot.append(None)
        member = Member(node, instance, slot, time)
        self._by_node[node] = self._by_slot[slot] = member
        return member

    def leave(self, node: str) -> int | None:
        """A node goes.

        Returns:
            The slot that it held.
        """
        member = self._by_node.pop(node, None)
        if member is None:
            return None
        self._by_slot[member.slot] = None
        self._free.append(member.slot)
        return member.slot

    @property
    def slots(self) -> int:
        """Slots ever used, which is how long the arrays are."""
        return len(self._by_slot)

    def active(self) -> Flags:
        """Slots of nodes that are there and heard of."""
        return np.array([member is not None and not member.silent for member in self._by_slot], dtype=bool)

    def freeze(self) -> list[MemberState]:
        """All members, in the order in which they came."""
        return [
            MemberState(
                member.node,
                member.instance,
                member.slot,
                member.last,
                member.standing,
                member.renewed,
                member.carried,
            )
            for member in self._by_node.values()
        ]

    @property
    def free(self) -> list[int]:
        """Slots that were left, the next to be given away last."""
        return list(self._free)

    def restore(self, members: Sequence[MemberState], free: Sequence[int]) -> None:
        """Go on with these, in these slots."""
        self._by_slot = [None] * (len(members) + len(free))
        self._free = list(free)
        for state in members:
            member = Member(
                state.node, state.instance, state.slot, state.last, state.standing, state.renewed, state.carried
            )
            self._by_node[member.node] = self._by_slot[member.slot] = member
