"""Acting: one intent after the other, each in a child that is killed at the intent's deadline."""

import time
from dataclasses import dataclass
from functools import partial

from guard.remediate.errands import Errand, TooLateError, act, ready
from guard.remediate.hand import COMES_UP, Answer, Hand
from remediation.clusters.protocol import (
    ClusterUnavailableError,
    GoneError,
    HeldBackError,
    NotOursError,
    RefusedError,
)
from remediation.ledger import Intent, Result

BEGIN_WITHIN = 3.0
"""Seconds from asking the ledger who leads until an act may still begin. A successor waits this long, too, before
it takes an act for ended: so no two leaders' acts overlap, whatever stops a process in between."""

_HAND_OVER = 1.0
"""Seconds of an act's deadline that are kept for the child, beside the call itself."""

_WORDS = {
    ClusterUnavailableError: "unavailable",
    HeldBackError: "held back",
    NotOursError: "not ours",
    GoneError: "gone",
    RefusedError: "refused",
}


@dataclass(frozen=True, slots=True)
class Ended:
    """How an act ended, in the words of the ledger."""

    intent: Intent
    result: Result
    detail: str = ""


class Acting:
    """Performs errands. Remembers what this process has begun, so that nothing is begun twice.

    Args:
        hand: the child.
    """

    def __init__(self, hand: Hand) -> None:
        self._hand = hand
        self._now: Intent | None = None
        self._begun: set[str] = set()
        self._unwell = False

    @property
    def free(self) -> bool:
        """Whether another act may begin: none is under way, and its child is up, or will not be."""
        return self._now is None and not self._hand.busy and (self._hand.up or self._unwell)

    def prepare(self) -> None:
        """Have the child come up before it is needed: on a busy machine that takes longer than an act may wait."""
        if self._now is None and not self._hand.busy and not self._hand.up and not self._unwell:
            self._hand.begin(ready, COMES_UP)

    def begun(self, intent: Intent) -> bool:
        """Whether this process has begun it."""
        return intent.id in self._begun

    def begin(self, errand: Errand) -> None:
        """Begin an act. Only while ``free``."""
        self._now, self._unwell = errand.intent, False
        self._begun.add(errand.intent.id)
        deadline = errand.intent.deadline
        self._hand.begin(partial(act, errand=errand, timeout=max(deadline - _HAND_OVER, deadline / 2)), deadline)

    def poll(self) -> Ended | None:
        """How the act that was begun last ended; None while it goes on, or was too late to begin."""
        answer = self._hand.answer()
        if answer is None:
            return None
        if self._now is None:
            self._unwell = answer.error is not None
            return None
        intent, self._now = self._now, None
        if isinstance(answer.error, TooLateError):
            self._begun.discard(intent.id)  # nothing was done: tried again, until it expires
            return None
        return Ended(intent, *_told(answer))

    def stop(self) -> None:
        """End at once what is under way: this process does not lead any more."""
        self._now = None
        self._hand.kill()


def begin_by() -> float:
    """Until when an act may begin that is allowed now, on the monotonic clock."""
    return time.monotonic() + BEGIN_WITHIN


def _told(answer: Answer) -> tuple[Result, str]:
    error = answer.error
    if error is None:
        return Result.DONE, ""
    if isinstance(error, str):
        return (Result.UNKNOWN if answer.cut else Result.FAILED), error
    if isinstance(error, ClusterUnavailableError):
        return Result.UNKNOWN, f"unavailable: {error}"
    word = next((word for kind, word in _WORDS.items() if isinstance(error, kind)), "failed")
    wait = f" (again in {error.after:.0f} s)" if isinstance(error, HeldBackError) and error.after else ""
    return Result.FAILED, f"{word}: {error}{wait}"
