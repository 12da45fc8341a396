"""How far a member of a group came in each partition that it holds. Pure: both implementations keep it so."""

from collections.abc import Mapping

from guard.bus import Place


class Progress:
    """Claims, and what was polled under each. What was polled under a claim that is gone counts no more."""

    def __init__(self) -> None:
        self._claims: dict[Place, int] = {}
        self._first: dict[Place, int] = {}
        self._next: dict[Place, int] = {}

    @property
    def claims(self) -> Mapping[Place, int]:
        """Each partition held, with the number of the claim."""
        return self._claims

    def gain(self, place: Place, claim: int, start: int | None = None) -> None:
        """Hold a partition from now on; ``start`` is the first offset to poll, where that is known already."""
        self.lose(place)
        self._claims[place] = claim
        if start is not None:
            self._first[place] = self._next[place] = start

    def lose(self, place: Place) -> None:
        """Hold it no more."""
        for kept in (self._claims, self._first, self._next):
            kept.pop(place, None)

    def polled(self, place: Place, first: int, after: int) -> None:
        """Records of a partition were given to the caller: from ``first`` to the one before ``after``."""
        if place in self._claims:
            self._first.setdefault(place, first)
            self._next[place] = after

    def next(self, place: Place) -> int | None:
        """The first offset that was not polled under this claim; None where no start is known yet."""
        return self._next.get(place)

    def committable(self, upto: Mapping[Place, int] | None = None) -> dict[Place, int]:
        """What may be committed: within what was polled under the claims that hold now.

        An offset from a claim that is gone lies below the start of the new one, unless the group stood still
        meanwhile; then it is as good as new.
        """
        if upto is None:
            return dict(self._next)
        return {
            place: min(offset, self._next[place])
            for place, offset in upto.items()
            if place in self._next and offset >= self._first[place]
        }
