"""Whom a job that has stopped waits for: the rules, from the clearest to the vaguest."""

import math
from dataclasses import dataclass, replace

import numpy as np

from detectors.hang_conclude import Hang, Stuck
from detectors.hang_states import OLDEST, States, by_node
from detectors.observed import Flags, Integers, Latest

_CROWD = 3
"""Other nodes that must be seen waiting: among fewer, it is a matter of taste which is the odd one."""

_SEEN = 0.5
"""Share of the others' ranks whose section must be known: what the rest does is a guess."""

_WRITER = 0
"""The global rank that by convention writes, logs and evaluates for all: what keeps it may not be its fault."""

_OWN = ("compute", "data", "host")
"""Sections that no rank has to itself."""

_NAMED = 4
"""Ranks named in a reason."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A hang while it is looked into.

    Attributes:
        states: how each rank stands.
        latest: what that was read from.
        since: when the last step ended.
        few: so many nodes may be at fault each for itself; more share something that is.
        share: of the known ranks of all other nodes that must wait.
    """

    states: States
    latest: Latest
    since: float
    few: int
    share: float

    def look(self) -> Hang:
        """Name somebody, or say why nobody is named."""
        return (
            self.dead(seen=False)
            or self._writing()
            or self._elsewhere()
            or self._in_collective()
            or self._nobody("no step ends, and too few ranks say in which section they are")
        )

    def dead(self, *, seen: bool) -> Hang | None:
        """Processes that are gone, while those of other nodes live and wait.

        Args:
            seen: whether the others must be seen waiting in a collective. At the end of a job processes exit one
                after another while the last ones still write.
        """
        nodes = by_node(self.states.dead)
        others = self._others(nodes)
        alive = self.latest.alive[others]
        told = alive >= 0
        lively = told.any() and float((alive[told] == 1).mean()) >= self.share
        if not self._few(nodes) or not lively or not self._crowd(nodes):
            return None
        unseen = not (self.states.known & others).any()
        if not self._wait(nodes) and (seen or not unseen):
            return None
        stuck = tuple(replace(one, dead=True, section=None) for one in self._stuck(nodes, self.states.dead))
        return self._accuse(stuck, f"the process of {_ranks(stuck)} is gone, and the others wait for it")

    def _writing(self) -> Hang | None:
        known, writing = int(self.states.known.sum()), int(self.states.writing.sum())
        if not known or writing < self.share * known:
            return None
        return self._nobody(
            f"{writing} of {known} ranks are in a checkpoint: they wait for the storage that they share"
        )

    def _elsewhere(self) -> Hang | None:
        """Ranks that are stuck outside the collective."""
        away = self.states.elsewhere | self.states.writing
        nodes = by_node(away)
        if not nodes.any():
            return None
        stuck = self._stuck(nodes, away)
        seconds = max(one.age for one in stuck)
        where = f"in {stuck[0].section} for {seconds:.0f} s"
        if not self._few(nodes) or not self._wait(nodes):
            known = int(self.states.known.sum())
            return self._nobody(
                f"{int(away.sum())} of {known} ranks are {where}, and not all others wait for them: "
                "a recompilation, an evaluation, or something that they share"
            )
        said = f"{_ranks(stuck)} {_is(stuck)} {where}"
        if not self._crowd(nodes):
            return self._suspect(stuck, f"{said}, but there are too few other nodes to be sure")
        if any(_WRITER in one.ranks and one.section not in _OWN for one in stuck):
            return self._suspect(stuck, f"{said}, which rank {_WRITER} may have to do for all")
        return self._accuse(stuck, f"{said}, and the others wait in a collective")

    def _in_collective(self) -> Hang | None:
        """Nearly everybody waits in a collective."""
        if not self._wait(np.zeros_like(self.states.there)):
            # With four nodes of one rank each, one that is not known is a quarter.
            unknown = self._unknown()
            if unknown.sum() != 1 or not self._wait(unknown):
                return None
        behind = self._behind()
        if behind is not None:
            return behind
        moving = by_node(self.states.moving)
        if self._few(moving):
            stuck = self._stuck(moving, self.states.moving)
            return self._suspect(
                stuck, f"{_ranks(stuck)} {_is(stuck)} at work, and the others wait in a collective"
            )
        unknown = self._unknown()
        if unknown.sum() == 1 and self._crowd(unknown):
            ranks = (self.latest.rank >= 0) & ~self.states.known
            stuck = tuple(replace(one, section=None, age=math.nan) for one in self._stuck(unknown, ranks))
            return self._suspect(
                stuck, f"the state of {_ranks(stuck)} is not known, and all others wait in a collective"
            )
        return self._nobody(
            "all ranks wait in a collective at the same step: the network is suspected, and no node can be named"
        )

    def _behind(self) -> Hang | None:
        """All are in a collective, but some in an earlier one: theirs ended for everybody else."""
        step = np.where(self.states.waiting & (self.latest.last_step >= 0), self.latest.last_step, -1)
        told = step[step >= 0]
        if not told.size:
            return None
        others = int(np.median(told))
        late = (step >= 0) & (step < others)
        nodes = by_node(late)
        rest = told[told >= others]
        if not self._few(nodes) or not self._crowd(nodes) or (rest == others).mean() < self.share:
            return None
        stuck = tuple(
            replace(one, behind=(int(step[one.slot][late[one.slot]].min()), others))
            for one in self._stuck(nodes, late)
        )
        said = f"{_ranks(stuck)} {_is(stuck)} in a collective of an earlier step than the others"
        return self._accuse(stuck, said)

    @property
    def _waited(self) -> float:
        ages = self.latest.age[self.states.waiting]
        return float(np.median(ages)) if ages.size else math.nan

    def _others(self, nodes: Flags) -> Flags:
        others: Flags = self.states.ranks & ~nodes[:, None]
        return others

    def _few(self, nodes: Flags) -> bool:
        return 0 < int(nodes.sum()) <= self.few

    def _crowd(self, nodes: Flags) -> bool:
        return int((self.states.there & ~nodes).sum()) >= _CROWD

    def _wait(self, nodes: Flags) -> bool:
        """Whether nearly all ranks of all but these nodes wait in a collective."""
        others = self._others(nodes)
        known = int((self.states.known & others).sum())
        waiting = int((self.states.waiting & others).sum())
        return known > 0 and known >= _SEEN * others.sum() and waiting >= self.share * known

    def _unknown(self) -> Flags:
        """Nodes of which it is not known how all their ranks stand."""
        states = self.states
        unknown: Flags = by_node(states.ranks & ~states.known) | states.gone
        return unknown

    def _stuck(self, nodes: Flags, ranks: Flags) -> tuple[Stuck, ...]:
        """The given ranks of the given nodes, by node."""
        return tuple(_stuck(int(slot), np.flatnonzero(ranks[slot]), self.latest) for slot in np.flatnonzero(nodes))

    def _accuse(self, stuck: tuple[Stuck, ...], reason: str) -> Hang:
        return Hang(self.since, self._waited, tuple(one.slot for one in stuck), (), stuck, reason)

    def _suspect(self, stuck: tuple[Stuck, ...], reason: str) -> Hang:
        return Hang(self.since, self._waited, (), tuple(one.slot for one in stuck), stuck, reason)

    def _nobody(self, reason: str) -> Hang:
        return Hang(self.since, self._waited, (), (), (), reason)


