"""Between reading and sending: what is heard is folded, and what follows is committed with it.

Nothing is sent before it is committed, and nothing is committed twice: a process that ends in between goes on from
its last commit, reads the rest again, and comes to the same letters.
"""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from guard.page.intake import Batch
from guard.page.outbox import Outbox, Reached
from guard.page.outbox_file import OutboxError, start_anew
from remediation.alerts.notice import Notice
from remediation.paging import pager
from remediation.paging.events import Event, Source
from remediation.paging.policy import Paging

if TYPE_CHECKING:
    from guard.bus import Place

_log = logging.getLogger("guard.page")

_COMMIT = 1.0
"""Seconds between commits while there is nothing to tell, and between tries while the disk refuses."""


class Desk:
    """Holds the pager's state. One thread uses it.

    Args:
        outbox: where state and letters go.
        policy: who is told of what.
        channels: names of those there are.

    Raises:
        OutboxError: what the outbox holds is of another version, or cannot be read.
    """

    def __init__(self, outbox: Outbox, policy: Paging, channels: Sequence[str]) -> None:
        self._outbox, self._policy, self._channels = outbox, policy, tuple(channels)
        saved = outbox.state()
        self._history = saved is None
        self._state = pager.State() if saved is None else _decoded(saved, outbox)
        self._began: float | None = None
        self._reached: dict[Place, Reached] = {}
        self._letters: list[tuple[str, Notice]] = []
        self._changed = False
        self._commit_at = 0.0
        self.trouble: str | None = None

    @property
    def learning(self) -> bool:
        """Whether the history that lay on the bus before the very first start is still being read."""
        return self._history

    @property
    def silent(self) -> dict[Source, float]:
        """Sources that the state holds for silent, each since when, Unix seconds."""
        return dict(self._state.sources)

    def take(self, batch: Batch, now: float) -> None:
        """Fold a batch of records; ``now`` in Unix seconds."""
        if batch.first:
            self._state = pager.State()
            self._reached.clear()
        for event in batch.events:
            self._state = pager.hear(self._state, event, self._policy, now)
        self._reached.update(batch.reached)
        self._changed = True
        if batch.began is not None:
            self._state = pager.settle(self._state)
            self._began = batch.began

    def hear(self, event: Event, now: float) -> None:
        """Fold what this process found out by itself."""
        state = pager.hear(self._state, event, self._policy, now)
        self._changed |= state is not self._state
        self._state = state

    def turn(self, now: float, clock: float) -> bool:
        """See what is due, and commit; whether there are new letters in the outbox.

        Args:
            now: Unix seconds.
            clock: monotonic seconds.
        """
        if self._history and self._began is None:
            return False
        if not self._history:
            state, letters = pager.due(self._state, self._policy, self._channels, now)
            self._changed |= state is not self._state
            self._state = state
            self._letters += [(letter.channel, letter.notice) for letter in letters]
        urgent = bool(self._letters) and self.trouble is None
        if not urgent and (not self._changed or clock < self._commit_at):
            return False
        self._commit_at = clock + _COMMIT
        return self._commit(now)

    def open_pages(self) -> int:
        """How many pages are open."""
        return pager.watched(self._state).get("open", 0)

    def standing(self, now: float) -> tuple[Notice, ...]:
        """The present state of every open page."""
        return pager.standing(self._state, self._policy, now)

    def _commit(self, now: float) -> bool:
        saved = pager.encode(self._state)
        try:
            if self._history and self._began is not None:
                self._outbox.begin(saved, self._reached, self._began)
            else:
                self._outbox.commit(saved, self._reached, self._letters, now)
        except OutboxError as error:
            if self.trouble is None:
                _log.error("nothing is read or told meanwhile: %s", error)
            self.trouble = str(error)
            return False
        if self.trouble is not None:
            _log.info("the outbox takes what it is given again")
        written = bool(self._letters)
        self.trouble, self._history, self._changed = None, False, False
        self._reached.clear()
        self._letters.clear()
        return written


def _decoded(saved: bytes, outbox: Outbox) -> pager.State:
    try:
        return pager.decode(saved)
    except pager.StateError as error:
        raise OutboxError(
            f"outbox {outbox.path}: its state is not one of this version of guard ({error}); run that version, or"
            f" {start_anew(outbox.path)}"
        ) from error
