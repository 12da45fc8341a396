"""Looking at the cluster, over and over, in a child with a deadline."""

import time
from functools import partial

from guard.remediate.errands import look
from guard.remediate.hand import Answer, Hand
from remediation.clusters.protocol import ClusterError
from remediation.events import Observed, Unobserved
from remediation.views import ClusterView

_MARGIN = 2.0
"""Seconds that the child has beyond the call's own timeout, to come up and to hand over."""


class Looking:
    """One look at a time. What was begun before an act ended is not shown: it may not hold the act's effect.

    Args:
        hand: the child.
        every: seconds from one look to the next.
        timeout: seconds that one may take.
    """

    def __init__(self, hand: Hand, every: float, timeout: float) -> None:
        self._hand, self._every, self._timeout = hand, every, timeout
        self._next = 0.0
        self._outdated = False

    def poll(self) -> Observed | Unobserved | None:
        """What was seen, or that nothing could be; begins the next look when it is time."""
        answer = self._hand.answer()
        seen = None if answer is None or self._outdated else event(answer)
        now = time.monotonic()
        if not self._hand.busy and now >= self._next:
            self._next, self._outdated = now + self._every, False
            self._hand.begin(partial(look, timeout=self._timeout), self._timeout + _MARGIN)
        return seen

    def again(self) -> None:
        """Look at once, and show nothing of what was begun before."""
        self._outdated, self._next = self._hand.busy, 0.0


def event(answer: Answer) -> Observed | Unobserved:
    """What a look has shown, for the controller."""
    if isinstance(answer.value, ClusterView):
        return Observed(answer.value)
    return Unobserved(str(answer.error) if isinstance(answer.error, ClusterError | str) else "nothing was seen")