def _stuck(slot: int, columns: Integers, latest: Latest) -> Stuck:
    """A node's ranks in these columns. Of several sections it is the one that most of the ranks are in."""
    ages = latest.age[slot, columns]
    ages = ages[(ages >= 0) & (ages < OLDEST)]
    current = latest.current[slot, columns]
    current = current[(current >= 0) & (current < len(latest.sections))]
    return Stuck(
        slot=slot,
        ranks=tuple(sorted(int(rank) for rank in latest.rank[slot, columns])),
        section=latest.sections[int(np.bincount(current).argmax())] if current.size else None,
        age=float(ages.max()) if ages.size else math.nan,
    )


def _ranks(stuck: tuple[Stuck, ...]) -> str:
    """`rank 5`, or `ranks 5, 6, 7, 8 and 12 more`."""
    ranks = sorted(rank for one in stuck for rank in one.ranks)
    if len(ranks) == 1:
        return f"rank {ranks[0]}"
    more = f" and {len(ranks) - _NAMED} more" if len(ranks) > _NAMED else ""
    return f"ranks {', '.join(str(rank) for rank in ranks[:_NAMED])}{more}"


def _is(stuck: tuple[Stuck, ...]) -> str:
    return "is" if sum(len(one.ranks) for one in stuck) == 1 else "are"
